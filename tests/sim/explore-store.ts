import { LagoonError } from '@lagoon/base';
import type { ByteRange, CreateResult, ListPage, ObjectStore, Stamp, StoredObject } from '@lagoon/object-store';
import { epochMs } from './actor.ts';
import type { Process, SharedTime } from './explore-process.ts';

export interface HeldObject {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

/** What a call looks at and what it changes; two calls that touch nothing of each other commute. */
export interface Footprint {
  readonly process: string;
  readonly reads: readonly string[];
  /** A listed range of keys: those behind `after` that begin with `prefix`. */
  readonly listed: { readonly prefix: string; readonly after: string } | undefined;
  readonly writes: readonly string[];
  /** It moves the time of everything. */
  readonly isTime: boolean;
}

/** A call that has been sent and has not reached the store. */
export interface WaitingCall extends Footprint {
  /** Counts the calls of its process, from 0. */
  readonly index: number;
  readonly verb: string;
  /** For people. */
  readonly label: string;
  /** It reaches the store now, and is answered at once. */
  apply(): void;
  /** Its caller hears now that the connection broke; it still waits. */
  breakOff(): void;
}

export const emptyBucket: Pick<ExploreStore, 'objects' | 'buried'> = { objects: new Map(), buried: new Map() };

/** A bucket whose calls wait until the exploration applies them, one at a time. */
export interface ExploreStore {
  handle(process: Process): ObjectStore;
  readonly objects: ReadonlyMap<string, HeldObject>;
  /** Log entries that were deleted: for the model, and because none above the floor may be used again. */
  readonly buried: ReadonlyMap<string, HeldObject>;
  readonly waiting: readonly WaitingCall[];
  /** Takes a call out of those that wait. */
  remove(call: WaitingCall): void;
  /** Called with each call that is sent; may crash its process. False: it never gets on its way. */
  onSend: ((call: WaitingCall) => boolean) | undefined;
  /** Time passes for everything, as a step of the process. */
  passTime(process: Process, durationMs: number): Promise<void>;
  readonly wrong: readonly string[];
}

export function createExploreStore(time: SharedTime, initial: Pick<ExploreStore, 'objects' | 'buried'>): ExploreStore {
  const objects = new Map(initial.objects);
  const buried = new Map(initial.buried);
  const waiting: WaitingCall[] = [];
  const wrong: string[] = [];
  const sentCounts = new Map<string, number>();
  const store: ExploreStore = {
    handle,
    objects,
    buried,
    waiting,
    wrong,
    onSend: undefined,
    remove: (call) => void waiting.splice(waiting.indexOf(call), 1),
    passTime: (process, durationMs) =>
      send(process, 'time', { isTime: true, label: `${durationMs} ms pass` }, () => {
        time.nowMs += durationMs;
      }),
  };
  return store;

  function stamp(): Stamp {
    return { storeTimeMs: Math.floor((epochMs + time.nowMs) / 1000) * 1000 };
  }

  function send<R>(
    process: Process,
    verb: string,
    touches: Partial<Footprint> & { readonly label: string },
    atStore: () => R,
    broken: (cause: Error) => R = (cause) => {
      throw cause;
    },
    signal?: AbortSignal,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      if (!process.alive) return;
      if (signal?.aborted) return reject(signal.reason);
      const index = sentCounts.get(process.name) ?? 0;
      sentCounts.set(process.name, index + 1);
      let isAnswered = false;
      const answer = (make: () => R): void => {
        if (isAnswered || !process.alive) return;
        isAnswered = true;
        try {
          resolve(make());
        } catch (error) {
          reject(error);
        }
      };
      signal?.addEventListener('abort', () => answer(() => Promise.reject(signal.reason) as R), { once: true });
      const call: WaitingCall = {
        process: process.name,
        reads: [],
        listed: undefined,
        writes: [],
        isTime: false,
        ...touches,
        index,
        verb,
        label: `${process.name}#${index} ${verb} ${touches.label}`,
        apply: () => {
          const result = atStore();
          answer(() => result);
        },
        breakOff: () => {
          const cause = new LagoonError('unavailable', 'simulated store: the connection broke', { context: { verb } });
          answer(() => broken(cause));
        },
      };
      if (process.isFree) call.apply();
      else if (store.onSend?.(call) !== false) waiting.push(call);
    });
  }

  function isBelowFloor(key: string): boolean {
    const least = key.replace('/log/', '/floor/');
    const prefix = least.slice(0, least.lastIndexOf('/') + 1);
    return [...objects.keys()].some((other) => other.startsWith(prefix) && other >= least);
  }

  function hold(key: string, bytes: Uint8Array): void {
    if (buried.has(key) && !isBelowFloor(key)) wrong.push(`${key} was collected and is used again`);
    objects.set(key, { bytes, modifiedMs: epochMs + time.nowMs });
  }

  function handle(process: Process): ObjectStore {
    return {
      url: 'sim:',
      get: (key, options, signal) => {
        const read = (): StoredObject | undefined => {
          const held = objects.get(key);
          options?.onStamp?.(stamp());
          if (held === undefined) return undefined;
          return { bytes: cut(held.bytes, options?.range).slice(), objectSize: held.bytes.byteLength, ...stamp() };
        };
        return send(process, 'get', { reads: [key], label: key }, read, undefined, signal);
      },
      put: (key, bytes, signal) => {
        const copy = bytes.slice();
        const write = (): Stamp => {
          hold(key, copy);
          return stamp();
        };
        return send(process, 'put', { writes: [key], label: key }, write, undefined, signal);
      },
      create: (key, bytes, signal) => {
        const copy = bytes.slice();
        const write = (): CreateResult => {
          if (objects.has(key)) return { outcome: 'exists', ...stamp() };
          hold(key, copy);
          return { outcome: 'created', ...stamp() };
        };
        const unknown = (cause: Error): CreateResult => ({ outcome: 'unknown', cause, storeTimeMs: undefined });
        return send(process, 'create', { writes: [key], label: key }, write, unknown, signal);
      },
      list: ({ prefix, startAfter = '', limit = 1000 }, signal) => {
        const read = (): ListPage => {
          const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > startAfter).sort();
          const page = keys.slice(0, limit).map((key) => {
            const { bytes, modifiedMs } = objects.get(key) as HeldObject;
            return { key, size: bytes.byteLength, lastModifiedMs: modifiedMs };
          });
          return { objects: page, truncated: keys.length > page.length, ...stamp() };
        };
        const listed = { prefix, after: startAfter };
        return send(process, 'list', { listed, label: `${prefix} > ${startAfter}` }, read, undefined, signal);
      },
      delete: (keys, signal) => {
        const remove = (): Stamp => {
          for (const key of keys) {
            const held = objects.get(key);
            if (held !== undefined && key.includes('/log/')) buried.set(key, held);
            objects.delete(key);
          }
          return stamp();
        };
        return send(process, 'delete', { writes: keys, label: keys.join(',') }, remove, undefined, signal);
      },
      close: async () => {},
    };
  }
}

/** Whether the order of the two may matter to the store or to what is answered: one changes what the other names or lists. */
export function isDependent(a: Footprint, b: Footprint): boolean {
  return a.isTime || b.isTime || disturbs(a, b) || disturbs(b, a);
}

function disturbs(writer: Footprint, other: Footprint): boolean {
  return writer.writes.some(
    (key) =>
      other.writes.includes(key) ||
      other.reads.includes(key) ||
      (other.listed !== undefined && key.startsWith(other.listed.prefix) && key > other.listed.after),
  );
}

function cut(bytes: Uint8Array, range: ByteRange | undefined): Uint8Array {
  if (range === undefined) return bytes;
  if ('suffix' in range) return bytes.subarray(Math.max(0, bytes.byteLength - range.suffix));
  return bytes.subarray(Math.min(range.start, bytes.byteLength), range.end);
}
