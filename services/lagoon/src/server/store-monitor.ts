import { type Clock, deadlineSignal, type Log, type Timer, toLagoonError } from '@lagoon/base';
import { clusterKey } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { Readiness } from './readiness.ts';

const intervalMs = 10_000;
/** After a failure, so that a second one and the store's return are noticed soon. */
const failingIntervalMs = 1_000;
const timeoutMs = 5_000;
/** One failure may be bad luck. */
const failureCountMin = 2;

/** Asks the store for lagoon.json now and then, so that readiness can say at once whether the store answers. */
export function startStoreMonitor(deps: {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: ObjectStore;
  readonly readiness: Readiness;
}): { close(): Promise<void> } {
  const closing = new AbortController();
  let failureCount = 0;
  let running = Promise.resolve();
  let timer: Timer;

  const probe = async (): Promise<void> => {
    using deadline = deadlineSignal(deps.clock, timeoutMs, closing.signal);
    try {
      await deps.store.get(clusterKey, undefined, deadline.signal);
      if (failureCount >= failureCountMin) deps.log.info('the store answers again');
      failureCount = 0;
      deps.readiness.setStoreFailure(undefined);
    } catch (error) {
      if (closing.signal.aborted) return;
      failureCount++;
      if (failureCount < failureCountMin) return;
      const failure = toLagoonError(error);
      deps.readiness.setStoreFailure(failure.code);
      if (failureCount === failureCountMin) deps.log.warn('the store fails', { error: failure });
    }
  };
  const schedule = (): void => {
    timer = deps.clock.setTimer(failureCount === 0 ? intervalMs : failingIntervalMs, () => {
      running = probe().finally(() => {
        if (!closing.signal.aborted) schedule();
      });
    });
  };
  schedule();
  return {
    close: async () => {
      closing.abort();
      timer.cancel();
      await running;
    },
  };
}
