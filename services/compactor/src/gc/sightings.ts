import type { Clock } from '@lagoon/base';
import { gcGraceMsMin } from './gc-config.ts';

/**
 * What this process has seen as garbage, since when. Ripe is what two passes saw and what has been garbage for the grace by the store's
 * own times; and, besides, for ten minutes on this process's monotonic clock: a store whose times are wrong may delay a deletion, never
 * cause one.
 */
export interface Sightings {
  /** A pass over a scope has seen exactly these keys; others of the scope are forgotten. */
  saw(scope: string, keys: Iterable<string>, storeNowMs: number): void;
  isRipe(scope: string, key: string, storeNowMs: number): boolean;
  /** Notes a key that is not garbage by itself (a floor); how long it has been known, in ms of the monotonic clock. */
  knownMs(key: string): number;
  readonly count: number;
}

interface Sighting {
  readonly firstMonotonicMs: number;
  readonly firstStoreMs: number;
  readonly passCount: number;
}

export function createSightings(clock: Clock, graceMs: number, countMax: number): Sightings {
  const scopes = new Map<string, Map<string, Sighting>>();
  const known = new Map<string, number>();
  let count = 0;
  return {
    saw: (scope, keys, storeNowMs) => {
      const before = scopes.get(scope) ?? new Map<string, Sighting>();
      count -= before.size;
      const after = new Map<string, Sighting>();
      for (const key of keys) {
        const earlier = before.get(key);
        if (earlier !== undefined) after.set(key, { ...earlier, passCount: earlier.passCount + 1 });
        else if (count + after.size < countMax) {
          after.set(key, { firstMonotonicMs: clock.monotonicMs(), firstStoreMs: storeNowMs, passCount: 1 });
        }
      }
      count += after.size;
      if (after.size === 0) scopes.delete(scope);
      else scopes.set(scope, after);
    },
    isRipe: (scope, key, storeNowMs) => {
      const sighting = scopes.get(scope)?.get(key);
      return (
        sighting !== undefined &&
        sighting.passCount >= 2 &&
        clock.monotonicMs() - sighting.firstMonotonicMs >= gcGraceMsMin &&
        storeNowMs - sighting.firstStoreMs >= graceMs
      );
    },
    knownMs: (key) => {
      const since = known.get(key);
      if (since !== undefined) return clock.monotonicMs() - since;
      if (known.size >= countMax) known.clear(); // delays, nothing else
      known.set(key, clock.monotonicMs());
      return 0;
    },
    get count() {
      return count;
    },
  };
}
