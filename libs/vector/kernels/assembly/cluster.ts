/**
 * Clustering: rows against many centroids at once. A score is row · centroid − the centroid's bias, and the highest is the nearest: the bias is
 * half the squared length under euclidean_squared and dot_product, 0 for rows and centroids of unit length.
 *
 * Centroids lie in panels of eight: for each dimension the eight values one after the other, so four rows times one panel is eight sums of
 * four lanes without any folding. Each sum runs over the dimensions in ascending order, product and sum rounded to f32 one after the other.
 * Panels are filled up with zeros, and biases with infinity, which is never nearest.
 */

import { entryOf } from './heap';
import { keepSmallest } from './select';

/** Copies `count` centroids (row-major f32) into ⌈count / 8⌉ panels. */
export function packPanels(centroids: usize, count: u32, dims: u32, panels: usize): void {
  const panelCount = (count + 7) >> 3;
  for (let panel: u32 = 0; panel < panelCount; panel++) {
    for (let lane: u32 = 0; lane < 8; lane++) {
      const index = panel * 8 + lane;
      const from = centroids + ((<usize>index * <usize>dims) << 2);
      let to = panels + ((<usize>panel * <usize>dims) << 5) + (<usize>lane << 2);
      for (let d: usize = 0; d < <usize>dims; d++) {
        store<f32>(to, index < count ? load<f32>(from + (d << 2)) : 0);
        to += 32;
      }
    }
  }
}

/** Half the squared length of each centroid, or 0 for unit length; infinity up to a multiple of eight. */
export function packBiases(centroids: usize, count: u32, dims: u32, unit: bool, biases: usize): void {
  const padded = (count + 7) & ~7;
  for (let index: u32 = 0; index < padded; index++) {
    let bias: f32 = f32.MAX_VALUE * 2;
    if (index < count) bias = unit ? 0 : halfSquare(centroids + ((<usize>index * <usize>dims) << 2), dims);
    store<f32>(biases + (<usize>index << 2), bias);
  }
}

function halfSquare(row: usize, dims: u32): f32 {
  let sum: f64 = 0;
  for (let d: usize = 0; d < <usize>dims << 2; d += 4) {
    const value = <f64>load<f32>(row + d);
    sum += value * value;
  }
  return <f32>(sum / 2);
}

