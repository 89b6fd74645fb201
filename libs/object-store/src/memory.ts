import type { Clock } from '@lagoon/base';
import { checkKey, compareKeys, pageLimit, resolveRange } from './keys.ts';
import type { ListedObject, ObjectStore } from './object-store.ts';

export interface MemoryStoreOptions {
  /** Gives `storeTimeMs` and `lastModifiedMs`. */
  readonly clock: Pick<Clock, 'wallMs'>;
  /** Default `memory:`. */
  readonly url?: string;
}

interface Held {
  readonly bytes: Uint8Array;
  readonly lastModifiedMs: number;
}

/**
 * A store that lives and dies with the process: for tests, simulations and trying things out. Each verb takes effect in
 * the call itself, before its promise is returned, so runs under an injected clock are reproducible. Bytes are copied in and out.
 */
export function createMemoryStore(options: MemoryStoreOptions): ObjectStore {
  const { clock } = options;
  const objects = new Map<string, Held>();
  const keys: string[] = []; // of `objects`, in listing order
  const stamp = () => ({ storeTimeMs: clock.wallMs() });

  const write = (key: string, bytes: Uint8Array): void => {
    if (!objects.has(key)) keys.splice(lowerBound(keys, key), 0, key);
    objects.set(key, { bytes: bytes.slice(), lastModifiedMs: clock.wallMs() });
  };

  return {
    url: options.url ?? 'memory:',
    get: async (key, getOptions, signal) => {
      signal?.throwIfAborted();
      checkKey(key);
      const held = objects.get(key);
      getOptions?.onStamp?.(stamp());
      const { offset, length } = resolveRange(getOptions?.range, held?.bytes.byteLength ?? 0);
      if (held === undefined) return undefined;
      const bytes = held.bytes.slice(offset, offset + length);
      return { bytes, objectSize: held.bytes.byteLength, ...stamp() };
    },
    put: async (key, bytes, signal) => {
      signal?.throwIfAborted();
      checkKey(key);
      write(key, bytes);
      return stamp();
    },
    create: async (key, bytes, signal) => {
      signal?.throwIfAborted();
      checkKey(key);
      if (objects.has(key)) return { outcome: 'exists', ...stamp() };
      write(key, bytes);
      return { outcome: 'created', ...stamp() };
    },
    list: async (listOptions, signal) => {
      signal?.throwIfAborted();
      const limit = pageLimit(listOptions);
      const { prefix, startAfter } = listOptions;
      const page: ListedObject[] = [];
      let index = lowerBound(keys, prefix);
      if (startAfter !== undefined) index = Math.max(index, upperBound(keys, startAfter));
      for (; index < keys.length && page.length < limit; index++) {
        const key = keys[index] as string;
        if (!key.startsWith(prefix)) break;
        const held = objects.get(key) as Held;
        page.push({ key, size: held.bytes.byteLength, lastModifiedMs: held.lastModifiedMs });
      }
      return { objects: page, truncated: keys[index]?.startsWith(prefix) ?? false, ...stamp() };
    },
    delete: async (absent, signal) => {
      signal?.throwIfAborted();
      for (const key of absent) checkKey(key);
      for (const key of absent) {
        if (objects.delete(key)) keys.splice(lowerBound(keys, key), 1);
      }
      return stamp();
    },
    close: async () => {},
  };
}

/** Index of the first key not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(keys[middle] as string, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first key above `key`. */
function upperBound(keys: readonly string[], key: string): number {
  const index = lowerBound(keys, key);
  return keys[index] === key ? index + 1 : index;
}
