import { type Clock, createSemaphore, deadlineSignal, LagoonError, type Semaphore } from '@lagoon/base';
import type { QueryConfig } from './config.ts';

/** Bounds the queries of each namespace, so that one cannot take a node from the others. */
export interface QueryLimiter {
  /**
   * Runs when a place is free. `resource_exhausted` with reason `backpressure` when too many wait or it takes too long.
   */
  run<R>(namespace: string, task: () => Promise<R>, signal: AbortSignal): Promise<R>;
}

type Limits = Pick<QueryConfig, 'runningCountMax' | 'waitingCountMax' | 'waitMsMax'>;

export function createQueryLimiter(clock: Clock, limits: Limits): QueryLimiter {
  const semaphores = new Map<string, Semaphore>();
  const semaphoreOf = (namespace: string): Semaphore => {
    const present = semaphores.get(namespace);
    if (present !== undefined) return present;
    const semaphore = createSemaphore({
      name: 'queries of a namespace',
      permitCount: limits.runningCountMax,
      waitingCountMax: limits.waitingCountMax,
    });
    semaphores.set(namespace, semaphore);
    return semaphore;
  };
  const enter = async (semaphore: Semaphore, namespace: string, signal: AbortSignal): Promise<Disposable> => {
    if (semaphore.inUse < limits.runningCountMax) return semaphore.acquire(signal);
    using deadline = deadlineSignal(clock, limits.waitMsMax, signal);
    try {
      return await semaphore.acquire(deadline.signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw tooMany(namespace, semaphore, error);
    }
  };
  return {
    run: async (namespace, task, signal) => {
      const semaphore = semaphoreOf(namespace);
      try {
        using _permit = await enter(semaphore, namespace, signal);
        return await task();
      } finally {
        if (semaphore.inUse === 0 && semaphore.waiting === 0) semaphores.delete(namespace);
      }
    },
  };
}

function tooMany(namespace: string, semaphore: Semaphore, cause: unknown): LagoonError {
  return new LagoonError('resource_exhausted', 'too many queries of this namespace at once', {
    reason: 'backpressure',
    context: { namespace, running: semaphore.inUse, waiting: semaphore.waiting },
    retryAfterMs: 200,
    cause,
  });
}
