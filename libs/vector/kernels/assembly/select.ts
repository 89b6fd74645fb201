/**
 * The best entries of a scan in a buffer that is cut back to the k best whenever it is full (a reservoir): adding is one store, and
 * cutting costs a quickselect (Hoare 1961) per capacity - k additions. What is cut is worse than k others, so the k best of all that was
 * offered are kept, whatever the order of offers. Entries are those of heap.ts, all different.
 */
import { entryDistance, entryOf } from './heap';

let entries: usize = 0;
let keep: u32 = 0;
let capacity: u32 = 0;
let count: u32 = 0;
/** No distance above it can be among the best. */
let worst: f32 = 0;
let notANumberCount: u32 = 0;

/** `entriesAt` has room for `entryMax` > `k` >= 1 entries, `entryCount` of which are there from an earlier scan. */
export function selectBegin(entriesAt: usize, k: u32, entryMax: u32, entryCount: u32, distanceBound: f32): void {
  entries = entriesAt;
  keep = k;
  capacity = entryMax;
  count = entryCount;
  worst = distanceBound;
  notANumberCount = 0;
}

export function selectCount(): u32 {
  return count;
}

export function selectWorst(): f32 {
  return worst;
}

export function selectNotANumber(): u32 {
  return notANumberCount;
}

// @ts-ignore: decorator
@inline
export function worstDistance(): f32 {
  return worst;
}

// @ts-ignore: decorator
@inline
export function offer(distance: f32, number: u32): void {
  if (distance <= worst) add(distance, number);
  else if (distance != distance) notANumberCount++;
}

function add(distance: f32, number: u32): void {
  store<u64>(entries + (<usize>count << 3), entryOf(distance, number));
  count++;
  if (count == capacity) cut();
}

function cut(): void {
  worst = keepSmallest(entries, count, keep);
  count = keep;
}

/** Moves the k smallest of n entries to the front and returns the worst distance among them. */
export function keepSmallest(at: usize, n: u32, k: u32): f32 {
  selectSmallest(at, n, k);
  let last: u64 = 0;
  for (let i: u32 = 0; i < k; i++) last = max(last, load<u64>(at + (<usize>i << 3)));
  return entryDistance(last);
}

/** Leaves at most k entries, as (number u32, distance f32) pairs in ascending order, and returns how many. */
export function selectFinish(): u32 {
  if (count > keep) cut();
  sort(entries, count);
  for (let i: u32 = 0; i < count; i++) {
    const at = entries + (<usize>i << 3);
    const entry = load<u64>(at);
    store<u32>(at, <u32>entry);
    store<f32>(at, entryDistance(entry), 4);
  }
  return count;
}

/** Moves the k smallest of n entries to the front. */
function selectSmallest(at: usize, n: u32, k: u32): void {
  let low: u32 = 0;
  let high: u32 = n; // the k-th lies in [low, high)
  while (high - low > 1) {
    const split = partition(at, low, high);
    if (split == k) return;
    if (split < k) low = split;
    else high = split;
  }
}

/** Puts entries below a pivot before the others; both sides are not empty. */
function partition(at: usize, low: u32, high: u32): u32 {
  const pivot = medianOf3(
    load<u64>(at + (<usize>low << 3)),
    load<u64>(at + (<usize>((low + high) >>> 1) << 3)),
    load<u64>(at + (<usize>(high - 1) << 3)),
  );
  let i = at + (<usize>low << 3);
  let j = at + (<usize>(high - 1) << 3);
  while (true) {
    while (load<u64>(i) < pivot) i += 8;
    while (load<u64>(j) > pivot) j -= 8;
    if (i >= j) break;
    const left = load<u64>(i);
    store<u64>(i, load<u64>(j));
    store<u64>(j, left);
    i += 8;
    j -= 8;
  }
  const split = <u32>((i - at) >> 3);
  return split == low ? low + 1 : split;
}

// @ts-ignore: decorator
@inline
function medianOf3(a: u64, b: u64, c: u64): u64 {
  return max(min(a, b), min(max(a, b), c));
}

/** Quicksort on the larger part by loop, insertion sort of few. */
function sort(at: usize, n: u32): void {
  let low: u32 = 0;
  let high = n;
  while (high - low > 16) {
    const split = partition(at, low, high);
    if (split - low < high - split) {
      sort(at + (<usize>low << 3), split - low);
      low = split;
    } else {
      sort(at + (<usize>split << 3), high - split);
      high = split;
    }
  }
  for (let i = low + 1; i < high; i++) {
    const entry = load<u64>(at + (<usize>i << 3));
    let slot = i;
    while (slot > low) {
      const before = load<u64>(at + (<usize>(slot - 1) << 3));
      if (before <= entry) break;
      store<u64>(at + (<usize>slot << 3), before);
      slot--;
    }
    store<u64>(at + (<usize>slot << 3), entry);
  }
}
