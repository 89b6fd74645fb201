import { assert } from '@lagoon/base';
import { inverseNorm } from './inverse-norm.ts';
import { fromHalves } from './ivf/half-float.ts';
import type { Kernels, TopRows, VectorScan } from './kernels.ts';
import type { DistanceMetric } from './metric.ts';
import { assertRankedScan, assertScan, elementBytes } from './vector-scan.ts';

/**
 * The kernels in plain TypeScript: the same lane order (see README) and rounding after every operation, so results are
 * equal in every bit. It is the oracle of the WebAssembly kernels, written for clarity, and far slower.
 */
export function createScalarKernels(memory: WebAssembly.Memory): Kernels {
  return {
    scanTopK: (scan) => {
      assertRankedScan(scan, memory);
      return topRows(scan, distancesOf(scan, memory), maskOf(scan, memory));
    },
    distances: (scan, outOffset) => {
      assertScan(scan, memory);
      new Float32Array(memory.buffer, outOffset, scan.rowCount).set(distancesOf(scan, memory));
    },
  };
}

type Scan = Omit<VectorScan, 'k' | 'rowMaskOffset'>;

function distancesOf(scan: Scan, memory: WebAssembly.Memory): Float32Array {
  const rows = scalarRows(memory, scan.element, scan.rowsOffset, scan.rowCount * scan.dims);
  const cosine = scan.metric === 'cosine_distance';
  const norms = cosine ? new Float32Array(memory.buffer, scan.inverseNormsOffset, scan.rowCount) : undefined;
  const queryNorm = cosine ? (scan.queryInverseNorm ?? inverseNorm(scan.query)) : 0;
  const distances = new Float32Array(scan.rowCount);
  for (let row = 0; row < scan.rowCount; row++) {
    const values = rows.subarray(row * scan.dims, (row + 1) * scan.dims);
    distances[row] = scalarDistance(scan.metric, values, scan.query, norms?.[row] ?? 0, queryNorm);
  }
  return distances;
}

/** Values as they lie in memory; f16 widened, with which the lane order of f32 continues. */
export function scalarRows(
  memory: WebAssembly.Memory,
  element: VectorScan['element'],
  offset: number,
  count: number,
): Float32Array | Int8Array {
  if (element === 'i8') return new Int8Array(memory.buffer, offset, count);
  const bytes = new Uint8Array(memory.buffer, offset, count * elementBytes(element)).slice(); // lies anywhere
  return element === 'f32' ? new Float32Array(bytes.buffer) : fromHalves(new Uint16Array(bytes.buffer));
}

/** The distance of one row, bits as the kernels'. */
export function scalarDistance(
  metric: DistanceMetric,
  row: Float32Array | Int8Array,
  query: Float32Array | Int8Array,
  rowNorm: number,
  queryNorm: number,
): number {
  const sum = row instanceof Int8Array ? sumI8(metric, row, query) : sumF32(metric, row, query);
  return distanceOf(metric, sum, rowNorm, queryNorm);
}

function distanceOf(metric: DistanceMetric, sum: number, rowNorm: number, queryNorm: number): number {
  if (metric === 'euclidean_squared') return sum;
  if (metric === 'dot_product') return 0 - sum;
  return Math.fround(1 - Math.fround(Math.fround(sum * rowNorm) * Math.fround(queryNorm)));
}

type Values = Float32Array | Int8Array;

function sumF32(metric: DistanceMetric, row: Values, query: Values): number {
  const lanes = new Float32Array(16); // stores round to f32
  const end16 = row.length & ~15;
  const end4 = row.length & ~3;
  for (let j = 0; j < end16; j++) lanes[j & 15] = at(lanes, j & 15) + termF32(metric, at(row, j), at(query, j));
  for (let j = end16; j < end4; j++) lanes[j & 3] = at(lanes, j & 3) + termF32(metric, at(row, j), at(query, j));
  const folded = new Float32Array(4);
  for (let lane = 0; lane < 4; lane++) {
    const low = Math.fround(at(lanes, lane) + at(lanes, lane + 4));
    const high = Math.fround(at(lanes, lane + 8) + at(lanes, lane + 12));
    folded[lane] = low + high;
  }
  let sum = Math.fround(Math.fround(at(folded, 0) + at(folded, 1)) + Math.fround(at(folded, 2) + at(folded, 3)));
  for (let j = end4; j < row.length; j++) sum = Math.fround(sum + termF32(metric, at(row, j), at(query, j)));
  return sum;
}

function termF32(metric: DistanceMetric, a: number, b: number): number {
  if (metric !== 'euclidean_squared') return Math.fround(a * b);
  const difference = Math.fround(a - b);
  return Math.fround(difference * difference);
}

/** Exact: at most 10,752 terms of 255², below 2^31. Rounded to f32 once. */
function sumI8(metric: DistanceMetric, row: Values, query: Values): number {
  let sum = 0;
  for (let j = 0; j < row.length; j++) {
    const a = at(row, j);
    const b = at(query, j);
    sum += metric === 'euclidean_squared' ? (a - b) * (a - b) : a * b;
  }
  return Math.fround(sum);
}

function topRows(scan: VectorScan, distances: Float32Array, admits: (row: number) => boolean): TopRows {
  const kept: number[] = [];
  for (let row = 0; row < scan.rowCount; row++) {
    if (!admits(row)) continue;
    assert(!Number.isNaN(at(distances, row)), 'no distance is NaN');
    if (at(distances, row) <= scan.distanceBound) kept.push(row);
  }
  kept.sort((a, b) => ascending(at(distances, a), at(distances, b)) || a - b);
  const rows = Uint32Array.from(kept.slice(0, scan.k));
  return { rows, distances: Float32Array.from(rows, (row) => at(distances, row)) };
}

/** Not a subtraction: two infinite distances are equal. */
function ascending(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function maskOf(scan: VectorScan, memory: WebAssembly.Memory): (row: number) => boolean {
  if (scan.rowMaskOffset === 0) return () => true;
  const mask = new Uint8Array(memory.buffer, scan.rowMaskOffset, Math.ceil(scan.rowCount / 8));
  return (row) => (((mask[row >> 3] as number) >> (row & 7)) & 1) === 1;
}

function at(values: Float32Array | Int8Array, index: number): number {
  return values[index] as number;
}
