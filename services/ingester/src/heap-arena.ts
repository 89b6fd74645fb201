import type { Arena, ArenaBlock } from '@lagoon/vector';

/**
 * Memory for blocks that no kernel reads: ordinary buffers, so that what is let go goes back to the system. A block stays valid
 * as long as anybody refers to it, also after it was freed.
 */
export interface HeapArena extends Arena {
  /** Gives everything back to the budget. */
  close(): void;
}

/** Bytes that all arenas of a process share. */
export interface HeapBudget {
  readonly bytesMax: number;
  bytesUsed: number;
}

export function createHeapArena(budget: HeapBudget): HeapArena {
  let allocatedBytes = 0;
  const take = (bytes: number): void => {
    allocatedBytes += bytes;
    budget.bytesUsed += bytes;
  };
  return {
    memories: [],
    scratch: { offset: 0, size: 0 },
    blockBytesMax: budget.bytesMax,
    allocate: (size): ArenaBlock | undefined => {
      if (budget.bytesUsed + size > budget.bytesMax) return undefined;
      take(size);
      return { memoryIndex: 0, offset: 0, size, bytes: new Uint8Array(size) };
    },
    free: ({ size }) => take(-size),
    get usage() {
      return { allocatedBytes, reservedBytes: allocatedBytes, budgetBytes: budget.bytesMax };
    },
    close: () => take(-allocatedBytes),
  };
}