/** Scores of four rows against all panels: `out` holds for each row one f32 per centroid, `outStride` bytes per row. */
function scoreRows(
  row0: usize,
  row1: usize,
  row2: usize,
  row3: usize,
  dims: u32,
  panels: usize,
  biases: usize,
  panelCount: u32,
  out: usize,
  outStride: usize,
): void {
  const end4 = <usize>(dims & ~3) << 2;
  const end = <usize>dims << 2;
  let p = panels;
  for (let panel: usize = 0; panel < <usize>panelCount; panel++) {
    let a0 = f32x4.splat(0);
    let b0 = f32x4.splat(0);
    let a1 = f32x4.splat(0);
    let b1 = f32x4.splat(0);
    let a2 = f32x4.splat(0);
    let b2 = f32x4.splat(0);
    let a3 = f32x4.splat(0);
    let b3 = f32x4.splat(0);
    let j: usize = 0;
    while (j < end4) {
      const r0 = row0 + j;
      const r1 = row1 + j;
      const r2 = row2 + j;
      const r3 = row3 + j;
      let c = v128.load(p);
      let e = v128.load(p, 16);
      let x = v128.load_splat<f32>(r0);
      a0 = f32x4.add(a0, f32x4.mul(x, c));
      b0 = f32x4.add(b0, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r1);
      a1 = f32x4.add(a1, f32x4.mul(x, c));
      b1 = f32x4.add(b1, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r2);
      a2 = f32x4.add(a2, f32x4.mul(x, c));
      b2 = f32x4.add(b2, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r3);
      a3 = f32x4.add(a3, f32x4.mul(x, c));
      b3 = f32x4.add(b3, f32x4.mul(x, e));
      c = v128.load(p, 32);
      e = v128.load(p, 48);
      x = v128.load_splat<f32>(r0, 4);
      a0 = f32x4.add(a0, f32x4.mul(x, c));
      b0 = f32x4.add(b0, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r1, 4);
      a1 = f32x4.add(a1, f32x4.mul(x, c));
      b1 = f32x4.add(b1, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r2, 4);
      a2 = f32x4.add(a2, f32x4.mul(x, c));
      b2 = f32x4.add(b2, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r3, 4);
      a3 = f32x4.add(a3, f32x4.mul(x, c));
      b3 = f32x4.add(b3, f32x4.mul(x, e));
      c = v128.load(p, 64);
      e = v128.load(p, 80);
      x = v128.load_splat<f32>(r0, 8);
      a0 = f32x4.add(a0, f32x4.mul(x, c));
      b0 = f32x4.add(b0, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r1, 8);
      a1 = f32x4.add(a1, f32x4.mul(x, c));
      b1 = f32x4.add(b1, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r2, 8);
      a2 = f32x4.add(a2, f32x4.mul(x, c));
      b2 = f32x4.add(b2, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r3, 8);
      a3 = f32x4.add(a3, f32x4.mul(x, c));
      b3 = f32x4.add(b3, f32x4.mul(x, e));
      c = v128.load(p, 96);
      e = v128.load(p, 112);
      x = v128.load_splat<f32>(r0, 12);
      a0 = f32x4.add(a0, f32x4.mul(x, c));
      b0 = f32x4.add(b0, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r1, 12);
      a1 = f32x4.add(a1, f32x4.mul(x, c));
      b1 = f32x4.add(b1, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r2, 12);
      a2 = f32x4.add(a2, f32x4.mul(x, c));
      b2 = f32x4.add(b2, f32x4.mul(x, e));
      x = v128.load_splat<f32>(r3, 12);
      a3 = f32x4.add(a3, f32x4.mul(x, c));
      b3 = f32x4.add(b3, f32x4.mul(x, e));
      j += 16;
      p += 128;
    }
    while (j < end) {
      const c = v128.load(p);
      const e = v128.load(p, 16);
      let x = v128.load_splat<f32>(row0 + j);
      a0 = f32x4.add(a0, f32x4.mul(x, c));
      b0 = f32x4.add(b0, f32x4.mul(x, e));
      x = v128.load_splat<f32>(row1 + j);
      a1 = f32x4.add(a1, f32x4.mul(x, c));
      b1 = f32x4.add(b1, f32x4.mul(x, e));
      x = v128.load_splat<f32>(row2 + j);
      a2 = f32x4.add(a2, f32x4.mul(x, c));
      b2 = f32x4.add(b2, f32x4.mul(x, e));
      x = v128.load_splat<f32>(row3 + j);
      a3 = f32x4.add(a3, f32x4.mul(x, c));
      b3 = f32x4.add(b3, f32x4.mul(x, e));
      j += 4;
      p += 32;
    }
    const low = v128.load(biases + (panel << 5));
    const high = v128.load(biases + (panel << 5), 16);
    let o = out + (panel << 5);
    v128.store(o, f32x4.sub(a0, low));
    v128.store(o, f32x4.sub(b0, high), 16);
    o += outStride;
    v128.store(o, f32x4.sub(a1, low));
    v128.store(o, f32x4.sub(b1, high), 16);
    o += outStride;
    v128.store(o, f32x4.sub(a2, low));
    v128.store(o, f32x4.sub(b2, high), 16);
    o += outStride;
    v128.store(o, f32x4.sub(a3, low));
    v128.store(o, f32x4.sub(b3, high), 16);
  }
}

/** Address of the i-th row of a list of row numbers; `rowNumbers` 0: of all rows. Beyond the last: the last. */
// @ts-ignore: decorator
@inline
function rowNumber(rowNumbers: usize, i: u32, count: u32): u32 {
  const index = min(i, count - 1);
  return rowNumbers == 0 ? index : load<u32>(rowNumbers + (<usize>index << 2));
}

/**
 * Compares rows with the centroids of one set and keeps in `bestScores` and `bestIds` (by row number) what is higher than what is there; of equal
 * scores the lower id, where sets come in the order of their ids. `scores`: scratch of 4 × ⌈centroids / 8⌉ × 32 bytes.
 */
export function assignNearest(
  rows: usize,
  rowNumbers: usize,
  count: u32,
  dims: u32,
  panels: usize,
  biases: usize,
  centroidCount: u32,
  firstId: u32,
  bestScores: usize,
  bestIds: usize,
  scores: usize,
): void {
  const stride = <usize>dims << 2;
  const panelCount = (centroidCount + 7) >> 3;
  const scoreStride = <usize>panelCount << 5;
  for (let i: u32 = 0; i < count; i += 4) {
    const number0 = rowNumber(rowNumbers, i, count);
    const number1 = rowNumber(rowNumbers, i + 1, count);
    const number2 = rowNumber(rowNumbers, i + 2, count);
    const number3 = rowNumber(rowNumbers, i + 3, count);
    scoreRows(
      rows + <usize>number0 * stride,
      rows + <usize>number1 * stride,
      rows + <usize>number2 * stride,
      rows + <usize>number3 * stride,
      dims,
      panels,
      biases,
      panelCount,
      scores,
      scoreStride,
    );
    keepBest(scores, panelCount, firstId, bestScores + (<usize>number0 << 2), bestIds + (<usize>number0 << 2));
    if (i + 1 < count) {
      const at = scores + scoreStride;
      keepBest(at, panelCount, firstId, bestScores + (<usize>number1 << 2), bestIds + (<usize>number1 << 2));
    }
    if (i + 2 < count) {
      const at = scores + 2 * scoreStride;
      keepBest(at, panelCount, firstId, bestScores + (<usize>number2 << 2), bestIds + (<usize>number2 << 2));
    }
    if (i + 3 < count) {
      const at = scores + 3 * scoreStride;
      keepBest(at, panelCount, firstId, bestScores + (<usize>number3 << 2), bestIds + (<usize>number3 << 2));
    }
  }
}

