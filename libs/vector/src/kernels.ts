import type { DistanceMetric } from './metric.ts';

/**
 * Kernels of one thread over one memory. All offsets are bytes in that memory.
 * Every score is a distance, lower is better: cosine_distance = 1 − dot · inverse norms, euclidean_squared = Σ (a − b)²,
 * dot_product = −dot. The scalar twin in `scalar-kernels.ts` gives bit-equal results.
 */
export interface Kernels {
  /**
   * The k rows nearest to the query among those that `rowMask` admits, ties by row number (rows are in id order).
   * Appends nothing beyond k; merges into what `top` already holds is the caller's work.
   */
  scanTopK(scan: VectorScan): TopRows;
  /** Distances of all rows into `out` (f32, rowCount long, in this memory); for tests, benches and order-by distance. */
  distances(scan: Omit<VectorScan, 'k' | 'rowMaskOffset'>, outOffset: number): void;
}

export interface VectorScan {
  readonly metric: DistanceMetric;
  readonly element: 'f32' | 'f16' | 'i8';
  readonly dims: number;
  readonly rowCount: number;
  /** Row-major values of the block. */
  readonly rowsOffset: number;
  /** f32 per row; only read for cosine_distance. */
  readonly inverseNormsOffset: number;
  /** dims values as the user gave them: i8 for rows of i8, else f32. */
  readonly query: Float32Array | Int8Array;
  /** `inverseNorm(query)` for cosine_distance, where one query meets many blocks; computed when absent. */
  readonly queryInverseNorm?: number;
  readonly k: number;
  /** Bitmap of admitted rows, least significant bit first; 0: all rows. */
  readonly rowMaskOffset: number;
  /** Only rows at a distance below it matter; Infinity: all. Rows exactly at the bound are kept, for ties by id. */
  readonly distanceBound: number;
}

/** Ascending by (distance, row); length = min(k, admitted rows within the bound). */
export interface TopRows {
  readonly rows: Uint32Array;
  readonly distances: Float32Array;
}
