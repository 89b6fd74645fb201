import { createHash } from 'node:crypto';
import { LagoonError, type Random } from '@lagoon/base';
import type { ByteRange, CreateResult, ListPage, ObjectStore, Stamp, StoredObject } from '@lagoon/object-store';
import { type Actor, epochMs } from './actor.ts';
import type { FaultCounts, FaultKind, FaultPolicy } from './faults.ts';
import type { Scheduler } from './scheduler.ts';

interface Held {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

/** The bucket of a simulation: one map, and a handle on it for each process. Shares no code with the product's stores. */
export interface SimulatedStore {
  /** A process's connection: its calls wait, fail and apply as the seed draws, and its answers die with it. */
  handle(actor: Actor): ObjectStore;
  /** Faults from now on. */
  policy: FaultPolicy;
  /** Called before each call of any process; may crash it, and may say what becomes of the call. */
  onCall: ((call: StoreCall) => CallFate | undefined) | undefined;
  /** What lies in the bucket, for the checker. */
  readonly objects: ReadonlyMap<string, Held>;
  /** Every log entry and body as it was first created, also those that were deleted since. */
  readonly remembered: ReadonlyMap<string, Held>;
  /** A request that is applied late arrives within so long. */
  lateMsMax: number;
  /** By hand, at once, without a trace. */
  insert(key: string, bytes: Uint8Array): void;
  remove(key: string): void;
  /** Changes with every call, its outcome and its time: equal for equal seeds. */
  traceHash(): string;
  readonly callCount: number;
}

export interface StoreCall {
  readonly actor: Actor;
  readonly index: number;
  readonly verb: 'get' | 'put' | 'create' | 'list' | 'delete';
  readonly key: string;
}

/** What a scenario does to one call, besides what the seed draws. */
export interface CallFate {
  /** It reaches the store so much later. */
  readonly delayMs?: number;
  readonly strike?: 'unavailable' | 'resetBefore' | 'resetAfter' | 'conflict';
  /** The caller hears at once that the connection broke; the request arrives all the same, after `delayMs`. */
  readonly isAnswerLost?: boolean;
}

export function createSimulatedStore(scheduler: Scheduler, random: Random, counts: FaultCounts): SimulatedStore {
  const objects = new Map<string, Held>();
  const remembered = new Map<string, Held>();
  const trace = createHash('sha256');
  let callCount = 0;

  const store: SimulatedStore = {
    handle,
    policy: undefined as unknown as FaultPolicy,
    onCall: undefined,
    objects,
    remembered,
    lateMsMax: 120_000,
    insert: (key, bytes) => hold(key, bytes.slice()),
    remove: (key) => void objects.delete(key),
    traceHash: () => trace.copy().digest('hex'),
    get callCount() {
      return callCount;
    },
  };
  return store;

  function hold(key: string, bytes: Uint8Array): void {
    const held = { bytes, modifiedMs: epochMs + scheduler.nowMs };
    objects.set(key, held);
    if (/^ns\/[^/]+\/(log|body)\//.test(key) && !remembered.has(key)) remembered.set(key, held);
  }

  function strikes(kind: FaultKind): boolean {
    const hit = random.float() < store.policy[kind];
    if (hit) counts[kind]++;
    return hit;
  }

  function stamp(): Stamp {
    const skewMs = strikes('skewedTime') ? (random.float() - 0.5) * 2 * 86_400_000 : 0;
    return { storeTimeMs: Math.floor((epochMs + scheduler.nowMs + skewMs) / 1000) * 1000 }; // Date headers have whole seconds
  }

  /** One call: travels, strikes or not, is applied, travels back. `apply` runs at the store, at one instant. */
  function call<R>(
    actor: Actor,
    verb: StoreCall['verb'],
    key: string,
    signal: AbortSignal | undefined,
    apply: () => R,
    broken: (cause: Error) => R,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const index = callCount++;
      const fate = store.onCall?.({ actor, index, verb, key });
      if (!actor.alive) return;
      let answered = false;
      const answer = (outcome: string, settle: () => void): void => {
        trace.update(`${index} ${actor.name} ${verb} ${key} ${outcome} ${scheduler.nowMs}\n`);
        scheduler.schedule(latencyMs(), () =>
          actor.deliver(() => {
            if (answered) return;
            answered = true;
            signal?.removeEventListener('abort', onAbort);
            settle();
          }),
        );
      };
      const onAbort = () => {
        if (answered) return;
        answered = true;
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const fail = (outcome: string): void => {
        const cause = new LagoonError('unavailable', `simulated store: ${outcome}`, { context: { verb, key } });
        answer(outcome, () => settleWith(() => broken(cause), resolve, reject));
      };
      const slowListMs = verb === 'list' && strikes('slowList') ? random.float() * 5_000 : 0;
      const isBuilderRead = verb === 'get' && key.endsWith('.seg') && actor.name.startsWith('compactor');
      const slowSegmentMs = isBuilderRead && strikes('slowSegment') ? random.float() * 4_000 : 0;
      if (fate?.isAnswerLost) fail('answer lost');
      scheduler.schedule(latencyMs() + slowListMs + slowSegmentMs + (fate?.delayMs ?? 0), () => {
        const meets = (kind: FaultKind) => fate?.strike === kind || strikes(kind);
        if (meets('unavailable')) return fail('unavailable');
        if (meets('resetBefore')) return fail('resetBefore');
        if (verb === 'create' && meets('conflict')) return fail('conflict');
        if (verb !== 'get' && verb !== 'list' && strikes('lateApply')) {
          scheduler.schedule(random.float() * store.lateMsMax, () => {
            apply();
            trace.update(`${index} late ${scheduler.nowMs}\n`);
          });
          return fail('lateApply');
        }
        const result = apply();
        if (meets('resetAfter')) return fail('resetAfter');
        answer('ok', () => resolve(result));
      });
    });
  }

  function latencyMs(): number {
    return strikes('slow') ? 1_000 + random.float() * 8_000 : 1 + random.float() * 20;
  }

  function handle(actor: Actor): ObjectStore {
    const refuse = <R>(cause: Error): R => {
      throw cause;
    };
    return {
      url: 'sim:',
      get: (key, options, signal) =>
        call<StoredObject | undefined>(
          actor,
          'get',
          key,
          signal,
          () => {
            const held = objects.get(key);
            // What is absent has a Date header too: a writer that only probes would else keep one skewed time for ever.
            const stamped = stamp();
            options?.onStamp?.(stamped);
            if (held === undefined) return undefined;
            const bytes = damage(cut(held.bytes, options?.range));
            return { bytes, objectSize: held.bytes.byteLength, ...stamped };
          },
          refuse,
        ),
      put: (key, bytes, signal) => {
        const copy = bytes.slice();
        return call<Stamp>(
          actor,
          'put',
          key,
          signal,
          () => {
            hold(key, copy);
            return stamp();
          },
          refuse,
        );
      },
      create: (key, bytes, signal) => {
        const copy = bytes.slice();
        return call<CreateResult>(
          actor,
          'create',
          key,
          signal,
          () => {
            if (objects.has(key)) return { outcome: 'exists', ...stamp() };
            hold(key, copy);
            return { outcome: 'created', ...stamp() };
          },
          (cause) => ({ outcome: 'unknown', cause, storeTimeMs: undefined }),
        );
      },
      list: (options, signal) =>
        call<ListPage>(
          actor,
          'list',
          options.prefix,
          signal,
          () => listPage(options.prefix, options.startAfter, options.limit ?? 1000),
          refuse,
        ),
      delete: (keys, signal) =>
        call<Stamp>(
          actor,
          'delete',
          keys.join(','),
          signal,
          () => {
            for (const key of keys) objects.delete(key);
            return stamp();
          },
          refuse,
        ),
      close: async () => {},
    };
  }

  /** Reads only: what lies in the store stays whole. */
  function damage(bytes: Uint8Array): Uint8Array {
    const copy = bytes.slice();
    if (copy.byteLength > 0 && strikes('tornBody')) return copy.subarray(0, random.integer(copy.byteLength));
    if (copy.byteLength > 0 && strikes('flippedBit')) {
      const at = random.integer(copy.byteLength);
      copy[at] = (copy[at] as number) ^ (1 << random.integer(8));
    }
    return copy;
  }

  function listPage(prefix: string, startAfter: string | undefined, limit: number): ListPage {
    const keys = [...objects.keys()]
      .filter((key) => key.startsWith(prefix) && (startAfter === undefined || byBytes(key, startAfter) > 0))
      .sort(byBytes);
    const page = keys.slice(0, limit);
    const skewMs = strikes('skewedTime') ? (random.float() - 0.5) * 2 * 86_400_000 : 0;
    return {
      objects: page.map((key) => {
        const held = objects.get(key) as Held;
        return { key, size: held.bytes.byteLength, lastModifiedMs: held.modifiedMs + skewMs };
      }),
      truncated: keys.length > page.length,
      ...stamp(),
    };
  }
}

function settleWith<R>(make: () => R, resolve: (value: R) => void, reject: (reason: unknown) => void): void {
  try {
    resolve(make());
  } catch (error) {
    reject(error);
  }
}

/** Keys are ASCII, so this is the order of their bytes. */
/** Every key of a simulation is ASCII, so the order of its characters is that of its bytes. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function cut(bytes: Uint8Array, range: ByteRange | undefined): Uint8Array {
  if (range === undefined) return bytes;
  if ('suffix' in range) return bytes.subarray(Math.max(0, bytes.byteLength - range.suffix));
  return bytes.subarray(Math.min(range.start, bytes.byteLength), range.end);
}
