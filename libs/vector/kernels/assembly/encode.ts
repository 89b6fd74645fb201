/**
 * Codes of rows, list by list. The residual of a row is row − centroid, rounded to f32. Layouts: docs/formats/segment-lists.v1.md.
 */

/** Largest magnitude of the residuals per dimension, raised in `largest` (f32). */
export function largestResiduals(rows: usize, count: u32, dims: u32, centroid: usize, largest: usize): void {
  for (let row: usize = 0; row < <usize>count; row++) {
    const at = rows + ((row * <usize>dims) << 2);
    for (let j: usize = 0; j < <usize>dims << 2; j += 4) {
      const magnitude = Mathf.abs(load<f32>(at + j) - load<f32>(centroid + j));
      if (magnitude > load<f32>(largest + j)) store<f32>(largest + j, magnitude);
    }
  }
}

/** code = residual · inverse scale, rounded to nearest (ties to even) and clamped to ±127; zeros up to the stride. */
export function encodeInt8(
  rows: usize,
  count: u32,
  dims: u32,
  centroid: usize,
  inverseScales: usize,
  stride: usize,
  codes: usize,
): void {
  for (let row: usize = 0; row < <usize>count; row++) {
    const at = rows + ((row * <usize>dims) << 2);
    const to = codes + row * stride;
    let d: usize = 0;
    for (; d < <usize>dims; d++) {
      const j = d << 2;
      const steps = (load<f32>(at + j) - load<f32>(centroid + j)) * load<f32>(inverseScales + j);
      store<i8>(to + d, <i8>(<i32>Mathf.max(-127, Mathf.min(127, nearest<f32>(steps)))));
    }
    for (; d < stride; d++) store<i8>(to + d, 0);
  }
}

/** ‖r̂‖² + 2 · centroid · r̂ of the coded residuals r̂ = code · scale, summed in f64. */
export function termsInt8(
  codes: usize,
  count: u32,
  dims: u32,
  centroid: usize,
  scales: usize,
  stride: usize,
  terms: usize,
): void {
  for (let row: usize = 0; row < <usize>count; row++) {
    let sum: f64 = 0;
    for (let d: usize = 0; d < <usize>dims; d++) {
      const residual = <f64>load<i8>(codes + row * stride + d) * <f64>load<f32>(scales + (d << 2));
      sum += residual * (residual + 2 * <f64>load<f32>(centroid + (d << 2)));
    }
    store<f32>(terms + (row << 2), finite(sum));
  }
}

// @ts-ignore: decorator
@inline
function finite(value: f64): f32 {
  return <f32>max(-<f64>f32.MAX_VALUE, min(<f64>f32.MAX_VALUE, value));
}

/**
 * A planar codebook, 192 bytes per sub-quantizer: 16 first values, 16 second values, 16 halves of squared lengths. The nearest code is the one with
 * the highest x · X + y · Y − half, of equal ones the lowest.
 */
// @ts-ignore: decorator
@inline
function nearestCode(x: f32, y: f32, book: usize): u32 {
  const xs = f32x4.splat(x);
  const ys = f32x4.splat(y);
  let best = scoreCodes(xs, ys, book);
  let lanes = i32x4(0, 1, 2, 3);
  for (let group: usize = 16; group < 64; group += 16) {
    const next = scoreCodes(xs, ys, book + group);
    const higher = f32x4.gt(next, best);
    best = v128.bitselect(next, best, higher);
    const ids = i32x4.add(i32x4(0, 1, 2, 3), i32x4.splat(<i32>(group >> 2)));
    lanes = v128.bitselect(ids, lanes, higher);
  }
  // The highest score in all lanes, then the lowest id among the lanes that have it.
  let top = f32x4.max(best, v128.shuffle<i32>(best, best, 2, 3, 0, 1));
  top = f32x4.max(top, v128.shuffle<i32>(top, top, 1, 0, 3, 2));
  let ids = v128.bitselect(lanes, i32x4.splat(16), f32x4.eq(best, top));
  ids = i32x4.min_u(ids, v128.shuffle<i32>(ids, ids, 2, 3, 0, 1));
  ids = i32x4.min_u(ids, v128.shuffle<i32>(ids, ids, 1, 0, 3, 2));
  return <u32>i32x4.extract_lane(ids, 0) & 15;
}

