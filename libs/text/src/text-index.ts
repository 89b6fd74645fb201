import type { PostingsBlocks } from './postings-blocks.ts';

/** Rows that hold a term, ascending, with how often; views into the index. */
export interface Postings {
  readonly rows: Uint32Array;
  /** ≥ 1 */
  readonly frequencies: Uint32Array;
}

/** An inverted index over one string or []string column of n rows, in memory, immutable. */
export interface TextIndex {
  readonly rowCount: number;
  /** Terms per row; 0 for a missing or empty text. */
  readonly lengths: Uint32Array;
  /** Sum of the lengths. */
  readonly totalLength: number;
  readonly termCount: number;
  /** Bytes of the typed arrays, and an estimate for the dictionary. */
  readonly memoryBytes: number;
  /** `term` as the analyzer gives it; undefined where no row holds it. */
  postings(term: string): Postings | undefined;
  /** The same, unpacked block by block. */
  blocks(term: string): PostingsBlocks | undefined;
  /** The terms that begin with these characters, in no particular order. */
  termsWithPrefix(prefix: string): string[];
}
