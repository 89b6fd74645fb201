import { assert } from '@lagoon/base';

/**
 * Bookkeeping of one address range: two-level segregated fit (Masmano et al., TLSF, 2004) with the tags outside the range.
 *
 * Invariants:
 * - free extents never touch each other (they coalesce at once), so a fully freed range is one extent;
 * - an extent of size s lies in the list of the largest class ≤ s, and an allocation takes from the first list all of
 *   whose extents are large enough: both are O(1) and no list is searched;
 * - sizes are multiples of `granule`, rounded up to one of 32 classes per doubling: at most 1/32 is lost inside a block
 *   of 2 KiB or more, at most 63 bytes in a smaller one.
 */
export interface ExtentHeap {
  /** Start of `size` free bytes (a class size, see `classSize`), or undefined. */
  take(size: number): number | undefined;
  /** Returns what `take` or `extend` gave; `size` as it was. */
  give(start: number, size: number): void;
  /** Size of the free extent that ends at `end`, 0 when there is none. */
  freeBefore(end: number): number;
  readonly freeBytes: number;
  /** Largest size that `take` serves now is at least this. */
  readonly largestFreeBytes: number;
}

export const granule = 64;
const classesPerDoubling = 32;

/** The size that an allocation of `size` bytes occupies. */
export function classSize(size: number): number {
  const rounded = Math.max(granule, Math.ceil(size / granule) * granule);
  const step = stepOf(rounded);
  return Math.ceil(rounded / step) * step;
}

/** Distance between neighbouring classes at this size. */
function stepOf(size: number): number {
  return Math.max(granule, 2 ** Math.floor(Math.log2(size)) / classesPerDoubling);
}

/** Index of the largest class ≤ `size`; classes below 2 KiB are the multiples of the granule. */
function classIndex(size: number): number {
  const linearMax = granule * classesPerDoubling;
  if (size < linearMax) return size / granule;
  const doubling = Math.floor(Math.log2(size / linearMax));
  const step = (linearMax * 2 ** doubling) / classesPerDoubling;
  return classesPerDoubling * (doubling + 1) + Math.floor(size / step) - classesPerDoubling;
}

export function createExtentHeap(): ExtentHeap {
  const sizeByStart = new Map<number, number>();
  const startByEnd = new Map<number, number>();
  const lists: Set<number>[] = [];
  let freeBytes = 0;

  const listAt = (index: number): Set<number> => {
    while (lists.length <= index) lists.push(new Set());
    return lists[index] as Set<number>;
  };
  const add = (start: number, size: number) => {
    sizeByStart.set(start, size);
    startByEnd.set(start + size, start);
    listAt(classIndex(size)).add(start);
    freeBytes += size;
  };
  const remove = (start: number): number => {
    const size = sizeByStart.get(start);
    assert(size !== undefined, 'extent is free');
    sizeByStart.delete(start);
    startByEnd.delete(start + size);
    listAt(classIndex(size)).delete(start);
    freeBytes -= size;
    return size;
  };

  return {
    take: (size) => {
      for (let index = classIndex(size); index < lists.length; index++) {
        const list = lists[index] as Set<number>;
        if (list.size === 0) continue;
        const [start] = list;
        assert(start !== undefined, 'a list that is not empty has a first extent');
        const found = remove(start);
        if (found > size) add(start + size, found - size);
        return start;
      }
      return undefined;
    },
    give: (start, size) => {
      let from = start;
      let to = start + size;
      const before = startByEnd.get(from);
      if (before !== undefined) {
        remove(before);
        from = before;
      }
      const after = sizeByStart.get(to);
      if (after !== undefined) {
        remove(to);
        to += after;
      }
      add(from, to - from);
    },
    freeBefore: (end) => {
      const start = startByEnd.get(end);
      return start === undefined ? 0 : end - start;
    },
    get freeBytes() {
      return freeBytes;
    },
    get largestFreeBytes() {
      let largest = 0;
      for (const size of sizeByStart.values()) largest = Math.max(largest, size);
      return largest;
    },
  };
}
