/**
 * Scans of one list: flat rows, int8 codes, pq4 codes. Every row whose distance may be among the best is offered to the selection that
 * `selectBegin` opened. Layouts of the codes: docs/formats/segment-lists.v1.md.
 *
 * Masks: bit `maskBit` + i of the bytes at `mask` admits row i of the list; the mask is readable up to eight bytes behind its last bit.
 * `mask` 0: all rows.
 */
import {
  anyDistanceOf,
  distanceOf,
  distancesOf2F16,
  elementF16,
  elementShift,
  metricDot,
  metricEuclidean,
} from './distance';
import { offer, worstDistance } from './select';

export { f16Moved, f16Scale } from './distance';
export { selectBegin, selectCount, selectFinish, selectNotANumber, selectWorst } from './select';

/** 32 bits of the mask from row `row` on. */
// @ts-ignore: decorator
@inline
function mask32(mask: usize, maskBit: u32, row: u32): u32 {
  const bit = maskBit + row;
  return <u32>(load<u64>(mask + <usize>(bit >> 3)) >> <u64>(bit & 7));
}

/** Bits of the rows that a group of 32 has. */
// @ts-ignore: decorator
@inline
function rows32(left: u32): u32 {
  return left >= 32 ? 0xffffffff : (<u32>1 << left) - 1;
}

// @ts-ignore: decorator
@inline
function admitted32(mask: usize, maskBit: u32, row: u32, rowCount: u32): u32 {
  const rows = rows32(rowCount - row);
  return mask == 0 ? rows : rows & mask32(mask, maskBit, row);
}

/** Exact distances of the rows of a list. */
export function scanFlatList(
  metric: i32,
  element: i32,
  dims: u32,
  rowCount: u32,
  rows: usize,
  inverseNorms: usize,
  query: usize,
  queryInverseNorm: f32,
  mask: usize,
  maskBit: u32,
  firstNumber: u32,
): void {
  const stride = <usize>dims << elementShift(element);
  for (let base: u32 = 0; base < rowCount; base += 32) {
    let bits = admitted32(mask, maskBit, base, rowCount);
    while (bits != 0) {
      const row = base + <u32>ctz(bits);
      bits &= bits - 1;
      const norm = inverseNorms + (<usize>row << 2);
      const at = rows + <usize>row * stride;
      offer(anyDistanceOf(metric, element, dims, at, query, norm, queryInverseNorm), firstNumber + row);
    }
  }
}

/** Distances of centroids, which are f16 rows without norms, under `metricDot` or `metricEuclidean`. */
export function scanCentroids(
  metric: i32,
  dims: u32,
  count: u32,
  centroids: usize,
  query: usize,
  firstNumber: u32,
): void {
  if (metric == metricDot) scanCentroidsBy(metricDot, dims, count, centroids, query, firstNumber);
  else scanCentroidsBy(metricEuclidean, dims, count, centroids, query, firstNumber);
}

// @ts-ignore: decorator
@inline
function scanCentroidsBy(
  metric: i32,
  dims: u32,
  count: u32,
  centroids: usize,
  query: usize,
  firstNumber: u32,
): void {
  const stride = <usize>dims << 1;
  const pairs = count & ~1;
  let at = centroids;
  for (let row: u32 = 0; row < pairs; row += 2) {
    const distances = distancesOf2F16(metric, dims, at, query);
    offer(f32x4.extract_lane(distances, 0), firstNumber + row);
    offer(f32x4.extract_lane(distances, 1), firstNumber + row + 1);
    at += stride << 1;
  }
  if (pairs < count) offer(distanceOf(metric, elementF16, dims, at, query, 0, 0), firstNumber + pairs);
}

/** Sum over the bytes of one row of codes; `stride` is a multiple of 16. */
// @ts-ignore: decorator
@inline
function sumCodes(row: usize, query: usize, stride: usize): i32 {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let q = query;
  for (let p = row; p < row + stride; p += 16) {
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v128.load_ext<i8>(p, 0, 1), v128.load(q)));
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(v128.load_ext<i8>(p, 8, 1), v128.load(q, 16)));
    q += 32;
  }
  const a = i32x4.add(a0, a1);
  return i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1) + i32x4.extract_lane(a, 2) + i32x4.extract_lane(a, 3);
}

