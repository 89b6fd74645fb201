import type { Clock, Random } from '@lagoon/base';
import { streamedThrough } from './byte-source.ts';
import type { ObjectStore } from './object-store.ts';

/** How long a request takes: `baseMs` + `perMiBMs` for each MiB of its body + uniform in [0, `jitterMs`). */
export interface LatencyOfVerb {
  readonly baseMs: number;
  readonly perMiBMs?: number;
  readonly jitterMs?: number;
}

export interface LatencyModel {
  readonly get?: LatencyOfVerb;
  readonly put?: LatencyOfVerb;
  readonly create?: LatencyOfVerb;
  readonly list?: LatencyOfVerb;
  readonly delete?: LatencyOfVerb;
}

const bytesPerMiB = 1 << 20;

/**
 * A store that answers as late as a far one, by the injected clock. The effect takes place half-way: a request aborted in the second
 * half has been applied, as over a real network. Verbs without an entry are passed on at once.
 */
export function latencyModel(
  store: ObjectStore,
  deps: { readonly clock: Pick<Clock, 'sleep'>; readonly random: Random },
  model: LatencyModel,
): ObjectStore {
  const { clock, random } = deps;

  const delayed = async <R>(
    latency: LatencyOfVerb | undefined,
    sentBytes: number,
    run: () => Promise<R>,
    receivedBytes: (result: R) => number,
    signal: AbortSignal | undefined,
  ): Promise<R> => {
    if (latency === undefined) return run();
    const { baseMs, perMiBMs = 0, jitterMs = 0 } = latency;
    const halfMs = (baseMs + (jitterMs === 0 ? 0 : random.float() * jitterMs)) / 2;
    await clock.sleep(halfMs + (perMiBMs * sentBytes) / bytesPerMiB, signal);
    const result = await run();
    await clock.sleep(halfMs + (perMiBMs * receivedBytes(result)) / bytesPerMiB, signal);
    return result;
  };
  const none = () => 0;

  return {
    url: store.url,
    get: (key, options, signal) =>
      delayed(
        model.get,
        0,
        () => store.get(key, options, signal),
        (object) => object?.bytes.byteLength ?? 0,
        signal,
      ),
    put: (key, bytes, signal) =>
      delayed(model.put, bytes.byteLength, () => store.put(key, bytes, signal), none, signal),
    create: (key, bytes, signal) =>
      delayed(model.create, bytes.byteLength, () => store.create(key, bytes, signal), none, signal),
    ...streamedThrough(
      store,
      (run) => (key, source, signal) =>
        delayed(model.create, source.byteLength, () => run(key, source, signal), none, signal),
    ),
    list: (options, signal) => delayed(model.list, 0, () => store.list(options, signal), none, signal),
    delete: (keys, signal) => delayed(model.delete, 0, () => store.delete(keys, signal), none, signal),
    close: () => store.close(),
  };
}
