/**
 * Time as a dependency. Everything that reads a clock or waits takes a `Clock`; only `systemClock` touches
 * the real one, and simulations hand in their own.
 */
export interface Clock {
  /** Milliseconds that only move forward, from an arbitrary origin; stops while the machine is suspended. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch by this machine's wall clock; may jump either way. */
  wallMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when it aborts first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `delayMs`. The timer does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** The only place in Lagoon that reads real time or sets real timers. */
export function createSystemClock(): Clock {
  return {
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
    sleep: (durationMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const onAbort = () => {
          clearTimeout(handle);
          reject(signal?.reason);
        };
        const handle = setTimeout(() => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        }, durationMs);
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    setTimer: (delayMs, callback) => {
      const handle = setTimeout(callback, delayMs);
      handle.unref();
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

/** A signal that aborts with a `TimeoutError` after `timeoutMs` of the given clock, or when `parent` does. */
export function deadlineSignal(clock: Clock, timeoutMs: number, parent?: AbortSignal): DeadlineSignal {
  const controller = new AbortController();
  const timer = clock.setTimer(timeoutMs, () => {
    controller.abort(new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError'));
  });
  const onParentAbort = () => controller.abort(parent?.reason);
  if (parent?.aborted) onParentAbort();
  else parent?.addEventListener('abort', onParentAbort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      timer.cancel();
      parent?.removeEventListener('abort', onParentAbort);
    },
  };
}

export interface DeadlineSignal extends Disposable {
  readonly signal: AbortSignal;
}
