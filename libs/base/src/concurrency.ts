import { LagoonError } from './errors.ts';

/**
 * Runs `task` over the items, at most `concurrencyMax` at a time; results in the order of the items.
 * The first failure aborts the others' signal, waits for them to settle and is thrown.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  concurrencyMax: number,
  task: (item: T, index: number, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  if (items.length === 0) return [];
  if (items.length === 1) {
    // linking signals is dear, and there are no others to abort
    signal?.throwIfAborted();
    return [await task(items[0] as T, 0, signal ?? new AbortController().signal)];
  }
  const controller = new AbortController();
  const linked = signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]);
  const results = new Array<R>(items.length);
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const index = next++;
      try {
        linked.throwIfAborted();
        results[index] = await task(items[index] as T, index, linked);
      } catch (error) {
        failure ??= { error };
        controller.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrencyMax, items.length) }, worker));
  if (failure !== undefined) throw failure.error;
  return results;
}

/** Waits for all, so that nothing is under way any more when it fails: with the first failure in their order. */
export async function settleAll<T extends readonly unknown[]>(
  promises: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  if (promises.length === 1) return await Promise.all(promises); // costs less, and there are no others
  const settled = await Promise.allSettled(promises);
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  }) as { -readonly [K in keyof T]: Awaited<T[K]> };
}

/** A counting semaphore with a bounded queue: a caller past both bounds gets `resource_exhausted` at once. */
export interface Semaphore {
  /** Waits for a permit; dispose of it to give it back. */
  acquire(signal?: AbortSignal): Promise<Disposable>;
  readonly inUse: number;
  readonly waiting: number;
}

export interface SemaphoreOptions {
  readonly name: string;
  readonly permitCount: number;
  readonly waitingCountMax: number;
}

export function createSemaphore(options: SemaphoreOptions): Semaphore {
  let inUse = 0;
  const queue: Array<() => void> = [];
  const permit = (): Disposable => {
    let released = false;
    return {
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        const next = queue.shift();
        if (next === undefined) inUse--;
        else next(); // the permit moves on; inUse stays
      },
    };
  };
  return {
    get inUse() {
      return inUse;
    },
    get waiting() {
      return queue.length;
    },
    acquire: async (signal) => {
      signal?.throwIfAborted();
      if (inUse < options.permitCount) {
        inUse++;
        return permit();
      }
      if (queue.length >= options.waitingCountMax) {
        throw new LagoonError('resource_exhausted', `too many waiting for ${options.name}`, {
          context: { running: inUse, waiting: queue.length },
          retryAfterMs: 100,
        });
      }
      await new Promise<void>((resolve, reject) => {
        const grant = () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        };
        const onAbort = () => {
          queue.splice(queue.indexOf(grant), 1);
          reject(signal?.reason);
        };
        queue.push(grant);
        signal?.addEventListener('abort', onAbort, { once: true });
      });
      return permit();
    },
  };
}

/** Joins callers that ask for the same key while one call is under way: one runs, all get its outcome. */
export function createSingleFlight<R>(): (key: string, run: () => Promise<R>) => Promise<R> {
  const running = new Map<string, Promise<R>>();
  return (key, run) => {
    const present = running.get(key);
    if (present !== undefined) return present;
    const started = run().finally(() => running.delete(key));
    running.set(key, started);
    return started;
  };
}
