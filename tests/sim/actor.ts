import type { Clock } from '@lagoon/base';
import type { Scheduler } from './scheduler.ts';

/**
 * A simulated process. Whatever reaches it from outside (a store's answer, a message, a timer) comes through `deliver`, so that it can
 * be dead, stopped or suspended at any await: a dead one never runs again, a stopped one runs later.
 */
export interface Actor {
  readonly name: string;
  readonly clock: Clock;
  readonly alive: boolean;
  deliver(action: () => void): void;
  /** Nothing of it runs from now on; what it has on the way to the store may still arrive there. */
  crash(): void;
  /** SIGSTOP for so long: its clocks go on. */
  pause(durationMs: number): void;
  /** The machine sleeps for so long: its monotonic clock stands still. */
  suspend(durationMs: number): void;
  onCrash(action: () => void): void;
}

export function createActor(scheduler: Scheduler, name: string, wallSkewMs: number): Actor {
  let alive = true;
  let stoppedUntilMs = 0;
  let suspendedMs = 0;
  const crashActions: Array<() => void> = [];
  const monotonicMs = () => scheduler.nowMs - suspendedMs;

  const deliver = (action: () => void): void => {
    if (!alive) return;
    if (stoppedUntilMs - scheduler.nowMs > resolutionMs)
      scheduler.schedule(stoppedUntilMs - scheduler.nowMs, () => deliver(action));
    else action();
  };

  const setTimer = (delayMs: number, callback: () => void) => {
    const atMs = monotonicMs() + delayMs;
    let cancelled = false;
    const fire = (): void => {
      if (cancelled || !alive) return;
      const leftMs = atMs - monotonicMs();
      if (leftMs > resolutionMs)
        scheduler.schedule(leftMs, fire); // the monotonic clock stood still meanwhile
      else deliver(() => (cancelled ? undefined : callback()));
    };
    scheduler.schedule(delayMs, fire);
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  };

  const clock: Clock = {
    monotonicMs,
    wallMs: () => epochMs + scheduler.nowMs + wallSkewMs,
    setTimer,
    sleep: (durationMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          timer.cancel();
          reject(signal?.reason);
        };
        const timer = setTimer(durationMs, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
  };

  return {
    name,
    clock,
    get alive() {
      return alive;
    },
    deliver,
    crash: () => {
      alive = false;
      for (const action of crashActions) action();
    },
    pause: (durationMs) => {
      stoppedUntilMs = Math.max(stoppedUntilMs, scheduler.nowMs + durationMs);
    },
    suspend: (durationMs) => {
      stoppedUntilMs = Math.max(stoppedUntilMs, scheduler.nowMs + durationMs);
      suspendedMs += durationMs;
    },
    onCrash: (action) => crashActions.push(action),
  };
}

/** Shorter differences of times are rounding. */
const resolutionMs = 1e-6;

/** Where simulated wall clocks begin: 2026-01-01T00:00:00Z. */
export const epochMs = 1_767_225_600_000;
