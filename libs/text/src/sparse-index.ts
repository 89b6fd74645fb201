import { blockRowCount } from './block-row-count.ts';
import { createRankedGains, type ScoreList } from './score-list.ts';

/** An inverted index over one column of sparse vectors, in memory, immutable. */
export interface SparseIndex {
  /** Rows that hold a dimension with their weights as gains; with `isNegated` of these the negatives. */
  list(dimension: number, isNegated: boolean): SparseList | undefined;
  readonly memoryBytes: number;
}

export interface SparseList extends ScoreList {
  /** Whether a gain is below 0: sums of such lists are not bounded by their parts from below. */
  readonly hasNegative: boolean;
}

/** A []entry column of n rows: row r holds the entries [rowOffsets[r], rowOffsets[r + 1]). */
export interface SparseColumn {
  readonly rowCount: number;
  readonly rowOffsets: Uint32Array;
  readonly entries: BigUint64Array;
  /** Dimension and weight of an entry. */
  readonly unpack: (entry: bigint) => { readonly dimension: number; readonly weight: number };
}

export function buildSparseIndex({ rowCount, rowOffsets, entries, unpack }: SparseColumn): SparseIndex {
  const numbers = new Map<number, number>(); // by dimension, in the order of their first appearance
  const entryCount = rowOffsets[rowCount] as number;
  const numberOfEntry = new Uint32Array(entryCount);
  const weights = new Float64Array(entryCount);
  for (let i = 0; i < entryCount; i++) {
    const { dimension, weight } = unpack(entries[i] as bigint);
    let number = numbers.get(dimension);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(dimension, number);
    }
    numberOfEntry[i] = number;
    weights[i] = weight;
  }
  const starts = new Uint32Array(numbers.size + 1);
  for (const number of numberOfEntry) starts[number + 1] = (starts[number + 1] as number) + 1;
  for (let number = 0; number < numbers.size; number++) {
    starts[number + 1] = (starts[number + 1] as number) + (starts[number] as number);
  }
  const rows = new Uint32Array(entryCount);
  const gains = new Float64Array(entryCount);
  const next = starts.slice();
  for (let row = 0; row < rowCount; row++) {
    for (let i = rowOffsets[row] as number; i < (rowOffsets[row + 1] as number); i++) {
      const number = numberOfEntry[i] as number;
      const at = next[number] as number;
      rows[at] = row;
      gains[at] = weights[i] as number;
      next[number] = at + 1;
    }
  }
  const lists = new Map<number, SparseList>();
  const negated = new Map<number, SparseList>();
  return {
    list: (dimension, isNegated) => {
      const number = numbers.get(dimension);
      if (number === undefined) return undefined;
      const known = (isNegated ? negated : lists).get(number);
      if (known !== undefined) return known;
      const [from, to] = [starts[number] as number, starts[number + 1] as number];
      const own = gains.subarray(from, to);
      const list = listOf(rows.subarray(from, to), isNegated ? own.map((gain) => -gain) : own);
      (isNegated ? negated : lists).set(number, list);
      return list;
    },
    memoryBytes: 24 * entryCount + 64 * numbers.size, // negated lists included
  };
}

function listOf(rows: Uint32Array, gains: Float64Array): SparseList {
  const count = rows.length;
  const blockCount = Math.ceil(count / blockRowCount);
  const lastRows = new Uint32Array(blockCount);
  const blockGains = new Float64Array(blockCount);
  let hasNegative = false;
  for (let i = 0; i < count; i++) {
    const block = Math.floor(i / blockRowCount);
    const gain = gains[i] as number;
    lastRows[block] = rows[i] as number;
    if (gain > (blockGains[block] as number)) blockGains[block] = gain;
    if (gain < 0) hasNegative = true;
  }
  return {
    ...{ count, lastRows, blockGains, rows, gains, hasNegative },
    rankedGain: createRankedGains(blockGains),
    loaded: new Uint8Array(blockCount).fill(1),
    load: () => {},
    memoryBytes: 12 * count,
  };
}