// @ts-ignore: decorator
@inline
function scoreCodes(x: v128, y: v128, book: usize): v128 {
  const products = f32x4.add(f32x4.mul(x, v128.load(book)), f32x4.mul(y, v128.load(book, 64)));
  return f32x4.sub(products, v128.load(book, 128));
}

// @ts-ignore: decorator
@inline
function residual(row: usize, centroid: usize, d: u32, dims: u32): f32 {
  if (d >= dims) return 0;
  return load<f32>(row + (<usize>d << 2)) - load<f32>(centroid + (<usize>d << 2));
}

/** Codes of up to 32 rows: 16 bytes per sub-quantizer, low nibbles rows 0-15, high nibbles rows 16-31, 0 for rows that are not there. */
export function encodePq4Block(rows: usize, count: u32, dims: u32, centroid: usize, books: usize, codes: usize): void {
  const subCount = (dims + 1) >> 1;
  memory.fill(codes, 0, <usize>subCount << 4);
  for (let row: u32 = 0; row < count; row++) {
    const at = rows + ((<usize>row * <usize>dims) << 2);
    const shift = (row >> 4) << 2;
    for (let sub: u32 = 0; sub < subCount; sub++) {
      const x = residual(at, centroid, 2 * sub, dims);
      const y = residual(at, centroid, 2 * sub + 1, dims);
      const to = codes + (<usize>sub << 4) + <usize>(row & 15);
      store<u8>(to, load<u8>(to) | <u8>(nearestCode(x, y, books + <usize>sub * 192) << shift));
    }
  }
}

/** ‖r̂‖² + 2 · centroid · r̂ of up to 32 coded residuals, summed in f64. */
export function termsPq4Block(codes: usize, count: u32, dims: u32, centroid: usize, books: usize, terms: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    let sum: f64 = 0;
    for (let d: u32 = 0; d < dims; d++) {
      const sub = <usize>(d >> 1);
      const pair = <u32>load<u8>(codes + (sub << 4) + <usize>(row & 15));
      const code = <usize>((pair >> ((row >> 4) << 2)) & 15);
      const value = <f64>load<f32>(books + sub * 192 + (<usize>(d & 1) << 6) + (code << 2));
      sum += value * (value + 2 * <f64>load<f32>(centroid + (<usize>d << 2)));
    }
    store<f32>(terms + (<usize>row << 2), finite(sum));
  }
}

/**
 * One step of k-means for sub-quantizers [from, to) over residual rows: per code the f64 sums of x and y and the count, 24 bytes, 16 codes
 * per sub-quantizer.
 */
export function addPq4(rows: usize, count: u32, dims: u32, books: usize, from: u32, to: u32, sums: usize): void {
  for (let row: u32 = 0; row < count; row++) {
    const at = rows + ((<usize>row * <usize>dims) << 2);
    for (let sub = from; sub < to; sub++) {
      const x = load<f32>(at + (<usize>sub << 3));
      const y: f32 = sub * 2 + 1 < dims ? load<f32>(at + (<usize>sub << 3), 4) : 0;
      const code = nearestCode(x, y, books + <usize>sub * 192);
      const sum = sums + (<usize>(sub * 16 + code)) * 24;
      store<f64>(sum, load<f64>(sum) + <f64>x);
      store<f64>(sum, load<f64>(sum, 8) + <f64>y, 8);
      store<f64>(sum, load<f64>(sum, 16) + 1, 16);
    }
  }
}

/** Replaces rows by their residuals. */
export function subtractCentroid(rows: usize, count: u32, dims: u32, centroid: usize): void {
  for (let row: usize = 0; row < <usize>count; row++) {
    const at = rows + ((row * <usize>dims) << 2);
    for (let j: usize = 0; j < <usize>dims << 2; j += 4) {
      store<f32>(at + j, load<f32>(at + j) - load<f32>(centroid + j));
    }
  }
}
