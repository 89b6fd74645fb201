import { alignUp, assert, invalidArgument } from '@lagoon/base';
import type { Arena, ArenaBlock, ScratchRegion } from './arena.ts';
import { classSize, createExtentHeap, type ExtentHeap, granule } from './extent-heap.ts';

export interface ArenaOptions {
  /** Bytes that all memories together may ever take. High-water: memory that was taken is never given back. */
  readonly budgetBytes: number;
  /** Bytes of one memory at most, below 4 GiB; a block is smaller than that. */
  readonly memoryBytesMax?: number;
  /** Bytes at the start of every memory that are never allocated: threads have their scratch regions there. Default 0. */
  readonly scratchBytes?: number;
}

const pageBytes = 64 * 1024;
const memoryBytesLimit = 4 * 1024 ** 3 - pageBytes;
/** A memory starts this small and grows by at least that, so an idle arena takes next to nothing. */
const growthBytesMin = 1024 ** 2;

/**
 * An arena whose memories are made and grown when a block needs them. One thread owns it.
 * A free range is reused before a memory grows, and neighbouring free ranges join at once.
 */
export function createArena(options: ArenaOptions): Arena {
  const { memoryBytesMax = 1024 ** 3, scratchBytes = 0 } = options;
  const scratch = { offset: granule, size: scratchBytes };
  const budgetBytes = Math.floor(options.budgetBytes / pageBytes) * pageBytes;
  if (!(memoryBytesMax >= growthBytesMin && memoryBytesMax <= memoryBytesLimit)) {
    throw invalidArgument('arena memories are of 1 MiB to just below 4 GiB', { memoryBytesMax });
  }
  if (!(budgetBytes >= growthBytesMin)) throw invalidArgument('arena budget is at least 1 MiB', { budgetBytes });
  const firstBytes = alignUp(granule + scratchBytes + granule, pageBytes);
  if (firstBytes > memoryBytesMax / 2) throw invalidArgument('scratch takes too much of a memory', { scratchBytes });
  const memories: WebAssembly.Memory[] = [];
  const regions: Region[] = [];
  const sizeByBlock = new WeakMap<ArenaBlock, number>();
  const memoryPagesMax = Math.floor(memoryBytesMax / pageBytes);
  const blockBytesMax = memoryPagesMax * pageBytes - blocksOffset(scratch);
  let allocatedBytes = 0;
  let reservedBytes = 0;

  const grow = (size: number): Region | undefined => {
    for (const region of regions) {
      const grown = region.grow(size, budgetBytes - reservedBytes);
      reservedBytes += grown;
      if (grown > 0) return region;
    }
    const budgetLeft = budgetBytes - reservedBytes - firstBytes;
    if (budgetLeft < 0 || size > budgetLeft + firstBytes - blocksOffset(scratch)) return undefined;
    // Where the system has no more memory for the last one, another would only take address space.
    if (regions.at(-1)?.isRefused === true) return undefined;
    const region = createRegion(memories.length, firstBytes / pageBytes, memoryPagesMax, scratch);
    memories.push(region.memory);
    regions.push(region);
    reservedBytes += firstBytes + region.grow(size, budgetLeft);
    return region;
  };

  return {
    memories,
    scratch,
    blockBytesMax,
    allocate: (size) => {
      assert(Number.isSafeInteger(size) && size >= 0, 'block size is a whole number of bytes');
      const taken = classSize(size);
      if (taken > blockBytesMax) return undefined;
      const block = takeFrom(regions, size, taken) ?? takeFrom(asList(grow(taken)), size, taken);
      if (block === undefined) return undefined;
      sizeByBlock.set(block, taken);
      allocatedBytes += taken;
      return block;
    },
    free: (block) => {
      const taken = sizeByBlock.get(block);
      const region = regions[block.memoryIndex];
      assert(taken !== undefined && region !== undefined, 'freed block is of this arena and was not freed before');
      sizeByBlock.delete(block);
      region.extents.give(block.offset, taken);
      allocatedBytes -= taken;
    },
    get usage() {
      return { allocatedBytes, reservedBytes, budgetBytes };
    },
  };
}

/** One memory and what is free in it. */
interface Region {
  readonly index: number;
  readonly memory: WebAssembly.Memory;
  readonly extents: ExtentHeap;
  /** Grows until `size` bytes are free at the end, by at most `bytesMax`; returns by how much, 0 when it cannot. */
  grow(size: number, bytesMax: number): number;
  /** Whether the system refused the last growth. */
  readonly isRefused: boolean;
}

/** Where blocks begin in a memory: offset 0 is nobody's, then comes the scratch. */
function blocksOffset(scratch: ScratchRegion): number {
  return alignUp(scratch.offset + scratch.size, granule);
}

function createRegion(index: number, pagesMin: number, pagesMax: number, scratch: ScratchRegion): Region {
  const memory = new WebAssembly.Memory({ initial: pagesMin, maximum: pagesMax, shared: true });
  const extents = createExtentHeap();
  extents.give(blocksOffset(scratch), pagesMin * pageBytes - blocksOffset(scratch));
  let isRefused = false;
  return {
    index,
    memory,
    extents,
    get isRefused() {
      return isRefused;
    },
    grow: (size, bytesMax) => {
      const present = memory.buffer.byteLength;
      const room = Math.min(bytesMax, pagesMax * pageBytes - present);
      const needed = size - extents.freeBefore(present);
      if (needed > room) return 0;
      const step = Math.max(needed, Math.min(growthBytesMin, room));
      const pages = Math.min(Math.ceil(step / pageBytes), Math.floor(room / pageBytes));
      if (pages * pageBytes < needed) return 0;
      isRefused = !tryGrow(memory, pages);
      if (isRefused) return 0;
      extents.give(present, pages * pageBytes);
      return pages * pageBytes;
    },
  };
}

/** False when the system has no more memory to give, which to callers is the same as a spent budget. */
function tryGrow(memory: WebAssembly.Memory, pages: number): boolean {
  try {
    memory.grow(pages);
    return true;
  } catch {
    return false; // a RangeError, the only one it throws
  }
}

function takeFrom(regions: readonly Region[], size: number, taken: number): ArenaBlock | undefined {
  for (const region of regions) {
    const offset = region.extents.take(taken);
    if (offset === undefined) continue;
    const bytes = new Uint8Array(region.memory.buffer, offset, size);
    return { memoryIndex: region.index, offset, size, bytes };
  }
  return undefined;
}

function asList<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}
