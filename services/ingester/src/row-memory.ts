import { createHeapArena, type HeapArena, type HeapBudget } from './heap-arena.ts';

/** What holds rows and can let them go. */
export interface RowHolder {
  /** Nobody is reading or loading: it may be told to let go. */
  readonly isIdle: boolean;
  letGo(): void;
}

/** The memory for rows of all namespaces of a role, and who holds some, least recently used first. */
export interface RowMemory {
  readonly bytesMax: number;
  readonly bytesUsed: number;
  createArena(): HeapArena;
  used(holder: RowHolder): void;
  gone(holder: RowHolder): void;
  /** Makes the least recently used idle holder but this one let go; false where there is none. */
  evictOne(but: RowHolder): boolean;
}

export function createRowMemory(bytesMax: number): RowMemory {
  const budget: HeapBudget = { bytesMax, bytesUsed: 0 };
  const holders = new Set<RowHolder>();
  return {
    bytesMax,
    get bytesUsed() {
      return budget.bytesUsed;
    },
    createArena: () => createHeapArena(budget),
    used: (holder) => {
      holders.delete(holder);
      holders.add(holder);
    },
    gone: (holder) => void holders.delete(holder),
    evictOne: (but) => {
      for (const holder of holders) {
        if (holder === but || !holder.isIdle) continue;
        holders.delete(holder);
        holder.letGo();
        return true;
      }
      return false;
    },
  };
}
