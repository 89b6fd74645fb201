import type { Clock, Timer } from '@lagoon/base';
import { epochMs } from './actor.ts';

/** The part of time that all processes and the store share; an exploration moves it by hand, by hours. */
export interface SharedTime {
  nowMs: number;
}

/**
 * A simulated process of an exploration. Its own waits move only its own clock, so that when they end does not depend on what others do:
 * the order of store calls is all that an exploration has to enumerate.
 */
export interface Process {
  readonly name: string;
  readonly clock: Clock;
  readonly alive: boolean;
  /** Calls of it reach the store in the order in which they are sent, at once: for what is not explored. */
  isFree: boolean;
  /** Ends its earliest wait; false: it waits for nothing. */
  fireTimer(): boolean;
  /** Nothing of it runs from now on. */
  crash(): void;
}

export function createProcess(name: string, time: SharedTime): Process {
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  let ownMs = 0;
  let alive = true;
  const monotonicMs = () => time.nowMs + ownMs;
  const setTimer = (delayMs: number, callback: () => void): Timer => {
    const timer = { atMs: monotonicMs() + delayMs, callback };
    timers.add(timer);
    return { cancel: () => void timers.delete(timer) };
  };
  return {
    name,
    isFree: false,
    clock: {
      monotonicMs,
      wallMs: () => epochMs + monotonicMs(),
      setTimer,
      sleep: (durationMs, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason);
          const onAbort = (): void => {
            timer.cancel();
            reject(signal?.reason);
          };
          const timer = setTimer(durationMs, () => {
            signal?.removeEventListener('abort', onAbort);
            resolve();
          });
          signal?.addEventListener('abort', onAbort, { once: true });
        }),
    },
    get alive() {
      return alive;
    },
    fireTimer: () => {
      const [first, ...others] = timers;
      if (first === undefined || !alive) return false;
      const next = others.reduce((earliest, timer) => (timer.atMs < earliest.atMs ? timer : earliest), first);
      timers.delete(next);
      ownMs += Math.max(0, next.atMs - monotonicMs());
      next.callback();
      return true;
    },
    crash: () => {
      alive = false;
      timers.clear();
    },
  };
}

/** All microtasks, and those that they set off, run before a macrotask does. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
