/**
 * Distances of one row. The lane order is the contract with `src/scalar-kernels.ts`, which must give equal bits:
 *
 * f32, and f16 widened to it: element j of the full groups of 16 goes to lane j mod 16 (four accumulators of four lanes); the remaining full
 * groups of 4 go to lanes 0-3; lanes fold as (A0 + A1) + (A2 + A3), then (l0 + l1) + (l2 + l3); the last 0-3 elements
 * are added one by one. Multiplication and addition round separately (no fused operation: it is not deterministic).
 * i8: exact i32 sums, so order does not matter; converted to f32 once.
 */

export const metricDot: i32 = 0;
export const metricEuclidean: i32 = 1;
export const metricCosine: i32 = 2;

/** Of the rows; the query is f32 for f32 and f16, and i8 widened to i16 for i8. */
export const elementF32: i32 = 0;
export const elementI8: i32 = 1;
export const elementF16: i32 = 2;

/** log2 of an element's bytes. */
// @ts-ignore: decorator
@inline
export function elementShift(element: i32): usize {
  return element == elementF32 ? 2 : element == elementF16 ? 1 : 0;
}

// @ts-ignore: decorator
@inline
function termF32(metric: i32, a: v128, b: v128): v128 {
  if (metric == metricEuclidean) {
    const difference = f32x4.sub(a, b);
    return f32x4.mul(difference, difference);
  }
  return f32x4.mul(a, b);
}

/**
 * Constants of the widening as globals that the module exports, for only then no compiler knows their values: a known constant vector is put
 * together anew, by several instructions, wherever a loop uses it.
 */
export let f16Moved: u32 = 0x8fffe000;
export let f16Scale: f32 = 5192296858534827628530496329220096.0; // 2^112

/**
 * Four f16 as f32, exactly: exponent and mantissa are moved to their places, and the exponent's bias is mended by a multiplication,
 * which also makes subnormals right. The sign bit stays on top because the load extends it. Values are finite. `moved` and `scale` are
 * the constants above in every lane.
 */
// @ts-ignore: decorator
@inline
function widenF16(p: usize, moved: v128, scale: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(v128.load_ext<i16>(p, 0, 1), 13), moved), scale);
}

// @ts-ignore: decorator
@inline
function widenOneF16(p: usize): f32 {
  return reinterpret<f32>((<i32>load<i16>(p) << 13) & 0x8fffe000) * reinterpret<f32>(0x77800000);
}

// @ts-ignore: decorator
@inline
function lanesOf(element: i32, p: usize, moved: v128, scale: v128): v128 {
  return element == elementF16 ? widenF16(p, moved, scale) : v128.load(p, 0, 1);
}

/** Sum over a row of f32 or f16; the widened values of the second are summed exactly as those of the first. */
// @ts-ignore: decorator
@inline
function sumFloat(metric: i32, element: i32, row: usize, query: usize, dims: u32): f32 {
  const shift = elementShift(element);
  const lanes = <usize>4 << shift; // bytes of four
  const moved = i32x4.splat(f16Moved);
  const scale = f32x4.splat(f16Scale);
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let p = row;
  let q = query;
  const end = row + (<usize>dims << shift);
  const end16 = row + (<usize>(dims & ~15) << shift);
  const end4 = row + (<usize>(dims & ~3) << shift);
  while (p < end16) {
    a0 = f32x4.add(a0, termF32(metric, lanesOf(element, p, moved, scale), v128.load(q)));
    a1 = f32x4.add(a1, termF32(metric, lanesOf(element, p + lanes, moved, scale), v128.load(q, 16)));
    a2 = f32x4.add(a2, termF32(metric, lanesOf(element, p + 2 * lanes, moved, scale), v128.load(q, 32)));
    a3 = f32x4.add(a3, termF32(metric, lanesOf(element, p + 3 * lanes, moved, scale), v128.load(q, 48)));
    p += 4 * lanes;
    q += 64;
  }
  while (p < end4) {
    a0 = f32x4.add(a0, termF32(metric, lanesOf(element, p, moved, scale), v128.load(q)));
    p += lanes;
    q += 16;
  }
  const a = f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
  let sum =
    f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 1) + (f32x4.extract_lane(a, 2) + f32x4.extract_lane(a, 3));
  while (p < end) {
    const x = element == elementF16 ? widenOneF16(p) : load<f32>(p);
    const y = load<f32>(q);
    if (metric == metricEuclidean) {
      const difference = x - y;
      sum += difference * difference;
    } else {
      sum += x * y;
    }
    p += <usize>1 << shift;
    q += 4;
  }
  return sum;
}

