import { andInPlace, type Bitmap, countBits, createBitmap, forEachBit, setBit } from '@lagoon/format';
import { aggregate } from './aggregate.ts';
import { evaluateFilter } from './evaluate-filter.ts';
import { evaluateIndexedFilter, type IndexedFilter } from './indexed-filter.ts';
import type { BlockLocation, SearchOutcome } from './job-block.ts';
import type { FilterPlan, RankPlan } from './query-plan.ts';
import { rankByOrder } from './rank-order.ts';
import { rankByText } from './rank-text.ts';
import { rankByVector } from './rank-vector.ts';
import { createRowMatcher } from './row-matcher.ts';
import type { RowBlock } from './row-ranks.ts';
import type { SearchContext } from './search-context.ts';

/** One query on the blocks of one snapshot. Live rows have distinct ids over all blocks. */
export interface SearchJob {
  readonly rank: RankPlan;
  readonly filter: FilterPlan | undefined;
  readonly limit: number;
  readonly blocks: readonly BlockLocation[];
  /** Per block what was looked up of the filter in its indexes; undefined: nothing. */
  readonly indexed: readonly (IndexedFilter | undefined)[];
}

/** Runs a query on this thread: in a worker, or in line where there is none. Pure but for what the context keeps. */
export function runSearchJob(context: SearchContext, job: SearchJob): SearchOutcome {
  const blocks = job.blocks.map((location, i) => {
    const block = context.openBlock(location);
    return { location, block, admitted: admittedRows(context, block, location.live, job.filter, job.indexed[i]) };
  });
  switch (job.rank.kind) {
    case 'vector':
      return rankByVector(context, job.rank, job.limit, blocks);
    case 'text':
      return rankByText(context, job.rank, job.limit, blocks);
    case 'order':
      return rankByOrder(job.rank, job.limit, blocks);
    case 'aggregate':
      return aggregate(job.rank, job.limit, blocks);
  }
}

function admittedRows(
  context: SearchContext,
  block: RowBlock,
  live: Bitmap | undefined,
  filter: FilterPlan | undefined,
  indexed: IndexedFilter | undefined,
): Bitmap | undefined {
  if (filter === undefined) return live;
  const evaluate = (part: FilterPlan, within: Bitmap | undefined): Bitmap => rowsAdmitted(block, part, within);
  const target = { rowCount: block.rowCount, bytesAt: context.bytesAt, evaluate };
  const rows = indexed === undefined ? evaluate(filter, live) : evaluateIndexedFilter(target, indexed, live);
  if (live !== undefined) andInPlace(rows, live);
  return rows;
}

/** Below this share of the rows, rows are asked one by one. */
const fewRowsShare = 1 / 16;

function rowsAdmitted(block: RowBlock, filter: FilterPlan, within: Bitmap | undefined): Bitmap {
  if (within === undefined || countBits(within) > fewRowsShare * block.rowCount) return evaluateFilter(block, filter);
  const rows = createBitmap(block.rowCount);
  const matches = createRowMatcher(block, filter);
  forEachBit(within, (row) => {
    if (matches(row)) setBit(rows, row);
  });
  return rows;
}
