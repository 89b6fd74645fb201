/**
 * A bounded max-heap of (distance, row) entries in linear memory: its top is the worst entry kept.
 *
 * An entry is one u64: the distance's bits made sortable in the high half, the row in the low half, so one integer
 * comparison orders by (distance, row). Distances are never -0 (see distance.ts), so equal distances have equal bits.
 */

/** Bits of a float such that unsigned order of the bits is the order of the floats. */
// @ts-ignore: decorator
@inline
function sortableBits(distance: f32): u32 {
  const bits = reinterpret<u32>(distance);
  return bits ^ (<u32>(<i32>bits >> 31) | 0x80000000);
}

// @ts-ignore: decorator
@inline
function floatOfSortableBits(sortable: u32): u32 {
  return sortable ^ (~<u32>(<i32>sortable >> 31) | 0x80000000);
}

// @ts-ignore: decorator
@inline
export function entryOf(distance: f32, row: u32): u64 {
  return (<u64>sortableBits(distance) << 32) | <u64>row;
}

// @ts-ignore: decorator
@inline
export function entryDistance(entry: u64): f32 {
  return reinterpret<f32>(floatOfSortableBits(<u32>(entry >> 32)));
}

/** Adds an entry to a heap that holds `count` < k entries. */
export function heapPush(heap: usize, count: u32, entry: u64): void {
  let slot = count;
  while (slot > 0) {
    const parent = (slot - 1) >> 1;
    const above = load<u64>(heap + (<usize>parent << 3));
    if (above >= entry) break;
    store<u64>(heap + (<usize>slot << 3), above);
    slot = parent;
  }
  store<u64>(heap + (<usize>slot << 3), entry);
}

/** Replaces the top of a heap of `count` entries. */
export function heapReplaceTop(heap: usize, count: u32, entry: u64): void {
  let slot: u32 = 0;
  while (true) {
    let child = slot * 2 + 1;
    if (child >= count) break;
    let below = load<u64>(heap + (<usize>child << 3));
    if (child + 1 < count) {
      const right = load<u64>(heap + (<usize>(child + 1) << 3));
      if (right > below) {
        below = right;
        child++;
      }
    }
    if (below <= entry) break;
    store<u64>(heap + (<usize>slot << 3), below);
    slot = child;
  }
  store<u64>(heap + (<usize>slot << 3), entry);
}

/** Turns a heap into (row u32, distance f32) pairs in ascending order, in place. */
export function heapFinish(heap: usize, count: u32): void {
  let left = count;
  while (left > 1) {
    left--;
    const last = load<u64>(heap + (<usize>left << 3));
    store<u64>(heap + (<usize>left << 3), load<u64>(heap));
    heapReplaceTop(heap, left, last);
  }
  for (let i: u32 = 0; i < count; i++) {
    const at = heap + (<usize>i << 3);
    const entry = load<u64>(at);
    store<u32>(at, <u32>entry);
    store<f32>(at, entryDistance(entry), 4);
  }
}
