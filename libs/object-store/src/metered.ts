import { type Clock, isLagoonError, type Metrics, noMetrics } from '@lagoon/base';
import { streamedThrough } from './byte-source.ts';
import { type ObjectStore, pageSizeMax } from './object-store.ts';

/** Requests by verb as a store bills them (a delete of 2,500 keys is 3), and bytes of bodies. */
export interface StoreCounts {
  readonly get: number;
  readonly put: number;
  readonly create: number;
  readonly list: number;
  readonly delete: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export interface MeteredStore extends ObjectStore {
  /** The counts since the start or the last `reset`. */
  snapshot(): StoreCounts;
  reset(): void;
}

type Verb = 'get' | 'put' | 'create' | 'list' | 'delete';

const zero: StoreCounts = { get: 0, put: 0, create: 0, list: 0, delete: 0, bytesRead: 0, bytesWritten: 0 };
const secondBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * Counts what really goes to the store, so it belongs below every cache and retry. Requests count when they are sent, also those that
 * fail; read bytes when they arrive.
 *
 * Metrics: `lagoon_store_requests_total{verb,outcome}`, `lagoon_store_bytes_total{direction}`, `lagoon_store_request_seconds{verb}`.
 * The outcome is `ok`, an error's code, or that of a create.
 */
export function metered(
  store: ObjectStore,
  deps: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly metrics?: Metrics },
): MeteredStore {
  const { clock, metrics = noMetrics } = deps;
  const requests = metrics.counter('lagoon_store_requests_total', 'Requests to the object store.', ['verb', 'outcome']);
  const bytes = metrics.counter('lagoon_store_bytes_total', 'Bytes of object bodies.', ['direction']);
  const seconds = metrics.histogram('lagoon_store_request_seconds', 'Time of a request.', secondBuckets, ['verb']);
  let counts = { ...zero };

  const timed = async <R>(verb: Verb, run: () => Promise<R>, outcomeOf: (result: R) => string): Promise<R> => {
    const startMs = clock.monotonicMs();
    let outcome = 'aborted';
    try {
      const result = await run();
      outcome = outcomeOf(result);
      return result;
    } catch (error) {
      if (isLagoonError(error)) outcome = error.code;
      throw error;
    } finally {
      seconds.observe((clock.monotonicMs() - startMs) / 1000, { verb });
      requests.add(1, { verb, outcome });
    }
  };
  const ok = () => 'ok';
  const wrote = (size: number): void => {
    counts.bytesWritten += size;
    bytes.add(size, { direction: 'written' });
  };

  return {
    url: store.url,
    snapshot: () => ({ ...counts }),
    reset: () => {
      counts = { ...zero };
    },
    get: async (key, options, signal) => {
      counts.get++;
      const object = await timed('get', () => store.get(key, options, signal), ok);
      counts.bytesRead += object?.bytes.byteLength ?? 0;
      bytes.add(object?.bytes.byteLength ?? 0, { direction: 'read' });
      return object;
    },
    put: (key, body, signal) => {
      counts.put++;
      wrote(body.byteLength);
      return timed('put', () => store.put(key, body, signal), ok);
    },
    create: (key, body, signal) => {
      counts.create++;
      wrote(body.byteLength);
      return timed(
        'create',
        () => store.create(key, body, signal),
        (result) => result.outcome,
      );
    },
    ...streamedThrough(store, (run) => (key, source, signal) => {
      counts.create++;
      wrote(source.byteLength);
      return timed(
        'create',
        () => run(key, source, signal),
        (result) => result.outcome,
      );
    }),
    list: (options, signal) => {
      counts.list++;
      return timed('list', () => store.list(options, signal), ok);
    },
    delete: (keys, signal) => {
      counts.delete += Math.ceil(keys.length / pageSizeMax);
      return timed('delete', () => store.delete(keys, signal), ok);
    },
    close: () => store.close(),
  };
}
