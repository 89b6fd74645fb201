import type { Clock } from './clock.ts';
import { isLagoonError } from './errors.ts';
import type { Random } from './random.ts';

export interface RetryOptions {
  /** Tries in all, the first included. */
  readonly attemptCountMax: number;
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  readonly isRetryable?: (error: unknown) => boolean;
  readonly onRetry?: (error: unknown, attempt: number) => void;
}

/** Exponential backoff with full jitter: waits uniform in [0, min(delayMsMax, firstDelayMs · 2^attempt)). */
export async function retry<R>(
  deps: { readonly clock: Clock; readonly random: Random },
  options: RetryOptions,
  attempt: (index: number) => Promise<R>,
  signal?: AbortSignal,
): Promise<R> {
  const isRetryable = options.isRetryable ?? ((error: unknown) => isLagoonError(error, 'unavailable'));
  for (let index = 0; ; index++) {
    try {
      return await attempt(index);
    } catch (error) {
      if (index + 1 >= options.attemptCountMax || !isRetryable(error)) throw error;
      options.onRetry?.(error, index);
      await deps.clock.sleep(backoffMs(deps.random, options, index), signal);
    }
  }
}

export function backoffMs(
  random: Random,
  options: Pick<RetryOptions, 'firstDelayMs' | 'delayMsMax'>,
  index: number,
): number {
  return random.float() * Math.min(options.delayMsMax, options.firstDelayMs * 2 ** index);
}