/**
 * Distances of two neighbouring rows of f16, low lane first, each with the bits that one alone has: the query is loaded once, and the steps that fold
 * the lanes of one row do not wait for those of the other. No norms: `metricDot` or `metricEuclidean`.
 */
// @ts-ignore: decorator
@inline
export function distancesOf2F16(metric: i32, dims: u32, row: usize, query: usize): v128 {
  const stride = <usize>dims << 1;
  const moved = i32x4.splat(f16Moved);
  const scale = f32x4.splat(f16Scale);
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let b2 = f32x4.splat(0);
  let b3 = f32x4.splat(0);
  let p = row;
  let q = query;
  const end = row + stride;
  const end16 = row + (<usize>(dims & ~15) << 1);
  const end4 = row + (<usize>(dims & ~3) << 1);
  while (p < end16) {
    const q0 = v128.load(q);
    a0 = f32x4.add(a0, termF32(metric, widenF16(p, moved, scale), q0));
    b0 = f32x4.add(b0, termF32(metric, widenF16(p + stride, moved, scale), q0));
    const q1 = v128.load(q, 16);
    a1 = f32x4.add(a1, termF32(metric, widenF16(p + 8, moved, scale), q1));
    b1 = f32x4.add(b1, termF32(metric, widenF16(p + stride + 8, moved, scale), q1));
    const q2 = v128.load(q, 32);
    a2 = f32x4.add(a2, termF32(metric, widenF16(p + 16, moved, scale), q2));
    b2 = f32x4.add(b2, termF32(metric, widenF16(p + stride + 16, moved, scale), q2));
    const q3 = v128.load(q, 48);
    a3 = f32x4.add(a3, termF32(metric, widenF16(p + 24, moved, scale), q3));
    b3 = f32x4.add(b3, termF32(metric, widenF16(p + stride + 24, moved, scale), q3));
    p += 32;
    q += 64;
  }
  while (p < end4) {
    const values = v128.load(q);
    a0 = f32x4.add(a0, termF32(metric, widenF16(p, moved, scale), values));
    b0 = f32x4.add(b0, termF32(metric, widenF16(p + stride, moved, scale), values));
    p += 8;
    q += 16;
  }
  const a = f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
  const b = f32x4.add(f32x4.add(b0, b1), f32x4.add(b2, b3));
  const pairs = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 2, 6), v128.shuffle<f32>(a, b, 1, 5, 3, 7));
  let sums = f32x4.add(pairs, v128.shuffle<f32>(pairs, pairs, 2, 3, 2, 3));
  while (p < end) {
    const values = f32x4.replace_lane(f32x4.splat(widenOneF16(p)), 1, widenOneF16(p + stride));
    sums = f32x4.add(sums, termF32(metric, values, v128.load32_splat(q)));
    p += 2;
    q += 4;
  }
  return metric == metricDot ? f32x4.sub(f32x4.splat(0), sums) : sums;
}

// @ts-ignore: decorator
@inline
function termI8(metric: i32, a: v128, b: v128): v128 {
  if (metric == metricEuclidean) {
    const difference = i16x8.sub(a, b);
    return i32x4.dot_i16x8_s(difference, difference);
  }
  return i32x4.dot_i16x8_s(a, b);
}

/**
 * Ones in the lanes of the last eight elements that full groups of eight leave over. The eight are loaded together,
 * overlapping the last group, so that no byte past the row is read.
 */
// @ts-ignore: decorator
@inline
function tailLanes(dims: u32): v128 {
  return i16x8.ge_s(i16x8(0, 1, 2, 3, 4, 5, 6, 7), i16x8.splat(<i16>(8 - (dims & 7))));
}

