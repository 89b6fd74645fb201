/** Values by key, bounded by their bytes; the least recently used go first. */
export interface BytesLru<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, bytes: number): void;
  /** Forgets the values whose keys are meant. */
  purge(isMeant: (key: string) => boolean): void;
}

export function createBytesLru<V>(bytesMax: number): BytesLru<V> {
  const entries = new Map<string, { readonly value: V; readonly bytes: number }>(); // least recently used first
  let total = 0;
  const remove = (key: string): void => {
    total -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  };
  return {
    get: (key) => {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    purge: (isMeant) => {
      for (const key of [...entries.keys()]) if (isMeant(key)) remove(key);
    },
    set: (key, value, bytes) => {
      remove(key);
      if (bytes > bytesMax) return;
      entries.set(key, { value, bytes });
      total += bytes;
      for (const oldest of entries.keys()) {
        if (total <= bytesMax) return;
        remove(oldest);
      }
    },
  };
}
