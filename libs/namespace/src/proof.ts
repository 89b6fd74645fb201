import type { Clock } from '@lagoon/base';
import type { Stamp } from '@lagoon/object-store';
import type { Proof } from './view.ts';

/**
 * How long a floor check holds. GC lets a floor stand for at least ten minutes before it deletes below it, so within
 * this time after a check nothing above the floor that it saw can have gone.
 */
export const proofMsMax = 30_000;

/** The three clocks of a process: its own two, and the store's as its answers tell it. */
export interface TimeKeeper {
  /** Now, with the newest time that the store has told. */
  now(): Proof;
  /** Takes note of an answer's stamp; returns now, after it. */
  answered(stamp: Stamp | undefined): Proof;
  /** The store's time now, as well as it is known: its last stamp and what passed since; the wall clock without one. */
  storeTimeMs(): number;
}

export function createTimeKeeper(clock: Clock): TimeKeeper {
  let last: Proof | undefined;
  const now = (): Proof => ({
    monotonicMs: clock.monotonicMs(),
    wallMs: clock.wallMs(),
    storeTimeMs: last?.storeTimeMs,
  });
  return {
    now,
    answered: (stamp) => {
      if (stamp?.storeTimeMs !== undefined) last = { ...now(), storeTimeMs: stamp.storeTimeMs };
      return now();
    },
    storeTimeMs: () => {
      if (last?.storeTimeMs === undefined) return clock.wallMs();
      const sinceMs = Math.max(0, clock.monotonicMs() - last.monotonicMs, clock.wallMs() - last.wallMs);
      return last.storeTimeMs + sinceMs;
    },
  };
}

/** The largest of what the clocks say: a machine that was suspended stops some of them, never all three. */
export function elapsedMs(from: Proof, to: Proof): number {
  const byStore =
    from.storeTimeMs === undefined || to.storeTimeMs === undefined ? 0 : to.storeTimeMs - from.storeTimeMs;
  return Math.max(to.monotonicMs - from.monotonicMs, to.wallMs - from.wallMs, byStore);
}

export function isProven(proof: Proof | undefined, at: Proof): boolean {
  return proof !== undefined && elapsedMs(proof, at) <= proofMsMax;
}

/** A proof by an answer: true from when the request was sent, by the store's own time where the answer has one. */
export function proofBy(sent: Proof, stamp: Stamp | undefined): Proof {
  return stamp?.storeTimeMs === undefined ? sent : { ...sent, storeTimeMs: stamp.storeTimeMs };
}
