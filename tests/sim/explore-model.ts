/** What namespaces and snapshots there are and what they hold: requests one after the other, nothing else. */
export interface ExploreModel {
  /** A write under a key; a key that the namespace knows changes nothing. Returns the status of the answer. */
  change(
    namespace: string,
    key: string,
    whenAbsent: 'born' | 'refused',
    edit: (rows: Map<number, number>) => void,
  ): number;
  end(namespace: string): number;
  branch(source: string, child: string, key: string): number;
  snapshot(namespace: string, name: string): number;
  restore(source: string, snapshot: string, child: string, key: string): number;
  /** `w` by id, sorted by id; undefined: no such namespace. */
  rowsOf(namespace: string): readonly (readonly [number, number])[] | undefined;
  clone(): ExploreModel;
}

interface Held {
  readonly rows: Map<number, number>;
  readonly keys: Set<string>;
}

export function createExploreModel(
  namespaces: ReadonlyMap<string, Held> = new Map(),
  snapshots: ReadonlyMap<string, ReadonlyMap<number, number>> = new Map(),
): ExploreModel {
  const held = new Map([...namespaces].map(([name, one]) => [name, copyOf(one)]));
  const pins = new Map(snapshots);
  const bear = (child: string, rows: ReadonlyMap<number, number>, key: string): number => {
    const present = held.get(child);
    if (present?.keys.has(key)) return 200;
    if (present !== undefined) return 400;
    held.set(child, { rows: new Map(rows), keys: new Set([key]) });
    return 200;
  };
  return {
    change: (namespace, key, whenAbsent, edit) => {
      const present = held.get(namespace);
      if (present?.keys.has(key)) return 200;
      if (present === undefined && whenAbsent === 'refused') return 404;
      const { rows, keys } = present ?? { rows: new Map<number, number>(), keys: new Set<string>() };
      edit(rows);
      keys.add(key);
      held.set(namespace, { rows, keys });
      return 200;
    },
    end: (namespace) => (held.delete(namespace) ? 200 : 404),
    branch: (source, child, key) => {
      if (held.get(child)?.keys.has(key)) return 200;
      const rows = held.get(source)?.rows;
      return rows === undefined ? 404 : bear(child, rows, key);
    },
    snapshot: (namespace, name) => {
      const rows = held.get(namespace)?.rows;
      if (rows === undefined) return 404;
      if (pins.has(`${namespace}/${name}`)) return 400;
      pins.set(`${namespace}/${name}`, new Map(rows));
      return 200;
    },
    restore: (source, snapshot, child, key) => {
      if (held.get(child)?.keys.has(key)) return 200;
      const rows = pins.get(`${source}/${snapshot}`);
      return rows === undefined ? 404 : bear(child, rows, key);
    },
    rowsOf: (namespace) => {
      const rows = held.get(namespace)?.rows;
      return rows === undefined ? undefined : [...rows].sort((a, b) => a[0] - b[0]);
    },
    clone: () => createExploreModel(held, pins),
  };
}

function copyOf({ rows, keys }: Held): Held {
  return { rows: new Map(rows), keys: new Set(keys) };
}
