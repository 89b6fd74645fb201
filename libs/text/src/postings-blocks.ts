import { blockRowCount } from './block-row-count.ts';
import type { Postings } from './text-index.ts';

/**
 * The postings of one term in blocks of 128 rows, unpacked block by block: a table says of each block which row is its last
 * and which (frequency, length) pairs bound its rows.
 */
export interface PostingsBlocks {
  /** Rows that hold the term, ≥ 1. */
  readonly count: number;
  /** By block: its last row. Ascending. */
  readonly lastRows: Uint32Array;
  /** By block and one more: where its impacts begin in the next two. */
  readonly impactStarts: Uint32Array;
  readonly impactFrequencies: Uint32Array;
  readonly impactLengths: Uint32Array;
  /** Puts the block's rows at rows[128 · block …] and its frequencies at frequencies[0 …]. */
  unpack(block: number, rows: Uint32Array, frequencies: Uint32Array): void;
}

/** Of the (frequency, length) pairs of one block those that no other one beats in both. */
export interface Impacts {
  readonly frequencies: number[];
  readonly lengths: number[];
}

/** Of postings[from, to): by ascending length, so by ascending frequency. */
export function impactsOf(postings: Postings, lengths: Uint32Array, from: number, to: number): Impacts {
  const order = Array.from({ length: to - from }, (_, i) => from + i);
  const lengthOf = (i: number): number => lengths[postings.rows[i] as number] as number;
  const frequencyOf = (i: number): number => postings.frequencies[i] as number;
  order.sort((a, b) => lengthOf(a) - lengthOf(b) || frequencyOf(b) - frequencyOf(a));
  const best: Impacts = { frequencies: [], lengths: [] };
  for (const i of order) {
    if (frequencyOf(i) <= (best.frequencies.at(-1) ?? 0)) continue;
    best.frequencies.push(frequencyOf(i));
    best.lengths.push(lengthOf(i));
  }
  return best;
}

/** The same view of postings that are unpacked already. */
export function cutPostings(postings: Postings, lengths: Uint32Array): PostingsBlocks {
  const count = postings.rows.length;
  const blockCount = Math.ceil(count / blockRowCount);
  const lastRows = new Uint32Array(blockCount);
  const impactStarts = new Uint32Array(blockCount + 1);
  const frequencies: number[] = [];
  const impactLengths: number[] = [];
  for (let block = 0; block < blockCount; block++) {
    const to = Math.min((block + 1) * blockRowCount, count);
    lastRows[block] = postings.rows[to - 1] as number;
    const impacts = impactsOf(postings, lengths, block * blockRowCount, to);
    frequencies.push(...impacts.frequencies);
    impactLengths.push(...impacts.lengths);
    impactStarts[block + 1] = frequencies.length;
  }
  return {
    ...{ count, lastRows, impactStarts },
    impactFrequencies: Uint32Array.from(frequencies),
    impactLengths: Uint32Array.from(impactLengths),
    unpack: (block, rows, into) => {
      const from = block * blockRowCount;
      const to = Math.min(from + blockRowCount, count);
      rows.set(postings.rows.subarray(from, to), from);
      into.set(postings.frequencies.subarray(from, to), 0);
    },
  };
}