// @ts-ignore: decorator
@inline
function tailI8(metric: i32, row: usize, dims: u32, lanes: v128, queryTail: v128): v128 {
  return termI8(metric, v128.and(v128.load_ext<i8>(row + <usize>(dims - 8), 0, 1), lanes), queryTail);
}

// @ts-ignore: decorator
@inline
function queryTailI8(query: usize, dims: u32, lanes: v128): v128 {
  return v128.and(v128.load(query + (<usize>(dims - 8) << 1), 0, 1), lanes);
}

function sumFewI8(metric: i32, row: usize, query: usize, dims: u32): i32 {
  let sum: i32 = 0;
  for (let j: usize = 0; j < <usize>dims; j++) {
    const x = <i32>load<i8>(row + j);
    const y = <i32>load<i16>(query + (j << 1));
    sum += metric == metricEuclidean ? (x - y) * (x - y) : x * y;
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function sumI8(metric: i32, row: usize, query: usize, dims: u32): f32 {
  if (dims < 8) return <f32>sumFewI8(metric, row, query, dims);
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let p = row;
  let q = query;
  const end32 = row + <usize>(dims & ~31);
  const end8 = row + <usize>(dims & ~7);
  while (p < end32) {
    a0 = i32x4.add(a0, termI8(metric, v128.load_ext<i8>(p, 0, 1), v128.load(q)));
    a1 = i32x4.add(a1, termI8(metric, v128.load_ext<i8>(p, 8, 1), v128.load(q, 16)));
    a2 = i32x4.add(a2, termI8(metric, v128.load_ext<i8>(p, 16, 1), v128.load(q, 32)));
    a3 = i32x4.add(a3, termI8(metric, v128.load_ext<i8>(p, 24, 1), v128.load(q, 48)));
    p += 32;
    q += 64;
  }
  while (p < end8) {
    a0 = i32x4.add(a0, termI8(metric, v128.load_ext<i8>(p, 0, 1), v128.load(q)));
    p += 8;
    q += 16;
  }
  if (dims & 7) {
    const lanes = tailLanes(dims);
    a1 = i32x4.add(a1, tailI8(metric, row, dims, lanes, queryTailI8(query, dims, lanes)));
  }
  const a = i32x4.add(i32x4.add(a0, a1), i32x4.add(a2, a3));
  const sum =
    i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1) + i32x4.extract_lane(a, 2) + i32x4.extract_lane(a, 3);
  return <f32>sum;
}

/** Distances of four neighbouring rows of at least 8 dims, in row order. The query is loaded once for all four. */
// @ts-ignore: decorator
@inline
export function distancesOf4I8(
  metric: i32,
  dims: u32,
  row: usize,
  query: usize,
  inverseNorms: usize,
  queryInverseNorm: f32,
): v128 {
  const stride = <usize>dims;
  let p0 = row;
  let p1 = row + stride;
  let p2 = p1 + stride;
  let p3 = p2 + stride;
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let q = query;
  const end16 = row + <usize>(dims & ~15);
  while (p0 < end16) {
    const low = v128.load(q);
    a0 = i32x4.add(a0, termI8(metric, v128.load_ext<i8>(p0, 0, 1), low));
    a1 = i32x4.add(a1, termI8(metric, v128.load_ext<i8>(p1, 0, 1), low));
    a2 = i32x4.add(a2, termI8(metric, v128.load_ext<i8>(p2, 0, 1), low));
    a3 = i32x4.add(a3, termI8(metric, v128.load_ext<i8>(p3, 0, 1), low));
    const high = v128.load(q, 16);
    a0 = i32x4.add(a0, termI8(metric, v128.load_ext<i8>(p0, 8, 1), high));
    a1 = i32x4.add(a1, termI8(metric, v128.load_ext<i8>(p1, 8, 1), high));
    a2 = i32x4.add(a2, termI8(metric, v128.load_ext<i8>(p2, 8, 1), high));
    a3 = i32x4.add(a3, termI8(metric, v128.load_ext<i8>(p3, 8, 1), high));
    p0 += 16;
    p1 += 16;
    p2 += 16;
    p3 += 16;
    q += 32;
  }
  if (dims & 8) {
    const low = v128.load(q);
    a0 = i32x4.add(a0, termI8(metric, v128.load_ext<i8>(p0, 0, 1), low));
    a1 = i32x4.add(a1, termI8(metric, v128.load_ext<i8>(p1, 0, 1), low));
    a2 = i32x4.add(a2, termI8(metric, v128.load_ext<i8>(p2, 0, 1), low));
    a3 = i32x4.add(a3, termI8(metric, v128.load_ext<i8>(p3, 0, 1), low));
  }
  if (dims & 7) {
    const lanes = tailLanes(dims);
    const tail = queryTailI8(query, dims, lanes);
    a0 = i32x4.add(a0, tailI8(metric, row, dims, lanes, tail));
    a1 = i32x4.add(a1, tailI8(metric, row + stride, dims, lanes, tail));
    a2 = i32x4.add(a2, tailI8(metric, row + 2 * stride, dims, lanes, tail));
    a3 = i32x4.add(a3, tailI8(metric, row + 3 * stride, dims, lanes, tail));
  }
  const sums = f32x4.convert_i32x4_s(sumsOfLanes(a0, a1, a2, a3));
  if (metric == metricEuclidean) return sums;
  if (metric == metricDot) return f32x4.sub(f32x4.splat(0), sums);
  const scaled = f32x4.mul(f32x4.mul(sums, v128.load(inverseNorms, 0, 1)), f32x4.splat(queryInverseNorm));
  return f32x4.sub(f32x4.splat(1), scaled);
}

/** Four sums over lanes as the lanes of one vector: two rounds of interleaving and adding. */
// @ts-ignore: decorator
@inline
function sumsOfLanes(a0: v128, a1: v128, a2: v128, a3: v128): v128 {
  const a01 = i32x4.add(
    v128.shuffle<i32>(a0, a1, 0, 4, 1, 5),
    v128.shuffle<i32>(a0, a1, 2, 6, 3, 7),
  ); // a0[0]+a0[2], a1[0]+a1[2], a0[1]+a0[3], a1[1]+a1[3]
  const a23 = i32x4.add(
    v128.shuffle<i32>(a2, a3, 0, 4, 1, 5),
    v128.shuffle<i32>(a2, a3, 2, 6, 3, 7),
  );
  return i32x4.add(v128.shuffle<i64>(a01, a23, 0, 2), v128.shuffle<i64>(a01, a23, 1, 3));
}

/**
 * Distance of one row, lower is better. `0 - x` and `1 - x` instead of a negation: a distance is never -0, so equal
 * distances have equal bits.
 */
// @ts-ignore: decorator
@inline
export function distanceOf(
  metric: i32,
  element: i32,
  dims: u32,
  row: usize,
  query: usize,
  inverseNorm: usize,
  queryInverseNorm: f32,
): f32 {
  const sum = element == elementI8 ? sumI8(metric, row, query, dims) : sumFloat(metric, element, row, query, dims);
  if (metric == metricEuclidean) return sum;
  if (metric == metricDot) return <f32>0 - sum;
  return <f32>1 - sum * load<f32>(inverseNorm) * queryInverseNorm;
}

/** A distance whose metric and element are known at run time only. */
export function anyDistanceOf(
  metric: i32,
  element: i32,
  dims: u32,
  row: usize,
  query: usize,
  inverseNorm: usize,
  queryInverseNorm: f32,
): f32 {
  if (element == elementF32) return metricDistanceOf(metric, elementF32, dims, row, query, inverseNorm, queryInverseNorm);
  if (element == elementF16) return metricDistanceOf(metric, elementF16, dims, row, query, inverseNorm, queryInverseNorm);
  return metricDistanceOf(metric, elementI8, dims, row, query, inverseNorm, queryInverseNorm);
}

// @ts-ignore: decorator
@inline
function metricDistanceOf(
  metric: i32,
  element: i32,
  dims: u32,
  row: usize,
  query: usize,
  inverseNorm: usize,
  queryInverseNorm: f32,
): f32 {
  if (metric == metricDot) return distanceOf(metricDot, element, dims, row, query, inverseNorm, queryInverseNorm);
  if (metric == metricEuclidean) {
    return distanceOf(metricEuclidean, element, dims, row, query, inverseNorm, queryInverseNorm);
  }
  return distanceOf(metricCosine, element, dims, row, query, inverseNorm, queryInverseNorm);
}
