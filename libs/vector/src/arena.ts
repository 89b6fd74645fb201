/**
 * Memory for cached blocks: shared WebAssembly memories that kernels of every thread read in place.
 * Only the owner thread allocates and frees; workers get `memories` and locations and only read blocks.
 */
export interface Arena {
  /** Shared memories, each of at most `memoryBytesMax`; grows as blocks need it. Position = `memoryIndex`. */
  readonly memories: readonly WebAssembly.Memory[];
  /** The same region of every memory, never part of a block: cut up among the threads that run kernels. */
  readonly scratch: ScratchRegion;
  /** Largest block that can be had at all, whatever the budget. */
  readonly blockBytesMax: number;
  /** A block of at least `size` bytes, 64-byte aligned, content undefined; `undefined` when the budget does not allow it. */
  allocate(size: number): ArenaBlock | undefined;
  free(block: ArenaBlock): void;
  /** Bytes of size classes handed out, and bytes ever taken from the system (high-water: never given back). */
  readonly usage: { readonly allocatedBytes: number; readonly reservedBytes: number; readonly budgetBytes: number };
}

export interface ArenaBlock {
  readonly memoryIndex: number;
  readonly offset: number;
  /** As asked; the size class may be larger. */
  readonly size: number;
  /** View of exactly `size` bytes. */
  readonly bytes: Uint8Array;
}

/** Memory that belongs to one kernel instance alone: the query and the heap of a scan live there. 16-byte aligned. */
export interface ScratchRegion {
  readonly offset: number;
  readonly size: number;
}
