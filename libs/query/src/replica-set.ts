import type { Replica } from './replica.ts';

/** Replicas by name, least recently used first; at most so many. */
export interface ReplicaSet {
  /** The replica of a name, made if absent; not put out while it is in use, until disposed of. */
  use(name: string): UsedReplica;
  /** Without making one or counting as a use. */
  peek(name: string): Replica | undefined;
  /** Puts the least recently used idle replica that is not kept out of memory; false where there is none. */
  evictOne(): boolean;
  /** Forgets a replica whose state cannot be trusted, if it is still the one of that name: the next use makes a new one. */
  drop(name: string, replica: Replica): void;
  /** Most recently used first. */
  readonly newestFirst: readonly Replica[];
  readonly count: number;
  dispose(): void;
}

export interface UsedReplica extends Disposable {
  readonly replica: Replica;
}

interface Entry {
  readonly replica: Replica;
  userCount: number;
}

/** `keep` says which replicas are not put out for others. */
export function createReplicaSet(
  make: (name: string) => Replica,
  countMax: number,
  keep: (newestFirst: readonly Replica[]) => ReadonlySet<Replica>,
): ReplicaSet {
  const entries = new Map<string, Entry>();
  const remove = (name: string, entry: Entry): void => {
    entries.delete(name);
    entry.replica.dispose();
  };
  const newestFirst = (): readonly Replica[] => [...entries.values()].map(({ replica }) => replica).reverse();
  const evictOne = (): boolean => {
    const kept = keep(newestFirst());
    for (const [name, entry] of entries) {
      if (entry.userCount > 0 || kept.has(entry.replica)) continue;
      remove(name, entry);
      return true;
    }
    return false;
  };
  return {
    get count() {
      return entries.size;
    },
    get newestFirst() {
      return newestFirst();
    },
    peek: (name) => entries.get(name)?.replica,
    evictOne,
    use: (name) => {
      const entry = entries.get(name) ?? { replica: make(name), userCount: 0 };
      entries.delete(name);
      entries.set(name, entry);
      entry.userCount++;
      while (entries.size > countMax && evictOne());
      let disposed = false;
      return {
        replica: entry.replica,
        [Symbol.dispose]: () => {
          if (!disposed) entry.userCount--;
          disposed = true;
        },
      };
    },
    drop: (name, replica) => {
      const entry = entries.get(name);
      if (entry?.replica === replica) remove(name, entry);
    },
    dispose: () => {
      for (const [name, entry] of entries) remove(name, entry);
    },
  };
}