/** Sums of four neighbouring rows of codes. */
// @ts-ignore: decorator
@inline
function sumCodes4(row: usize, query: usize, stride: usize): v128 {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  const row1 = row + stride;
  const row2 = row1 + stride;
  const row3 = row2 + stride;
  let q = query;
  for (let j: usize = 0; j < stride; j += 16) {
    const low = v128.load(q);
    const high = v128.load(q, 16);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v128.load_ext<i8>(row + j, 0, 1), low));
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(v128.load_ext<i8>(row1 + j, 0, 1), low));
    a2 = i32x4.add(a2, i32x4.dot_i16x8_s(v128.load_ext<i8>(row2 + j, 0, 1), low));
    a3 = i32x4.add(a3, i32x4.dot_i16x8_s(v128.load_ext<i8>(row3 + j, 0, 1), low));
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v128.load_ext<i8>(row + j, 8, 1), high));
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(v128.load_ext<i8>(row1 + j, 8, 1), high));
    a2 = i32x4.add(a2, i32x4.dot_i16x8_s(v128.load_ext<i8>(row2 + j, 8, 1), high));
    a3 = i32x4.add(a3, i32x4.dot_i16x8_s(v128.load_ext<i8>(row3 + j, 8, 1), high));
    q += 32;
  }
  const a01 = i32x4.add(v128.shuffle<i32>(a0, a1, 0, 4, 1, 5), v128.shuffle<i32>(a0, a1, 2, 6, 3, 7));
  const a23 = i32x4.add(v128.shuffle<i32>(a2, a3, 0, 4, 1, 5), v128.shuffle<i32>(a2, a3, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(a01, a23, 0, 2), v128.shuffle<i64>(a01, a23, 1, 3));
}

// @ts-ignore: decorator
@inline
function offerCode(sum: i32, row: u32, base: f32, unit: f32, terms: usize, firstNumber: u32): void {
  let distance = base + <f32>sum * unit;
  if (terms != 0) distance += load<f32>(terms + (<usize>row << 2));
  offer(distance, firstNumber + row);
}

/**
 * distance = base + sum(code · query) · unit + the row's term. `query` is i16, `stride` long; `terms` 0: none.
 */
export function scanInt8List(
  stride: usize,
  rowCount: u32,
  codes: usize,
  terms: usize,
  query: usize,
  base: f32,
  unit: f32,
  mask: usize,
  maskBit: u32,
  firstNumber: u32,
): void {
  for (let row: u32 = 0; row < rowCount; row += 4) {
    const left = rowCount - row;
    let bits = left >= 4 ? 15 : ((<u32>1 << left) - 1);
    if (mask != 0) bits &= mask32(mask, maskBit, row);
    if (bits == 0) continue;
    const at = codes + <usize>row * stride;
    if (bits != 15) {
      while (bits != 0) {
        const i = <u32>ctz(bits);
        bits &= bits - 1;
        offerCode(sumCodes(at + <usize>i * stride, query, stride), row + i, base, unit, terms, firstNumber);
      }
      continue;
    }
    const sums = f32x4.convert_i32x4_s(sumCodes4(at, query, stride));
    let distances = f32x4.add(f32x4.splat(base), f32x4.mul(sums, f32x4.splat(unit)));
    if (terms != 0) distances = f32x4.add(distances, v128.load(terms + (<usize>row << 2), 0, 1));
    if (i32x4.bitmask(f32x4.gt(distances, f32x4.splat(worstDistance()))) == 15) continue;
    offer(f32x4.extract_lane(distances, 0), firstNumber + row);
    offer(f32x4.extract_lane(distances, 1), firstNumber + row + 1);
    offer(f32x4.extract_lane(distances, 2), firstNumber + row + 2);
    offer(f32x4.extract_lane(distances, 3), firstNumber + row + 3);
  }
}

/** Largest sum of a block of pq4 codes that may be within `worst`: rounded up, with room for the rounding of f32 distances. */
// @ts-ignore: decorator
@inline
function sumBound(worst: f32, base: f32, unit: f32): i32 {
  const slack = (Math.abs(<f64>base) + Math.abs(<f64>worst)) * 2.4e-7;
  const sums = (<f64>worst - <f64>base + slack) / <f64>unit + 2;
  if (sums < 0) return -1;
  return sums < 65535 ? <i32>sums : 65535; // NaN, of 0 / 0 or of infinities, bounds nothing
}

/**
 * distance = base + sum · unit + the row's term, where sum is that of M looked-up bytes of `table`, below 2^16. Rows are in blocks of 32: 16 bytes
 * for each of M sub-quantizers, low nibbles rows 0-15, high nibbles rows 16-31. `sums` is a scratch of 64 bytes.
 */
export function scanPq4List(
  subCount: u32,
  rowCount: u32,
  codes: usize,
  terms: usize,
  table: usize,
  base: f32,
  unit: f32,
  mask: usize,
  maskBit: u32,
  firstNumber: u32,
  sums: usize,
): void {
  const blockBytes = <usize>subCount << 4;
  let bound: i32 = 65535;
  let boundWorst = f32.NaN;
  for (let row: u32 = 0; row < rowCount; row += 32) {
    let bits = admitted32(mask, maskBit, row, rowCount);
    if (bits == 0) continue;
    sumBlock(codes + <usize>(row >> 5) * blockBytes, table, blockBytes, sums);
    if (terms == 0) {
      if (boundWorst != worstDistance()) {
        boundWorst = worstDistance();
        bound = sumBound(boundWorst, base, unit);
      }
      if (bound < 0) return;
      bits &= within(sums, bound);
    }
    while (bits != 0) {
      const i = <u32>ctz(bits);
      bits &= bits - 1;
      const sum = <f32>load<u16>(sums + (<usize>i << 1));
      let distance = base + sum * unit;
      if (terms != 0) distance += load<f32>(terms + (<usize>(row + i) << 2));
      offer(distance, firstNumber + row + i);
    }
  }
}

