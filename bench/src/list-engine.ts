import {
  createKernels,
  createListScorer,
  type DistanceMetric,
  type IvfIndex,
  inverseNorm,
  type Kernels,
  listBytes,
  listScratchBytes,
  scratchBytes,
} from '@lagoon/vector';
import type { Vectors } from './vectors.ts';

/** One index with its rows in memory, searched on the calling thread. */
export interface ListEngine {
  /** Input rows of the k nearest found in so many leaves, by so many candidates. */
  search(query: Float32Array, k: number, leaves: number, candidates: number): readonly number[];
}

/** WebAssembly memory that is filled from the front. */
function createSpace(bytes: number) {
  const scratch = { offset: 64, size: Math.max(listScratchBytes(), scratchBytes()) };
  const pages = Math.ceil((scratch.size + bytes) / 65_536) + 2;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  let end = 64 + scratch.size;
  const take = (size: number) => {
    const offset = Math.ceil(end / 64) * 64;
    end = offset + size;
    return offset;
  };
  return { memory, scratch, take };
}

export function createListEngine(module: WebAssembly.Module, rows: Vectors, index: IvfIndex): ListEngine {
  const { dims, rowCount } = rows;
  const { metric, order, leafEnds, centroids, code, codes } = index;
  const { memory, scratch, take } = createSpace(centroids.byteLength + codes.length + rowCount * (dims + 1) * 4);
  const centroidsOffset = take(centroids.byteLength);
  new Uint16Array(memory.buffer, centroidsOffset, centroids.length).set(centroids);
  const codesOffset = take(codes.length);
  new Uint8Array(memory.buffer, codesOffset, codes.length).set(codes);
  const rowsOffset = take(rowCount * dims * 4);
  const normsOffset = take(rowCount * 4);
  const rowView = new Float32Array(memory.buffer, rowsOffset, rowCount * dims);
  const norms = new Float32Array(memory.buffer, normsOffset, rowCount);
  order.forEach((row, position) => {
    const vector = rows.values.subarray(row * dims, (row + 1) * dims);
    rowView.set(vector, position * dims);
    norms[position] = inverseNorm(vector);
  });
  const starts = leafEnds.map((_, leaf) => (leaf === 0 ? 0 : at(leafEnds, leaf - 1)));
  const rowCounts = leafEnds.map((end, leaf) => end - at(starts, leaf));
  let next = codesOffset;
  const offsets = rowCounts.map((count, leaf) => {
    if (code.codec === 'flat') return rowsOffset + at(starts, leaf) * dims * 4;
    next += listBytes(code.codec, metric, dims, count);
    return next - listBytes(code.codec, metric, dims, count);
  });
  const scorer = createListScorer(module, () => ({ memory, scratch }));
  const blocks = [{ memoryIndex: 0, centroidsOffset, leafCount: leafEnds.length }];
  return {
    search: (query, k, leaves, candidates) => {
      const asked = { metric, dims, query, queryInverseNorm: inverseNorm(query) };
      const near = scorer.nearestLeaves({ ...asked, leavesMax: leaves }, blocks);
      const pick = (values: Uint32Array) => near.leaves.map((leaf) => at(values, leaf));
      scorer.begin({ ...asked, candidatesMax: candidates });
      scorer.score({
        ...{ memoryIndex: 0, code, element: 'f32', rowBase: 0, leafDistances: near.distances },
        ...{ starts: pick(starts), rowCounts: pick(rowCounts), offsets: pick(offsets) },
        inverseNormOffsets: near.leaves.map((leaf) => normsOffset + at(starts, leaf) * 4),
      });
      const found = scorer.finish();
      if (code.codec === 'flat') return Array.from(found.numbers.subarray(0, k), (position) => at(order, position));
      const distances = scorer.distancesOf({
        ...{ ...asked, memoryIndex: 0, element: 'f32' },
        offsets: found.numbers.map((position) => rowsOffset + position * dims * 4),
        inverseNorms: Float32Array.from(found.numbers, (position) => norms[position] as number),
      });
      return nearest(distances, k).map((i) => at(order, at(found.numbers, i)));
    },
  };
}

/** Positions of the k smallest, by a short sorted list. */
function nearest(distances: Float32Array, k: number): readonly number[] {
  const best: number[] = [];
  for (let i = 0; i < distances.length; i++) {
    const distance = distances[i] as number;
    if (best.length === k && distance >= (distances[best[k - 1] as number] as number)) continue;
    let slot = best.length;
    while (slot > 0 && (distances[best[slot - 1] as number] as number) > distance) slot--;
    best.splice(slot, 0, i);
    if (best.length > k) best.pop();
  }
  return best;
}

export function exactNeighbours(
  module: WebAssembly.Module,
  metric: DistanceMetric,
  rows: Vectors,
  queries: readonly Float32Array[],
  k: number,
): readonly Uint32Array[] {
  const scan = createScan(module, metric, rows);
  return queries.map((query) => scan(query, k));
}

