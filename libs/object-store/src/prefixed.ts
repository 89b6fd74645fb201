import { streamedThrough } from './byte-source.ts';
import { checkKey } from './keys.ts';
import type { ObjectStore } from './object-store.ts';

/** The part of a store below a prefix, usually ending in `/`, as a store of its own. */
export function prefixed(store: ObjectStore, prefix: string): ObjectStore {
  const full = (key: string): string => {
    checkKey(key);
    return prefix + key;
  };
  return {
    url: `${store.url.replace(/\/$/, '')}/${prefix}`,
    get: async (key, options, signal) => store.get(full(key), options, signal),
    put: async (key, bytes, signal) => store.put(full(key), bytes, signal),
    create: async (key, bytes, signal) => store.create(full(key), bytes, signal),
    ...streamedThrough(store, (run) => async (key, source, signal) => run(full(key), source, signal)),
    list: async (options, signal) => {
      const startAfter = options.startAfter === undefined ? {} : { startAfter: prefix + options.startAfter };
      const page = await store.list({ ...options, prefix: prefix + options.prefix, ...startAfter }, signal);
      return { ...page, objects: page.objects.map((object) => ({ ...object, key: object.key.slice(prefix.length) })) };
    },
    delete: async (keys, signal) => store.delete(keys.map(full), signal),
    close: () => store.close(),
  };
}
