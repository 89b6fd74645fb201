/** Order of two rows whose scores are equal; never 0 for two different rows. Blocks are positions in the job's list. */
export type RowOrder = (blockA: number, rowA: number, blockB: number, rowB: number) => number;

/**
 * The best `limit` rows of those offered: lowest score first, equal scores by `order`. A binary heap with the worst row on
 * top, so most rows cost one comparison. Scores are never NaN.
 */
export interface TopRowsHeap {
  readonly limit: number;
  offer(score: number, block: number, row: number): void;
  /** No row with a score above it can enter: Infinity while there is room. */
  readonly scoreBound: number;
  /** The row that goes next; undefined while there is room. */
  readonly worst: { readonly score: number; readonly block: number; readonly row: number } | undefined;
  /** Empties the heap. */
  takeSorted(): RankedRows;
}

/** Best first. Plain data: crosses between threads. */
export interface RankedRows {
  readonly blocks: Uint32Array;
  readonly rows: Uint32Array;
  readonly scores: Float64Array;
}

export const noRankedRows: RankedRows = {
  blocks: new Uint32Array(0),
  rows: new Uint32Array(0),
  scores: new Float64Array(0),
};

/** Of rows that were ranked by a score that is higher the better they are. */
export function negated({ blocks, rows, scores }: RankedRows): RankedRows {
  for (let i = 0; i < scores.length; i++) scores[i] = 0 - (scores[i] as number);
  return { blocks, rows, scores };
}

export function createTopRows(limit: number, order: RowOrder): TopRowsHeap {
  const scores: number[] = [];
  const blocks: number[] = [];
  const rows: number[] = [];
  let count = 0;

  const isWorse = (score: number, block: number, row: number, slot: number): boolean => {
    const other = scores[slot] as number;
    if (score !== other) return score > other;
    return order(block, row, blocks[slot] as number, rows[slot] as number) > 0;
  };
  const put = (slot: number, score: number, block: number, row: number): void => {
    scores[slot] = score;
    blocks[slot] = block;
    rows[slot] = row;
  };
  const move = (from: number, to: number): void =>
    put(to, scores[from] as number, blocks[from] as number, rows[from] as number);

  const siftUp = (start: number, score: number, block: number, row: number): void => {
    let slot = start;
    while (slot > 0) {
      const parent = (slot - 1) >>> 1;
      if (!isWorse(score, block, row, parent)) break;
      move(parent, slot);
      slot = parent;
    }
    put(slot, score, block, row);
  };
  const siftDown = (score: number, block: number, row: number): void => {
    let slot = 0;
    for (let child = 1; child < count; child = 2 * slot + 1) {
      const right = child + 1;
      const worse =
        right < count && isWorse(scores[right] as number, blocks[right] as number, rows[right] as number, child)
          ? right
          : child;
      if (isWorse(score, block, row, worse)) break;
      move(worse, slot);
      slot = worse;
    }
    put(slot, score, block, row);
  };

  return {
    limit,
    get scoreBound() {
      return count < limit ? Infinity : (scores[0] as number);
    },
    get worst() {
      if (count < limit) return undefined;
      return { score: scores[0] as number, block: blocks[0] as number, row: rows[0] as number };
    },
    offer: (score, block, row) => {
      if (count < limit) {
        siftUp(count++, score, block, row);
        return;
      }
      if (score > (scores[0] as number) || isWorse(score, block, row, 0)) return;
      siftDown(score, block, row);
    },
    takeSorted: () => {
      const sorted = { blocks: new Uint32Array(count), rows: new Uint32Array(count), scores: new Float64Array(count) };
      while (count > 0) {
        const last = --count;
        sorted.blocks[last] = blocks[0] as number;
        sorted.rows[last] = rows[0] as number;
        sorted.scores[last] = scores[0] as number;
        if (last > 0) siftDown(scores[last] as number, blocks[last] as number, rows[last] as number);
      }
      return sorted;
    },
  };
}
