/**
 * Scans of one block. Nothing here has a fixed address: rows, query, mask and heap are where the caller says, so
 * several instances work on one shared memory. The scan's state is in globals, which belong to the instance.
 */
import {
  anyDistanceOf,
  distanceOf,
  distancesOf4I8,
  elementF16,
  elementF32,
  elementI8,
  elementShift,
  metricCosine,
  metricDot,
  metricEuclidean,
} from './distance';
import { entryDistance, entryOf, heapFinish, heapPush, heapReplaceTop } from './heap';

/** From here on four rows at a time are slower (by 1.2x at 384 dims, 3x at 512): prefetching follows one stream better. */
const groupedDimsMax: u32 = 256;

let rows: usize = 0;
let rowStride: usize = 0;
let rowDims: u32 = 0;
let norms: usize = 0;
let queryAt: usize = 0;
let queryNorm: f32 = 0;
let heap: usize = 0;
let heapMax: u32 = 0;
let heapCount: u32 = 0;
/** No row above it can enter: the distance bound, then the worst distance kept. */
let worst: f32 = 0;
let notANumberCount: u32 = 0;

/** Rows come in ascending order, so a row at the worst distance of a full heap loses its tie. */
function offer(row: u32, distance: f32): void {
  if (heapCount < heapMax) {
    heapPush(heap, heapCount, entryOf(distance, row));
    heapCount++;
    if (heapCount < heapMax) return;
  } else {
    if (distance >= entryDistance(load<u64>(heap))) return;
    heapReplaceTop(heap, heapCount, entryOf(distance, row));
  }
  worst = entryDistance(load<u64>(heap));
}

// @ts-ignore: decorator
@inline
function scanRow(metric: i32, element: i32, row: u32): void {
  const distance = distanceOf(
    metric,
    element,
    rowDims,
    rows + <usize>row * rowStride,
    queryAt,
    norms + (<usize>row << 2),
    queryNorm,
  );
  if (distance <= worst) offer(row, distance);
  else if (distance != distance) notANumberCount++;
}

/** Short i8 rows go four at a time: the work around a row counts there, and folding is shared. */
// @ts-ignore: decorator
@inline
function scanRange(metric: i32, element: i32, from: u32, to: u32): void {
  let row = from;
  if (element == elementI8 && rowDims >= 8 && rowDims < groupedDimsMax) {
    for (; row + 4 <= to; row += 4) scan4I8(metric, row);
  }
  for (; row < to; row++) scanRow(metric, element, row);
}

// @ts-ignore: decorator
@inline
function scan4I8(metric: i32, row: u32): void {
  const at = rows + <usize>row * rowStride;
  const distances = distancesOf4I8(metric, rowDims, at, queryAt, norms + (<usize>row << 2), queryNorm);
  if (v128.any_true(f32x4.le(distances, f32x4.splat(worst)))) {
    for (let i: u32 = 0; i < 4; i++) offerLane(row + i, f32x4LaneOf(distances, i));
  }
  notANumberCount += <u32>popcnt(i32x4.bitmask(f32x4.ne(distances, distances)));
}

function offerLane(row: u32, distance: f32): void {
  if (distance <= worst) offer(row, distance);
}

// @ts-ignore: decorator
@inline
function f32x4LaneOf(lanes: v128, index: u32): f32 {
  if (index == 0) return f32x4.extract_lane(lanes, 0);
  if (index == 1) return f32x4.extract_lane(lanes, 1);
  return index == 2 ? f32x4.extract_lane(lanes, 2) : f32x4.extract_lane(lanes, 3);
}

/** 64 bits of the mask from `row` on; bits past `rowCount` are 0 and no byte past the mask is read. */
function maskWord(mask: usize, row: u32, rowCount: u32): u64 {
  const at = mask + <usize>(row >> 3);
  const left = rowCount - row;
  if (left >= 64) return load<u64>(at);
  let word: u64 = 0;
  for (let i: u32 = 0; i < left; i += 8) word |= <u64>load<u8>(at + <usize>(i >> 3)) << <u64>i;
  return word & ((<u64>1 << <u64>left) - 1);
}

// @ts-ignore: decorator
@inline
function scanMasked(metric: i32, element: i32, rowCount: u32, mask: usize): void {
  for (let base: u32 = 0; base < rowCount; base += 64) {
    let word = maskWord(mask, base, rowCount);
    if (word == u64.MAX_VALUE) {
      scanRange(metric, element, base, base + 64);
      continue;
    }
    while (word != 0) {
      scanRow(metric, element, base + <u32>ctz(word));
      word &= word - 1;
    }
  }
}

// @ts-ignore: decorator
@inline
function scan(metric: i32, element: i32, rowCount: u32, mask: usize): void {
  if (mask == 0) scanRange(metric, element, 0, rowCount);
  else scanMasked(metric, element, rowCount, mask);
}

/** One compiled loop for each metric. */
// @ts-ignore: decorator
@inline
function scanMetric(metric: i32, element: i32, rowCount: u32, mask: usize): void {
  if (metric == metricDot) scan(metricDot, element, rowCount, mask);
  else if (metric == metricEuclidean) scan(metricEuclidean, element, rowCount, mask);
  else scan(metricCosine, element, rowCount, mask);
}

function bind(
  element: i32,
  dims: u32,
  rowsOffset: usize,
  inverseNorms: usize,
  query: usize,
  queryInverseNorm: f32,
): void {
  rows = rowsOffset;
  rowDims = dims;
  rowStride = <usize>dims << elementShift(element);
  norms = inverseNorms;
  queryAt = query;
  queryNorm = queryInverseNorm;
}

/**
 * Leaves the nearest rows as (row u32, distance f32) pairs in ascending order at `heapOffset`, and returns how many.
 * `k` >= 1; the heap has room for k pairs. `mask` 0: all rows.
 */
export function scanTopK(
  metric: i32,
  element: i32,
  dims: u32,
  rowCount: u32,
  rowsOffset: usize,
  inverseNorms: usize,
  query: usize,
  queryInverseNorm: f32,
  k: u32,
  mask: usize,
  distanceBound: f32,
  heapOffset: usize,
): u32 {
  bind(element, dims, rowsOffset, inverseNorms, query, queryInverseNorm);
  heap = heapOffset;
  heapMax = k;
  heapCount = 0;
  worst = distanceBound;
  notANumberCount = 0;
  if (element == elementF32) scanMetric(metric, elementF32, rowCount, mask);
  else if (element == elementF16) scanMetric(metric, elementF16, rowCount, mask);
  else scanMetric(metric, elementI8, rowCount, mask);
  heapFinish(heap, heapCount);
  return heapCount;
}

/** Rows of the last scan whose distance was not a number; they are never kept. */
export function notANumber(): u32 {
  return notANumberCount;
}

/** Distances of all rows as f32 at `out`. */
export function distances(
  metric: i32,
  element: i32,
  dims: u32,
  rowCount: u32,
  rowsOffset: usize,
  inverseNorms: usize,
  query: usize,
  queryInverseNorm: f32,
  out: usize,
): void {
  bind(element, dims, rowsOffset, inverseNorms, query, queryInverseNorm);
  for (let row: u32 = 0; row < rowCount; row++) {
    const at = rows + <usize>row * rowStride;
    const distance = anyDistanceOf(metric, element, dims, at, query, norms + (<usize>row << 2), queryNorm);
    store<f32>(out + (<usize>row << 2), distance);
  }
}
