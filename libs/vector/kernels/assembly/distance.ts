/**
 * Distances of one row. The lane order is the contract with `src/scalar-kernels.ts`, which must give equal bits:
 *
 * f32: element j of the full groups of 16 goes to lane j mod 16 (four accumulators of four lanes); the remaining full
 * groups of 4 go to lanes 0-3; lanes fold as (A0 + A1) + (A2 + A3), then (l0 + l1) + (l2 + l3); the last 0-3 elements
 * are added one by one. Multiplication and addition round separately (no fused operation: it is not deterministic).
 * i8: exact i32 sums, so order does not matter; converted to f32 once.
 */

export const metricDot: i32 = 0;
export const metricEuclidean: i32 = 1;
export const metricCosine: i32 = 2;

/** Whether rows are f32 or i8; the query is f32, or i8 widened to i16. */
export const elementF32: i32 = 0;
export const elementI8: i32 = 1;

// @ts-ignore: decorator
@inline
function termF32(metric: i32, a: v128, b: v128): v128 {
  if (metric == metricEuclidean) {
    const difference = f32x4.sub(a, b);
    return f32x4.mul(difference, difference);
  }
  return f32x4.mul(a, b);
}

// @ts-ignore: decorator
@inline
function sumF32(metric: i32, row: usize, query: usize, dims: u32): f32 {
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let p = row;
  let q = query;
  const end = row + (<usize>dims << 2);
  const end16 = row + (<usize>(dims & ~15) << 2);
  const end4 = row + (<usize>(dims & ~3) << 2);
  while (p < end16) {
    a0 = f32x4.add(a0, termF32(metric, v128.load(p, 0, 1), v128.load(q)));
    a1 = f32x4.add(a1, termF32(metric, v128.load(p, 16, 1), v128.load(q, 16)));
    a2 = f32x4.add(a2, termF32(metric, v128.load(p, 32, 1), v128.load(q, 32)));
    a3 = f32x4.add(a3, termF32(metric, v128.load(p, 48, 1), v128.load(q, 48)));
    p += 64;
    q += 64;
  }
  while (p < end4) {
    a0 = f32x4.add(a0, termF32(metric, v128.load(p, 0, 1), v128.load(q)));
    p += 16;
    q += 16;
  }
  const a = f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
  let sum =
    f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 1) + (f32x4.extract_lane(a, 2) + f32x4.extract_lane(a, 3));
  while (p < end) {
    const x = load<f32>(p);
    const y = load<f32>(q);
    if (metric == metricEuclidean) {
      const difference = x - y;
      sum += difference * difference;
    } else {
      sum += x * y;
    }
    p += 4;
    q += 4;
  }
  return sum;
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

// @ts-ignore: decorator
@inline
function sumI8(metric: i32, row: usize, query: usize, dims: u32): f32 {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let p = row;
  let q = query;
  const end = row + <usize>dims;
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
  const a = i32x4.add(i32x4.add(a0, a1), i32x4.add(a2, a3));
  let sum =
    i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1) + i32x4.extract_lane(a, 2) + i32x4.extract_lane(a, 3);
  while (p < end) {
    const x = <i32>load<i8>(p);
    const y = <i32>load<i16>(q);
    sum += metric == metricEuclidean ? (x - y) * (x - y) : x * y;
    p += 1;
    q += 2;
  }
  return <f32>sum;
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
  const sum = element == elementF32 ? sumF32(metric, row, query, dims) : sumI8(metric, row, query, dims);
  if (metric == metricEuclidean) return sum;
  if (metric == metricDot) return <f32>0 - sum;
  return <f32>1 - sum * load<f32>(inverseNorm) * queryInverseNorm;
}
