import type { Clock } from '@lagoon/base';
import { type IdempotencyPartReference, isOldByAnyClock } from '@lagoon/namespace';

/**
 * Since when this process has seen each part of idempotency tables, on its own monotonic clock. Times of other processes decide nothing: a part
 * is expired when it was seen here for the whole keep time. Forgetting a sighting, also by a restart, keeps a part longer.
 */
export interface PartSightings {
  /** Monotonic time of the first sighting; that is now, where there was none. */
  sinceMs(part: IdempotencyPartReference): number;
  /** A part written here, all of whose records were seen by `sinceMs`. */
  made(part: IdempotencyPartReference, sinceMs: number): void;
  isExpired(part: IdempotencyPartReference): boolean;
}

const sightingCountMax = 100_000;

export function createPartSightings(clock: Clock, keepMs: number): PartSightings {
  const since = new Map<string, number>();

  const note = (key: string, atMs: number): number => {
    since.set(key, atMs);
    const oldest = since.keys().next();
    if (since.size > sightingCountMax && !oldest.done) since.delete(oldest.value);
    return atMs;
  };
  const sinceMs = ({ object }: IdempotencyPartReference): number =>
    since.get(object.key) ?? note(object.key, clock.monotonicMs());

  return {
    sinceMs,
    made: ({ object }, atMs) => void note(object.key, atMs),
    isExpired: (part) =>
      clock.monotonicMs() - sinceMs(part) > keepMs || isOldByAnyClock(part.writtenAtMsMax, clock.wallMs(), keepMs),
  };
}
