import type { ScratchRegion } from '../arena.ts';
import type { DistanceMetric } from '../metric.ts';

/**
 * Lists of an inverted file: rows in cluster order, one list per leaf, codes of the rows by a codec.
 * A _leaf_ is a centroid with its list; a _position_ is a row's place in cluster order (lists lie one after the other).
 */

/** flat: the rows themselves; int8: residuals by one byte per dimension; pq4: 4 bits per two dimensions, scanned 32 rows at a time. */
export type ListCodec = 'flat' | 'int8' | 'pq4';

/** What a build reads its rows from. Called by the building thread only, one call at a time. */
export interface IvfRows {
  readonly rowCount: number;
  readonly dims: number;
  /** Writes rows [start, start + count) as the user gave them, widened to f32, row-major. Values are finite. */
  read(start: number, count: number, target: Float32Array): void;
}

export interface IvfBuildOptions {
  readonly metric: DistanceMetric;
  readonly codec: ListCodec;
  /** Everything random follows from it, a u32: same rows, options and seed give the same bytes, however many threads. */
  readonly seed: number;
  /** Rows per leaf aimed at; by default from the row count, about 100 to 400. */
  readonly leafRows?: number;
  /** Rows that ask as queries to learn budgets; 0: budgets say "all leaves". */
  readonly learningQueryCount?: number;
  /** pq4: the codebook of another segment of the column, for segments that are too small to learn one. */
  readonly codebook?: Float32Array;
}

export interface IvfIndex {
  readonly metric: DistanceMetric;
  readonly dims: number;
  readonly rowCount: number;
  /** Input row of each position. */
  readonly order: Uint32Array;
  /** Position behind the last row of each leaf, ascending; the last is rowCount. No leaf is empty. */
  readonly leafEnds: Uint32Array;
  /** f16 bits, leaf-major; of unit length (or zero) for cosine_distance. */
  readonly centroids: Uint16Array;
  readonly code: ListCode;
  /** The lists' codes one after the other, `listBytes` each; empty for flat, where the rows in cluster order are the lists. */
  readonly codes: Uint8Array;
  readonly budgets: IvfBudgets;
}

/** Parameters of the codes, one set per segment. */
export type ListCode =
  | { readonly codec: 'flat' }
  /** Value of a code per dimension: residual ≈ code · scale. */
  | { readonly codec: 'int8'; readonly scales: Float32Array }
  /** Per sub-quantizer 16 pairs: ⌈dims / 2⌉ × 16 × 2. */
  | { readonly codec: 'pq4'; readonly codebook: Float32Array };

/** Learned on rows of the segment that asked for their neighbours, themselves excluded. Arrays are [k][recall]. */
export interface IvfBudgets {
  readonly ks: readonly number[];
  readonly recalls: readonly number[];
  /** Nearest leaves to scan, from one to all. */
  readonly leaves: Uint32Array;
  /** Best candidates by code to rank by their rows. */
  readonly candidates: Uint32Array;
}

/** Centroids of one segment in a memory. */
export interface LeafBlock {
  readonly memoryIndex: number;
  /** f16, as stored. Any alignment. */
  readonly centroidsOffset: number;
  readonly leafCount: number;
}

export interface LeafSearch {
  readonly metric: DistanceMetric;
  readonly dims: number;
  /** As the user gave it; i8 queries widened. */
  readonly query: Float32Array;
  readonly queryInverseNorm?: number;
  readonly leavesMax: number;
}

/** Nearest leaves over all blocks, ascending by distance, then block, then leaf. */
export interface NearestLeaves {
  /** Position in the list of blocks. */
  readonly blocks: Uint32Array;
  readonly leaves: Uint32Array;
  /** The metric's distance between query and centroid; `ProbedLists` wants it back. */
  readonly distances: Float32Array;
}

/** A query over lists; candidates of all segments compete in one buffer. */
export interface ListSearch {
  readonly metric: DistanceMetric;
  readonly dims: number;
  /** As the user gave it; Int8Array where rows are of i8, whatever their lists. */
  readonly query: Float32Array | Int8Array;
  readonly queryInverseNorm?: number;
  /** Best rows to keep. */
  readonly candidatesMax: number;
  /** Only rows at an (approximate) distance up to it are kept; default: all. */
  readonly distanceBound?: number;
}

/** Lists of one segment's column, in one memory. Columns of equal length, an entry per list; best first is fastest. */
export interface ProbedLists {
  readonly memoryIndex: number;
  readonly code: ListCode;
  /** Of flat lists. */
  readonly element: 'f32' | 'f16' | 'i8';
  /** Added to positions to make a candidate's number; sums of all segments stay below 2^32. */
  readonly rowBase: number;
  /** First position and rows of each list. */
  readonly starts: Uint32Array;
  readonly rowCounts: Uint32Array;
  /** Where the codes (flat: rows) of each list begin in the memory. */
  readonly offsets: Uint32Array;
  /** Flat lists under cosine_distance: where the f32 inverse norms of the list's rows begin. */
  readonly inverseNormOffsets?: Uint32Array;
  /** Distance between query and centroid of each list; not read for flat lists. */
  readonly leafDistances: Float32Array;
  /** Bitmap of admitted positions of the segment, least significant bit first; absent: all. */
  readonly positionMask?: Uint8Array;
}

/** Ascending by (distance, number). */
export interface ListCandidates {
  /** rowBase + position. */
  readonly numbers: Uint32Array;
  /** Approximate for int8 and pq4; exact for flat. */
  readonly distances: Float32Array;
}

/** Exact distances of scattered rows. */
export interface RowDistances {
  readonly metric: DistanceMetric;
  readonly element: 'f32' | 'f16' | 'i8';
  readonly dims: number;
  readonly query: Float32Array | Int8Array;
  readonly queryInverseNorm?: number;
  readonly memoryIndex: number;
  /** Where each row begins in the memory. */
  readonly offsets: Uint32Array;
  /** Of each row; only for cosine_distance. */
  readonly inverseNorms?: Float32Array;
}

/**
 * Searches lists on one thread over the memories of an arena. `begin`, then any number of `score`, then `finish`; the scratch
 * regions belong to the scorer meanwhile, and during the other calls.
 */
export interface ListScorer {
  nearestLeaves(search: LeafSearch, blocks: readonly LeafBlock[]): NearestLeaves;
  begin(search: ListSearch): void;
  score(lists: ProbedLists): void;
  finish(): ListCandidates;
  /** Bits equal to those of `Kernels.scanTopK` on the same rows. */
  distancesOf(rows: RowDistances): Float32Array;
}

/** A memory and the part of it that one scorer alone writes; see `listScratchBytes`. */
export interface ScorerMemory {
  readonly memory: WebAssembly.Memory;
  readonly scratch: ScratchRegion;
}