function keepBest(scores: usize, panelCount: u32, firstId: u32, bestScore: usize, bestId: usize): void {
  let best = v128.load(scores);
  let ids = i32x4(0, 1, 2, 3);
  let bestLanes = ids;
  const end = scores + (<usize>panelCount << 5);
  for (let at = scores + 16; at < end; at += 16) {
    const next = v128.load(at);
    ids = i32x4.add(ids, i32x4.splat(4));
    const higher = f32x4.gt(next, best);
    best = v128.bitselect(next, best, higher);
    bestLanes = v128.bitselect(ids, bestLanes, higher);
  }
  let score = f32x4.extract_lane(best, 0);
  let id = i32x4.extract_lane(bestLanes, 0);
  for (let lane = 1; lane < 4; lane++) {
    const other = lane == 1 ? f32x4.extract_lane(best, 1) : lane == 2 ? f32x4.extract_lane(best, 2) : f32x4.extract_lane(best, 3);
    const otherId =
      lane == 1
        ? i32x4.extract_lane(bestLanes, 1)
        : lane == 2
          ? i32x4.extract_lane(bestLanes, 2)
          : i32x4.extract_lane(bestLanes, 3);
    if (other > score || (other == score && otherId < id)) {
      score = other;
      id = otherId;
    }
  }
  if (!(score > load<f32>(bestScore))) return;
  store<f32>(bestScore, score);
  store<u32>(bestId, firstId + <u32>id);
}

/** The `nodeMax` nearest centroids of each of the first `count` rows, in no particular order: u32 ids at `nodes`, `nodeMax` per row. */
export function nearestNodes(
  rows: usize,
  count: u32,
  dims: u32,
  panels: usize,
  biases: usize,
  centroidCount: u32,
  nodeMax: u32,
  nodes: usize,
  scores: usize,
): void {
  const stride = <usize>dims << 2;
  const panelCount = (centroidCount + 7) >> 3;
  const scoreStride = <usize>panelCount << 5;
  for (let i: u32 = 0; i < count; i += 4) {
    scoreRows(
      rows + <usize>rowNumber(0, i, count) * stride,
      rows + <usize>rowNumber(0, i + 1, count) * stride,
      rows + <usize>rowNumber(0, i + 2, count) * stride,
      rows + <usize>rowNumber(0, i + 3, count) * stride,
      dims,
      panels,
      biases,
      panelCount,
      scores,
      scoreStride,
    );
    for (let lane: u32 = 0; lane < 4 && i + lane < count; lane++) {
      const target = nodes + <usize>((i + lane) * nodeMax * 4);
      keepSome(scores + <usize>lane * scoreStride, centroidCount, nodeMax, target);
    }
  }
}

/** Insertion into the few best; `ids` has room for them, their scores are looked up again. */
function keepSome(scores: usize, count: u32, most: u32, ids: usize): void {
  let kept: u32 = 0;
  let least: f32 = 0;
  for (let id: u32 = 0; id < count; id++) {
    const score = load<f32>(scores + (<usize>id << 2));
    if (kept == most && !(score > least)) continue;
    if (kept < most) kept++;
    let slot = kept - 1;
    while (slot > 0) {
      const before = load<u32>(ids + (<usize>(slot - 1) << 2));
      if (load<f32>(scores + (<usize>before << 2)) >= score) break;
      store<u32>(ids + (<usize>slot << 2), before);
      slot--;
    }
    store<u32>(ids + (<usize>slot << 2), id);
    least = load<f32>(scores + (<usize>load<u32>(ids + (<usize>(kept - 1) << 2)) << 2));
  }
}

/**
 * Offers rows to many queries at once, whose selections lie in memory: per query 16 bytes (u32 entries, keep, room, count), and in `worsts`, padded to
 * eight, the lowest score that it still takes: minus infinity at first, infinity where there is no query. `queries` are panels, `zeros` their biases.
 * Distances are 0 − score; with `squares` the score is less half the row's squared length.
 */
