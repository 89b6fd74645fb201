import type { ObjectStore, StoredObject } from '../object-store.ts';

/** Stores that break one promise each, to see that the check finds it. */
export const liars: Readonly<Record<string, (store: ObjectStore) => ObjectStore>> = {
  'ignores conditions': (store) => ({
    ...store,
    create: async (key, bytes, signal) => ({ outcome: 'created', ...(await store.put(key, bytes, signal)) }),
  }),
  'checks and writes in two steps': (store) => ({
    ...store,
    create: async (key, bytes, signal) => {
      const found = await store.get(key, {}, signal);
      if (found !== undefined) return { outcome: 'exists', storeTimeMs: undefined };
      return { outcome: 'created', ...(await store.put(key, bytes, signal)) };
    },
  }),
  'calls winners losers': (store) => ({
    ...store,
    create: async (key, bytes, signal) => {
      await store.create(key, bytes, signal);
      return { outcome: 'exists', storeTimeMs: undefined };
    },
  }),
  'lists late': (store) => {
    let previous: string[] = [];
    return {
      ...store,
      list: async (options, signal) => {
        const page = await store.list(options, signal);
        const known = previous;
        previous = page.objects.map((object) => object.key);
        return { ...page, objects: page.objects.filter((object) => known.includes(object.key)) };
      },
    };
  },
  'reads what was there before': (store) => {
    const seen = new Map<string, StoredObject | undefined>();
    return {
      ...store,
      get: async (key, options, signal) => {
        const present = await store.get(key, options, signal);
        const stale = seen.has(key) && options?.range === undefined ? seen.get(key) : present;
        seen.set(key, present);
        return stale;
      },
    };
  },
  'ignores ranges': (store) => ({ ...store, get: (key, _options, signal) => store.get(key, {}, signal) }),
  'mixes versions': (store) => ({
    ...store,
    put: async (key, bytes, signal) => {
      const old = await store.get(key, {}, signal);
      const mixed = bytes.slice();
      mixed.set((old?.bytes ?? mixed).subarray(0, mixed.length / 2), 0);
      if (bytes.length > 1000) await store.put(key, mixed, signal);
      await new Promise((resolve) => setTimeout(resolve, 1));
      return store.put(key, bytes, signal);
    },
  }),
  'forgets a page': (store) => ({
    ...store,
    list: async (options, signal) => {
      const page = await store.list(options, signal);
      return { ...page, objects: page.objects.filter((_, i) => i !== 5) };
    },
  }),
};
