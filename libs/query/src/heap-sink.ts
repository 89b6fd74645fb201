import { nextUp, type RowSink } from '@lagoon/text';
import type { JobBlock } from './job-block.ts';
import type { RowOrder, TopRowsHeap } from './top-rows.ts';

/** A block whose rows are offered in ascending order. */
export interface SinkBlock {
  readonly job: JobBlock;
  /** Among the blocks of the job. */
  readonly position: number;
  /** The exact score; a row that has none, or not above 0, is left out. */
  readonly scoreAt: (row: number) => number;
  /** See `RowSink`. */
  readonly isExact: boolean;
}

/**
 * Takes rows of one block into the heap by their exact scores. Where rows are in the order of ids, and the worst row kept is of
 * a smaller id, a row must beat it: an equal score is not enough.
 */
export function createHeapSink(
  top: TopRowsHeap,
  order: RowOrder,
  { job, position, scoreAt, isExact }: SinkBlock,
): RowSink {
  const followsIds = job.block.ranks === undefined;
  let scoreMin = 0;
  const update = (row: number): void => {
    const worst = top.worst;
    if (worst === undefined) scoreMin = Number.MIN_VALUE;
    else if (followsIds && order(worst.block, worst.row, position, row) <= 0) scoreMin = nextUp(0 - worst.score);
    else scoreMin = 0 - worst.score;
  };
  update(0);
  const offerScored = (row: number, score: number): void => {
    if (!(score > 0)) return;
    top.offer(-score, position, row);
    update(row);
  };
  return {
    get scoreMin() {
      return scoreMin;
    },
    rowCountMax: top.limit,
    isExact,
    offer: (row) => offerScored(row, scoreAt(row)),
    offerScored,
  };
}
