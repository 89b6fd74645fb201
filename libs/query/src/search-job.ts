import { andInPlace, type Bitmap } from '@lagoon/format';
import { aggregate } from './aggregate.ts';
import { evaluateFilter } from './evaluate-filter.ts';
import type { BlockLocation, SearchOutcome } from './job-block.ts';
import type { FilterPlan, RankPlan } from './query-plan.ts';
import { rankByOrder } from './rank-order.ts';
import { rankByText } from './rank-text.ts';
import { rankByVector } from './rank-vector.ts';
import type { RowBlock } from './row-ranks.ts';
import type { SearchContext } from './search-context.ts';

/** One query on the blocks of one snapshot. Live rows have distinct ids over all blocks. */
export interface SearchJob {
  readonly rank: RankPlan;
  readonly filter: FilterPlan | undefined;
  readonly limit: number;
  readonly blocks: readonly BlockLocation[];
}

/** Runs a query on this thread: in a worker, or in line where there is none. Pure but for what the context keeps. */
export function runSearchJob(context: SearchContext, job: SearchJob): SearchOutcome {
  const blocks = job.blocks.map((location) => {
    const block = context.openBlock(location);
    return { location, block, admitted: admittedRows(block, location.live, job.filter) };
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

function admittedRows(block: RowBlock, live: Bitmap | undefined, filter: FilterPlan | undefined): Bitmap | undefined {
  if (filter === undefined) return live;
  const rows = evaluateFilter(block, filter);
  if (live !== undefined) andInPlace(rows, live);
  return rows;
}
