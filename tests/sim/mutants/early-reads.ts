import type { ListedObject, ListOptions, ListPage, ObjectStore } from '@lagoon/object-store';

/** Part of a mutant: what garbage collection needs to know, as it was read before a floor was written. */
export interface EarlyReads {
  /** Reads all records, pins and heads that there are. */
  read(nowMs: number, signal: AbortSignal | undefined): Promise<void>;
  /** Shows them, once the floor that was written behind them has stood; whatever else there is, as it is. */
  store(nowMs: number, graceMs: number): ObjectStore;
}

interface Reading {
  readonly atMs: number;
  readonly objects: readonly ListedObject[];
}

const isEarly = (key: string) => /^family\/|^ns\/[^/]+\/(log|pins)\//.test(key);

export function createEarlyReads(store: ObjectStore): EarlyReads {
  let readings: Reading[] = [];
  return {
    read: async (atMs, signal) => {
      const objects: ListedObject[] = [];
      for (const prefix of ['family/', 'ns/']) {
        const page = await store.list({ prefix, limit: 100_000 }, signal);
        objects.push(...page.objects.filter(({ key }) => isEarly(key)));
      }
      readings = [...readings, { atMs, objects }].slice(-10);
    },
    store: (nowMs, graceMs) => {
      const reading = readings.findLast(({ atMs }) => nowMs - atMs >= graceMs && nowMs - atMs < 6 * graceMs);
      return reading === undefined
        ? store
        : { ...store, list: (options, signal) => listEarly(store, reading, options, signal) };
    },
  };
}

async function listEarly(
  store: ObjectStore,
  reading: Reading,
  options: ListOptions,
  signal?: AbortSignal,
): Promise<ListPage> {
  const page = await store.list({ ...options, limit: 100_000 }, signal);
  const early = reading.objects.filter(({ key }) => key.startsWith(options.prefix));
  const objects = [...page.objects.filter(({ key }) => !isEarly(key)), ...early];
  return { ...page, objects: objects.sort((a, b) => (a.key < b.key ? -1 : 1)), truncated: false };
}
