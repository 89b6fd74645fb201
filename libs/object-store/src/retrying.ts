import { type Clock, isLagoonError, type Random, type RetryOptions, retry } from '@lagoon/base';
import { streamedThrough } from './byte-source.ts';
import type { ObjectStore } from './object-store.ts';

export interface RetryingOptions {
  /** Default 5 attempts. */
  readonly attemptCountMax?: number;
  /** Default 50 ms. */
  readonly firstDelayMs?: number;
  /** Default 5,000 ms. */
  readonly delayMsMax?: number;
  readonly onRetry?: (verb: 'get' | 'put' | 'list' | 'delete', error: unknown, attempt: number) => void;
}

/**
 * Repeats `get`, `put`, `list` and `delete` with backoff while they fail with `unavailable`. Never `create`: a repeated create would
 * take its own first success for somebody else's.
 */
export function retrying(
  store: ObjectStore,
  deps: { readonly clock: Clock; readonly random: Random },
  options: RetryingOptions = {},
): ObjectStore {
  const attempts = (verb: 'get' | 'put' | 'list' | 'delete'): RetryOptions => ({
    attemptCountMax: options.attemptCountMax ?? 5,
    firstDelayMs: options.firstDelayMs ?? 50,
    delayMsMax: options.delayMsMax ?? 5_000,
    isRetryable: (error) => isLagoonError(error, 'unavailable'),
    onRetry: (error, attempt) => options.onRetry?.(verb, error, attempt),
  });
  const getOptions = attempts('get');
  const putOptions = attempts('put');
  const listOptions = attempts('list');
  const deleteOptions = attempts('delete');
  return {
    url: store.url,
    get: (key, request, signal) => retry(deps, getOptions, () => store.get(key, request, signal), signal),
    put: (key, bytes, signal) => retry(deps, putOptions, () => store.put(key, bytes, signal), signal),
    create: (key, bytes, signal) => store.create(key, bytes, signal),
    ...streamedThrough(store, (run) => run),
    list: (request, signal) => retry(deps, listOptions, () => store.list(request, signal), signal),
    delete: (keys, signal) => retry(deps, deleteOptions, () => store.delete(keys, signal), signal),
    close: () => store.close(),
  };
}
