import {
  andInPlace,
  andNotInPlace,
  type Bitmap,
  type Block,
  compareIds,
  countBits,
  createFullBitmap,
} from '@lagoon/format';
import { evaluateFilter } from './evaluate-filter.ts';
import type { FilterPlan, RankPlan } from './query-plan.ts';
import { rankByOrder } from './rank-order.ts';
import { rankByText } from './rank-text.ts';
import { rankByVector } from './rank-vector.ts';
import type { SearchContext } from './search-context.ts';
import type { RankedRows, RowOrder } from './top-rows.ts';

/** Where a block lies, and which of its rows live: all that a worker needs of it. */
export interface BlockLocation {
  /** Of these bytes at this place, never used again: what is opened there may be kept under it while the block is pinned. */
  readonly blockId: number;
  /** Of the bytes wherever they lie, for what is derived from them. */
  readonly contentId: string;
  readonly memoryIndex: number;
  readonly offset: number;
  readonly size: number;
  /** In shared memory and never changed; undefined: all rows live. */
  readonly live: Uint8Array | undefined;
  readonly liveRowCount: number;
}

/** One query on the blocks of one snapshot. Live rows have distinct ids over all blocks. */
export interface SearchJob {
  readonly rank: RankPlan;
  readonly filter: FilterPlan | undefined;
  readonly limit: number;
  readonly blocks: readonly BlockLocation[];
}

export interface SearchOutcome {
  readonly top: RankedRows;
  /** Rows whose vector or text was scored, or that were ordered. */
  readonly scoredRowCount: number;
}

/** A block of a job, opened, with the rows that may be answered. */
export interface JobBlock {
  readonly location: BlockLocation;
  readonly block: Block;
  /** Live rows that the filter admits; undefined: all rows. */
  readonly admitted: Bitmap | undefined;
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
  }
}

/** Ties are broken by id, ascending. */
export function createIdOrder(blocks: readonly JobBlock[]): RowOrder {
  const ids = blocks.map(({ block }) => block.ids);
  return (blockA, rowA, blockB, rowB) => {
    const [a, b] = [ids[blockA], ids[blockB]];
    return a === undefined || b === undefined ? blockA - blockB : compareIds(a, rowA, b, rowB);
  };
}

/** The admitted rows that also have a value. */
export function withValue(block: Block, admitted: Bitmap | undefined, nulls: Bitmap | undefined): Bitmap | undefined {
  if (nulls === undefined) return admitted;
  const rows = admitted?.slice() ?? createFullBitmap(block.rowCount);
  andNotInPlace(rows, nulls);
  return rows;
}

export function countAdmitted(block: Block, admitted: Bitmap | undefined): number {
  return admitted === undefined ? block.rowCount : countBits(admitted);
}

function admittedRows(block: Block, live: Bitmap | undefined, filter: FilterPlan | undefined): Bitmap | undefined {
  if (filter === undefined) return live;
  const rows = evaluateFilter(block, filter);
  if (live !== undefined) andInPlace(rows, live);
  return rows;
}
