import { blockRowCount } from './block-row-count.ts';
import { type Bm25NormParameters, bm25Gain, bm25Norm } from './bm25.ts';
import type { PostingsBlocks } from './postings-blocks.ts';

/**
 * The rows of one term with their gains: a term adds weight · gain to the score of a row. In blocks of 128 rows, which are
 * loaded when they are first looked into. What `MaxScore` works on; words of texts and dimensions of sparse vectors alike.
 */
export interface ScoreList {
  readonly count: number;
  /** By block: its last row, ascending. */
  readonly lastRows: Uint32Array;
  /** By block: the highest gain in it, exactly. */
  readonly blockGains: Float64Array;
  /** The gain of the block that is number `rank` ≥ 1 among the best; 0 where it is not known. */
  rankedGain(rank: number): number;
  /** By block: whether its rows and gains are there. */
  readonly loaded: Uint8Array;
  /** Ascending. */
  readonly rows: Uint32Array;
  /** ≥ 0 */
  readonly gains: Float64Array;
  load(block: number): void;
  readonly memoryBytes: number;
}

/** What lengths of texts cost, under one average length. */
export interface Bm25Norms {
  of(length: number): number;
}

/** Most texts are shorter. */
const tableLengthMax = 4_096;

export function createBm25Norms(averageLength: number, parameters: Bm25NormParameters): Bm25Norms {
  const table = Float64Array.from({ length: tableLengthMax }, (_, length) =>
    bm25Norm(length, averageLength, parameters),
  );
  return {
    of: (length) => (length < tableLengthMax ? (table[length] as number) : bm25Norm(length, averageLength, parameters)),
  };
}

/** The list of a term in a text index: gains are those of BM25. `lengths` are the index's. */
export function createBm25List(blocks: PostingsBlocks, lengths: Uint32Array, norms: Bm25Norms): ScoreList {
  const { count, lastRows } = blocks;
  const rows = new Uint32Array(count);
  const gains = new Float64Array(count);
  const loaded = new Uint8Array(lastRows.length);
  const frequencies = new Uint32Array(blockRowCount);
  const blockGains = boundsOf(blocks, norms);
  return {
    ...{ count, lastRows, loaded, rows, gains, blockGains },
    rankedGain: createRankedGains(blockGains),
    load: (block) => {
      blocks.unpack(block, rows, frequencies);
      const from = block * blockRowCount;
      const to = Math.min(from + blockRowCount, count);
      for (let i = from; i < to; i++) {
        gains[i] = bm25Gain(frequencies[i - from] as number, norms.of(lengths[rows[i] as number] as number));
      }
      loaded[block] = 1;
    },
    memoryBytes: 12 * count + 32 * lastRows.length,
  };
}

/** Ranks are known up to it. */
const gainRankMax = 128;

export function createRankedGains(blockGains: Float64Array): ScoreList['rankedGain'] {
  let best: Float64Array | undefined;
  return (rank) => {
    if (rank > blockGains.length || rank > gainRankMax) return 0;
    best ??= blockGains.toSorted().slice(-gainRankMax);
    return best[best.length - rank] as number;
  };
}

function boundsOf({ impactStarts, impactFrequencies, impactLengths }: PostingsBlocks, norms: Bm25Norms): Float64Array {
  const bounds = new Float64Array(impactStarts.length - 1);
  for (let block = 0; block < bounds.length; block++) {
    let bound = 0;
    for (let i = impactStarts[block] as number; i < (impactStarts[block + 1] as number); i++) {
      const gain = bm25Gain(impactFrequencies[i] as number, norms.of(impactLengths[i] as number));
      if (gain > bound) bound = gain;
    }
    bounds[block] = bound;
  }
  return bounds;
}