/** The k nearest of all rows by the exact kernel. */
function createScan(module: WebAssembly.Module, metric: DistanceMetric, { values, rowCount, dims }: Vectors) {
  const { memory, scratch, take } = createSpace(values.byteLength + rowCount * 4);
  const rowsOffset = take(values.byteLength);
  const inverseNormsOffset = take(rowCount * 4);
  new Float32Array(memory.buffer, rowsOffset, values.length).set(values);
  const norms = new Float32Array(memory.buffer, inverseNormsOffset, rowCount);
  for (let row = 0; row < rowCount; row++) norms[row] = inverseNorm(values.subarray(row * dims, (row + 1) * dims));
  const kernels: Kernels = createKernels(module, memory, scratch);
  return (query: Float32Array, k: number) =>
    kernels.scanTopK({
      ...{ metric, element: 'f32', dims, rowCount, rowsOffset, inverseNormsOffset, query, k },
      ...{ rowMaskOffset: 0, distanceBound: Number.POSITIVE_INFINITY },
    }).rows;
}

/** Centroids of unit length, and the leaf of every row. */
export interface Clustering {
  readonly centroids: Vectors;
  readonly leafOfRow: Uint32Array;
}

/**
 * Share of the rows that lie in the nearest leaves which hold so much of the true neighbours, on average over the queries; between two numbers of leaves
 * by proportion.
 */
export function rowsScannedAt(
  module: WebAssembly.Module,
  { centroids, leafOfRow }: Clustering,
  queries: readonly Float32Array[],
  truth: readonly Uint32Array[],
  recall: number,
): number {
  const leafCount = centroids.rowCount;
  const scan = createScan(module, 'cosine_distance', centroids);
  const sizes = new Uint32Array(leafCount);
  for (const leaf of leafOfRow) sizes[leaf] = at(sizes, leaf) + 1;
  const hits = new Float64Array(leafCount);
  const scanned = new Float64Array(leafCount);
  for (const [i, query] of queries.entries()) {
    const ranks = new Uint32Array(leafCount);
    scan(query, leafCount).forEach((leaf, rank) => {
      ranks[leaf] = rank;
      scanned[rank] = (scanned[rank] as number) + at(sizes, leaf);
    });
    for (const row of truth[i] as Uint32Array) {
      const rank = at(ranks, at(leafOfRow, row));
      hits[rank] = (hits[rank] as number) + 1;
    }
  }
  const wanted = recall * hits.reduce((sum, count) => sum + count, 0);
  let found = 0;
  let rowSum = 0;
  for (let rank = 0; rank < leafCount; rank++) {
    const gained = hits[rank] as number;
    const rows = scanned[rank] as number;
    if (found + gained >= wanted) {
      rowSum += rows * ((wanted - found) / gained);
      break;
    }
    found += gained;
    rowSum += rows;
  }
  return rowSum / queries.length / leafOfRow.length;
}

/** Lloyd's k-means with one level, in the plain way: what the tree is compared with. */
export function flatClustering(module: WebAssembly.Module, rows: Vectors, leafCount: number): Clustering {
  const { values, rowCount, dims } = rows;
  const rowAt = (row: number) => values.subarray(row * dims, (row + 1) * dims);
  const centroids = new Float32Array(leafCount * dims);
  for (let leaf = 0; leaf < leafCount; leaf++) {
    centroids.set(rowAt(Math.floor((leaf * rowCount) / leafCount)), leaf * dims);
  }
  const stepRows = 5; // trains on every fifth row
  for (let step = 0; step < 8; step++) {
    const scan = createScan(module, 'cosine_distance', { values: centroids, rowCount: leafCount, dims });
    const sums = new Float64Array(leafCount * dims);
    for (let row = 0; row < rowCount; row += stepRows) {
      const vector = rowAt(row);
      const leaf = at(scan(vector, 1), 0);
      const norm = inverseNorm(vector);
      for (let d = 0; d < dims; d++) {
        sums[leaf * dims + d] = (sums[leaf * dims + d] as number) + (vector[d] as number) * norm;
      }
    }
    for (let leaf = 0; leaf < leafCount; leaf++) {
      const sum = Float32Array.from(sums.subarray(leaf * dims, (leaf + 1) * dims));
      if (inverseNorm(sum) > 0) centroids.set(sum, leaf * dims);
    }
  }
  const scan = createScan(module, 'cosine_distance', { values: centroids, rowCount: leafCount, dims });
  const leafOfRow = Uint32Array.from({ length: rowCount }, (_, row) => at(scan(rowAt(row), 1), 0));
  return { centroids: { values: centroids, rowCount: leafCount, dims }, leafOfRow };
}

function at(values: Uint32Array, index: number): number {
  return values[index] as number;
}
