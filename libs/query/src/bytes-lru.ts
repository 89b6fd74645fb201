/** Values by key, bounded by their bytes; the least recently used go first. */
export interface BytesLru<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, bytes: number): void;
  /** Forgets the values whose keys are meant. */
  purge(isMeant: (key: string) => boolean): void;
}

/** In a ring, for a query looks up a dozen: a map whose order tells the oldest would be changed at each. */
interface Entry<V> {
  readonly key: string;
  readonly value: V;
  readonly bytes: number;
  older: Entry<V>;
  newer: Entry<V>;
}

type Links<V> = Pick<Entry<V>, 'older' | 'newer'>;

export function createBytesLru<V>(bytesMax: number): BytesLru<V> {
  const entries = new Map<string, Entry<V>>();
  /** Between the newest, which is older than it, and the oldest. */
  const head = {} as Entry<V>;
  head.older = head;
  head.newer = head;
  let total = 0;
  const unlink = ({ older, newer }: Links<V>): void => {
    older.newer = newer;
    newer.older = older;
  };
  const linkAsNewest = (entry: Entry<V>): void => {
    entry.older = head.older;
    entry.newer = head;
    entry.older.newer = entry;
    head.older = entry;
  };
  const remove = (entry: Entry<V>): void => {
    total -= entry.bytes;
    entries.delete(entry.key);
    unlink(entry);
  };
  return {
    get: (key) => {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (entry !== head.older) {
        unlink(entry);
        linkAsNewest(entry);
      }
      return entry.value;
    },
    purge: (isMeant) => {
      for (const entry of [...entries.values()]) if (isMeant(entry.key)) remove(entry);
    },
    set: (key, value, bytes) => {
      const known = entries.get(key);
      if (known !== undefined) remove(known);
      if (bytes > bytesMax) return;
      const entry: Entry<V> = { key, value, bytes, older: head, newer: head };
      entries.set(key, entry);
      linkAsNewest(entry);
      total += bytes;
      while (total > bytesMax) remove(head.newer);
    },
  };
}
