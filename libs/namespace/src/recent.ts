/** The newest few values by key: a bounded cache that forgets the one that was set longest ago. */
export interface Recent<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
}

export function createRecent<V>(countMax: number): Recent<V> {
  const values = new Map<string, V>();
  return {
    get: (key) => values.get(key),
    set: (key, value) => {
      values.delete(key);
      values.set(key, value);
      const oldest = values.keys().next();
      if (values.size > countMax && !oldest.done) values.delete(oldest.value);
    },
  };
}