/** Bits of the sums that are at most `bound`. */
// @ts-ignore: decorator
@inline
function within(sums: usize, bound: i32): u32 {
  const most = i16x8.splat(<i16>bound);
  const m0 = i16x8.le_u(v128.load(sums), most);
  const m1 = i16x8.le_u(v128.load(sums, 16), most);
  const m2 = i16x8.le_u(v128.load(sums, 32), most);
  const m3 = i16x8.le_u(v128.load(sums, 48), most);
  const low = <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(m0, m1));
  return low | (<u32>i8x16.bitmask(i8x16.narrow_i16x8_s(m2, m3)) << 16);
}

/** Exported so that its value is not known in the loop; see `f16Moved`. */
export let lowNibble: i32 = 15;

/**
 * u16 sums of 32 rows. A looked-up vector is added to one accumulator as eight u16 (even byte + 256 · odd byte) and shifted to another (the
 * odd bytes); even sums follow by subtraction, as everything is modulo 2^16.
 */
// @ts-ignore: decorator
@inline
function sumBlock(codes: usize, table: usize, blockBytes: usize, sums: usize): void {
  const nibble = i8x16.splat(<i8>lowNibble);
  let lowBoth = i16x8.splat(0);
  let lowOdd = i16x8.splat(0);
  let highBoth = i16x8.splat(0);
  let highOdd = i16x8.splat(0);
  for (let j: usize = 0; j < blockBytes; j += 16) {
    const code = v128.load(codes + j, 0, 1);
    const row = v128.load(table + j);
    // Indexes are below 16, where the relaxed swizzle is the same everywhere.
    const low = i8x16.relaxed_swizzle(row, v128.and(code, nibble));
    const high = i8x16.relaxed_swizzle(row, v128.and(i16x8.shr_u(code, 4), nibble));
    lowBoth = i16x8.add(lowBoth, low);
    lowOdd = i16x8.add(lowOdd, i16x8.shr_u(low, 8));
    highBoth = i16x8.add(highBoth, high);
    highOdd = i16x8.add(highOdd, i16x8.shr_u(high, 8));
  }
  const lowEven = i16x8.sub(lowBoth, i16x8.shl(lowOdd, 8));
  const highEven = i16x8.sub(highBoth, i16x8.shl(highOdd, 8));
  v128.store(sums, v128.shuffle<i16>(lowEven, lowOdd, 0, 8, 1, 9, 2, 10, 3, 11));
  v128.store(sums + 16, v128.shuffle<i16>(lowEven, lowOdd, 4, 12, 5, 13, 6, 14, 7, 15));
  v128.store(sums + 32, v128.shuffle<i16>(highEven, highOdd, 0, 8, 1, 9, 2, 10, 3, 11));
  v128.store(sums + 48, v128.shuffle<i16>(highEven, highOdd, 4, 12, 5, 13, 6, 14, 7, 15));
}

/** Distances of rows at `rowOffsets` (u32 each), with the inverse norms at `inverseNorms`. */
export function distancesOf(
  metric: i32,
  element: i32,
  dims: u32,
  rowCount: u32,
  rowOffsets: usize,
  inverseNorms: usize,
  query: usize,
  queryInverseNorm: f32,
  out: usize,
): void {
  const size = <usize>dims << elementShift(element);
  const end = <usize>rowCount << 2;
  const step = max<usize>(1, touchedBytesMax / size) << 2;
  for (let from: usize = 0; from < end; from += step) {
    const to = min(from + step, end);
    touchRows(rowOffsets + from, to - from, size);
    for (let i = from; i < to; i += 4) {
      const row = <usize>load<u32>(rowOffsets + i);
      store<f32>(out + i, anyDistanceOf(metric, element, dims, row, query, inverseNorms + i, queryInverseNorm));
    }
  }
}

/** Bytes of rows that are touched at one time; more would push each other out of the cache again. */
const touchedBytesMax: usize = 16384;
const lineBytes: usize = 64;
/** Somewhere for what was read to go, so that no optimizer leaves the reading out. */
let touched: u32 = 0;

/** Reads a byte of every cache line of rows: scattered rows are waited for together, not one by one. */
function touchRows(rowOffsets: usize, offsetBytes: usize, size: usize): void {
  let seen: u32 = 0;
  for (let i: usize = 0; i < offsetBytes; i += 4) {
    const row = <usize>load<u32>(rowOffsets + i);
    for (let at: usize = 0; at < size; at += lineBytes) seen |= load<u8>(row + at);
  }
  touched = seen;
}