export function offerRows(
  rows: usize,
  count: u32,
  dims: u32,
  queries: usize,
  zeros: usize,
  queryCount: u32,
  squares: bool,
  firstNumber: u32,
  states: usize,
  worsts: usize,
  scores: usize,
): void {
  const stride = <usize>dims << 2;
  const panelCount = (queryCount + 7) >> 3;
  const scoreStride = <usize>panelCount << 5;
  for (let i: u32 = 0; i < count; i += 4) {
    scoreRows(
      rows + <usize>rowNumber(0, i, count) * stride,
      rows + <usize>rowNumber(0, i + 1, count) * stride,
      rows + <usize>rowNumber(0, i + 2, count) * stride,
      rows + <usize>rowNumber(0, i + 3, count) * stride,
      dims,
      queries,
      zeros,
      panelCount,
      scores,
      scoreStride,
    );
    for (let row = i; row < min(i + 4, count); row++) {
      const half: f32 = squares ? halfSquare(rows + <usize>row * stride, dims) : 0;
      offerRow(scores + <usize>(row - i) * scoreStride, scoreStride, half, firstNumber + row, states, worsts);
    }
  }
}

// @ts-ignore: decorator
@inline
function offerRow(scores: usize, size: usize, half: f32, number: u32, states: usize, worsts: usize): void {
  const halves = f32x4.splat(half);
  for (let at: usize = 0; at < size; at += 16) {
    const score = f32x4.sub(v128.load(scores + at), halves);
    let bits = i32x4.bitmask(f32x4.ge(score, v128.load(worsts + at)));
    while (bits != 0) {
      const lane = <usize>ctz(bits);
      bits &= bits - 1;
      const query = (at >> 2) + lane;
      const state = states + (query << 4);
      const entries = load<u32>(state);
      let taken = load<u32>(state, 12);
      const distance = <f32>0 - (load<f32>(scores + at + (lane << 2)) - half);
      store<u64>(<usize>entries + (<usize>taken << 3), entryOf(distance, number));
      taken++;
      if (taken == load<u32>(state, 8)) {
        taken = load<u32>(state, 4);
        store<f32>(worsts + (query << 2), <f32>0 - keepSmallest(entries, load<u32>(state, 8), taken));
      }
      store<u32>(state, taken, 12);
    }
  }
}

/** Adds each row to the f64 sums of its id, and 1 to the id's u32 count. `rowNumbers` as above. */
export function addRows(
  rows: usize,
  rowNumbers: usize,
  count: u32,
  dims: u32,
  ids: usize,
  sums: usize,
  counts: usize,
): void {
  const stride = <usize>dims << 2;
  const end2 = <usize>(dims & ~1) << 2;
  for (let i: u32 = 0; i < count; i++) {
    const number = rowNumber(rowNumbers, i, count);
    const id = <usize>load<u32>(ids + (<usize>number << 2));
    const row = rows + <usize>number * stride;
    let sum = sums + id * (<usize>dims << 3);
    let j: usize = 0;
    for (; j < end2; j += 8) {
      v128.store(sum, f64x2.add(v128.load(sum), f64x2.promote_low_f32x4(v128.load64_zero(row + j))));
      sum += 16;
    }
    if (j < stride) store<f64>(sum, load<f64>(sum) + <f64>load<f32>(row + j));
    const at = counts + (id << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
}

/** Scales rows to unit length; those of length 0 stay. */
export function normalizeRows(rows: usize, count: u32, dims: u32): void {
  const stride = <usize>dims << 2;
  for (let row = rows; row < rows + <usize>count * stride; row += stride) {
    let sum: f64 = 0;
    for (let j: usize = 0; j < stride; j += 4) {
      const value = <f64>load<f32>(row + j);
      sum += value * value;
    }
    if (sum == 0) continue;
    const inverse = 1 / Math.sqrt(sum);
    for (let j: usize = 0; j < stride; j += 4) store<f32>(row + j, <f32>(<f64>load<f32>(row + j) * inverse));
  }
}

/**
 * Centroids from sums: the mean, of unit length where asked for. A centroid without rows stays as it is.
 */
export function meanRows(sums: usize, counts: usize, count: u32, dims: u32, unit: bool, centroids: usize): void {
  for (let id: usize = 0; id < <usize>count; id++) {
    const rowCount = load<u32>(counts + (id << 2));
    if (rowCount == 0) continue;
    const sum = sums + id * (<usize>dims << 3);
    const centroid = centroids + id * (<usize>dims << 2);
    let divisor = <f64>rowCount;
    if (unit) {
      let square: f64 = 0;
      for (let d: usize = 0; d < <usize>dims; d++) square += load<f64>(sum + (d << 3)) * load<f64>(sum + (d << 3));
      if (square > 0) divisor = Math.sqrt(square);
    }
    for (let d: usize = 0; d < <usize>dims; d++) {
      store<f32>(centroid + (d << 2), <f32>(load<f64>(sum + (d << 3)) / divisor));
    }
  }
}
