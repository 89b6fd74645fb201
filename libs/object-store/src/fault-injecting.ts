import { type Clock, LagoonError, type Random } from '@lagoon/base';
import type { CreateResult, ObjectStore, StoredObject } from './object-store.ts';

/** Faults of a store, and how often a run met each. */
export const faultNames = [
  'latency', // any verb: waits up to `latencyMsMax` before it is sent
  'unavailableBurst', // any verb: everything fails for up to `burstMsMax`, nothing is applied
  'resetBefore', // any verb: the connection is lost, not applied
  'resetAfter', // any verb: applied, but the answer is lost
  'createConflict', // create: "another one is in flight", not applied
  'lateCreate', // create: the answer is lost at once, and it is applied only after up to `lateMsMax`
  'tornBody', // get: only the beginning of the bytes
  'flippedBit', // get: one bit is wrong
  'slowList', // list: takes up to `slowListMsMax`
  'skewedTimes', // list: `lastModifiedMs` of the page is off by up to `skewMsMax` either way
] as const;

export type FaultName = (typeof faultNames)[number];

/** Probabilities in [0, 1] for each request that a fault can meet; default 0. Times in milliseconds. */
export type FaultPolicy = Readonly<Partial<Record<FaultName, number>>> & {
  /** Default 1,000. */
  readonly latencyMsMax?: number;
  /** Default 5,000. */
  readonly burstMsMax?: number;
  /** Default 3,600,000: past any grace of the protocols above. */
  readonly lateMsMax?: number;
  /** Default 10,000. */
  readonly slowListMsMax?: number;
  /** Default a day. */
  readonly skewMsMax?: number;
};

export interface FaultInjectingStore extends ObjectStore {
  /** Takes effect with the next request; `{}` stops all faults (a burst under way ends too). */
  setPolicy(policy: FaultPolicy): void;
  /** How often each fault was injected since the start. */
  counts(): Readonly<Record<FaultName, number>>;
}

/**
 * A store that fails as real ones do. Reproducible: every decision is a draw from the injected stream in the order of the requests, and
 * waiting is by the injected clock. A failed `create` is `unknown`, other verbs throw `unavailable`.
 */
export function faultInjecting(
  store: ObjectStore,
  deps: { readonly clock: Clock; readonly random: Random },
  initialPolicy: FaultPolicy = {},
): FaultInjectingStore {
  const { clock, random } = deps;
  const counts = Object.fromEntries(faultNames.map((name) => [name, 0])) as Record<FaultName, number>;
  let policy = initialPolicy;
  let burstUntilMs = Number.NEGATIVE_INFINITY;

  const strikes = (name: FaultName): boolean => {
    const probability = policy[name] ?? 0;
    if (probability === 0 || random.float() >= probability) return false;
    counts[name]++;
    return true;
  };
  const upTo = (boundMs: number): number => random.float() * boundMs;

  const inBurst = (): boolean => {
    const nowMs = clock.monotonicMs();
    if (nowMs < burstUntilMs) {
      counts.unavailableBurst++;
      return true;
    }
    if (!strikes('unavailableBurst')) return false;
    burstUntilMs = nowMs + upTo(policy.burstMsMax ?? 5_000);
    return true;
  };

  /** Runs a verb among the faults that any verb can meet. */
  const withFaults = async <R>(run: () => Promise<R>, signal: AbortSignal | undefined): Promise<R> => {
    signal?.throwIfAborted();
    if (strikes('latency')) await clock.sleep(upTo(policy.latencyMsMax ?? 1_000), signal);
    if (inBurst()) throw injected('unavailableBurst');
    if (strikes('resetBefore')) throw injected('resetBefore');
    const lost = strikes('resetAfter');
    const result = await run();
    if (lost) throw injected('resetAfter');
    return result;
  };

  const createLate = (key: string, bytes: Uint8Array): void => {
    const kept = bytes.slice();
    clock.setTimer(upTo(policy.lateMsMax ?? 3_600_000), () => {
      store.create(key, kept).catch(() => {}); // nobody waits for it any more
    });
  };

  const damaged = (object: StoredObject): StoredObject => {
    const size = object.bytes.byteLength;
    if (size === 0) return object;
    if (strikes('tornBody')) return { ...object, bytes: object.bytes.slice(0, random.integer(size)) };
    if (!strikes('flippedBit')) return object;
    const bytes = object.bytes.slice();
    const index = random.integer(size);
    bytes[index] = (bytes[index] ?? 0) ^ (1 << random.integer(8));
    return { ...object, bytes };
  };

  return {
    url: store.url,
    setPolicy: (next) => {
      policy = next;
      if ((next.unavailableBurst ?? 0) === 0) burstUntilMs = Number.NEGATIVE_INFINITY;
    },
    counts: () => ({ ...counts }),
    get: async (key, options, signal) => {
      const object = await withFaults(() => store.get(key, options, signal), signal);
      return object === undefined ? undefined : damaged(object);
    },
    put: (key, bytes, signal) => withFaults(() => store.put(key, bytes, signal), signal),
    create: async (key, bytes, signal): Promise<CreateResult> => {
      try {
        return await withFaults(async () => {
          if (strikes('createConflict')) throw injected('createConflict');
          if (!strikes('lateCreate')) return store.create(key, bytes, signal);
          createLate(key, bytes);
          throw injected('lateCreate');
        }, signal);
      } catch (cause) {
        if (!isInjected(cause)) throw cause;
        return { outcome: 'unknown', cause, storeTimeMs: undefined };
      }
    },
    list: (options, signal) =>
      withFaults(async () => {
        if (strikes('slowList')) await clock.sleep(upTo(policy.slowListMsMax ?? 10_000), signal);
        const page = await store.list(options, signal);
        if (!strikes('skewedTimes')) return page;
        const skewMs = (random.float() * 2 - 1) * (policy.skewMsMax ?? 86_400_000);
        const objects = page.objects.map((object) => ({
          ...object,
          lastModifiedMs: Math.round(object.lastModifiedMs + skewMs),
        }));
        return { ...page, objects };
      }, signal),
    delete: (keys, signal) => withFaults(() => store.delete(keys, signal), signal),
    close: () => store.close(),
  };
}

function injected(fault: FaultName): LagoonError {
  return new LagoonError('unavailable', 'the store failed', { context: { fault } });
}

function isInjected(error: unknown): boolean {
  return error instanceof LagoonError && error.context.fault !== undefined;
}
