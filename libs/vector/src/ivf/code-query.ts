import type { DistanceMetric } from '../metric.ts';
import { pq4CodeCount, pq4SubCount } from './list-layout.ts';

/**
 * A query as codes meet it. For every codec a row's distance is
 *
 *   leaf's distance + Σ factor · query · residual (+ the row's term)
 *
 * with factor −1 and a query of unit length for cosine_distance, −1 for dot_product, −2 for euclidean_squared, and the residual as the code
 * says it. So one preparation serves all lists of a segment.
 */
export interface CodeQuery {
  /** Added to the leaf's distance. */
  readonly bias: number;
  /** What one of the integer sum counts. */
  readonly unit: number;
}

/** Codes are within ±127, so i32 sums cannot overflow while the query's magnitudes add up to less than this. */
const int8QuerySumMax = Math.floor((2 ** 31 - 1) / 127);

/** Writes the query as i16 into `target`, which is as long as a row of codes; zeros behind the dimensions. */
export function prepareInt8(
  metric: DistanceMetric,
  query: Float32Array | Int8Array,
  queryInverseNorm: number,
  scales: Float32Array,
  target: Int16Array,
): CodeQuery {
  const factor = factorOf(metric, queryInverseNorm);
  let largest = 0;
  let sum = 0;
  for (let d = 0; d < query.length; d++) {
    const magnitude = Math.abs(factor * (query[d] as number) * (scales[d] as number));
    largest = Math.max(largest, magnitude);
    sum += magnitude;
  }
  target.fill(0);
  if (largest === 0) return { bias: 0, unit: 0 };
  const steps = Math.min(32_767 / largest, (int8QuerySumMax - query.length) / sum);
  for (let d = 0; d < query.length; d++) {
    target[d] = Math.round(factor * (query[d] as number) * (scales[d] as number) * steps);
  }
  return { bias: 0, unit: 1 / steps };
}

/**
 * Writes the table of 16 bytes per sub-quantizer. Sums over it stay below 2^16: the steps are no finer than 255 to the largest span of a sub-quantizer
 * and 65,535 to all spans together. Entries are rounded down; the bias makes up for the half step that this loses on average.
 */
export function preparePq4(
  metric: DistanceMetric,
  query: Float32Array | Int8Array,
  queryInverseNorm: number,
  codebook: Float32Array,
  target: Uint8Array,
): CodeQuery {
  const factor = factorOf(metric, queryInverseNorm);
  const subCount = pq4SubCount(query.length);
  const products = new Float64Array(subCount * pq4CodeCount);
  const lows = new Float64Array(subCount);
  let bias = 0;
  let spanMax = 0;
  let spanSum = 0;
  let spanCount = 0;
  for (let sub = 0; sub < subCount; sub++) {
    const x = factor * (query[2 * sub] as number);
    const y = factor * (query[2 * sub + 1] ?? 0);
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = sub * pq4CodeCount; i < (sub + 1) * pq4CodeCount; i++) {
      const product = x * (codebook[2 * i] as number) + y * (codebook[2 * i + 1] as number);
      products[i] = product;
      if (product < low) low = product;
      if (product > high) high = product;
    }
    lows[sub] = low;
    bias += low;
    spanSum += high - low;
    if (high > low) spanCount++;
    if (high - low > spanMax) spanMax = high - low;
  }
  if (spanMax === 0) {
    target.fill(0);
    return { bias, unit: 0 };
  }
  const steps = Math.min(255 / spanMax, 65_535 / spanSum);
  for (let i = 0; i < products.length; i++) {
    target[i] = Math.floor(((products[i] as number) - (lows[i >> 4] as number)) * steps);
  }
  return { bias: bias + spanCount / 2 / steps, unit: 1 / steps };
}

/** Distance at the sum 0, finite in f32 so that no sum of infinities is not a number. */
export function listBase(leafDistance: number, code: CodeQuery): number {
  return Math.max(-f32Max, Math.min(f32Max, leafDistance + code.bias));
}

const f32Max = 3.4028234663852886e38;

function factorOf(metric: DistanceMetric, queryInverseNorm: number): number {
  if (metric === 'euclidean_squared') return -2;
  return metric === 'cosine_distance' ? -queryInverseNorm : -1;
}
