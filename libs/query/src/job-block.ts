import { andNotInPlace, type Bitmap, type Block, compareIds, countBits, createFullBitmap } from '@lagoon/format';
import type { KnownIds } from './known-ids.ts';
import type { PieceOutcome } from './piece-step.ts';
import type { FilterPlan } from './query-plan.ts';
import type { AggregateGroup } from './query-result.ts';
import { type RowBlock, rankOfRow } from './row-ranks.ts';
import type { TraceLine } from './search-trace.ts';
import type { StoredSegment } from './stored-segment.ts';
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
  /** Set where nothing lies at the place above: the parts of a segment that are there. */
  readonly segment: StoredSegment | undefined;
  readonly liveRowCount: number;
}

/** A block of a job, opened, with the rows that may be answered. */
export interface JobBlock {
  readonly location: BlockLocation;
  readonly block: RowBlock;
  /** Live rows that the filter admits; undefined: all rows. */
  readonly admitted: Bitmap | undefined;
  /** Those of them that another filter matches; other rows are no matter. */
  readonly filterRows: (filter: FilterPlan) => Bitmap;
}

export interface SearchOutcome {
  readonly top: RankedRows;
  /** Rows whose vector or text was scored, or that were ordered. */
  readonly scoredRowCount: number;
  /** Of an aggregation, which has no top rows. */
  readonly groups?: readonly AggregateGroup[];
  /** Of these, rows that no index led to; undefined: all of them. */
  readonly exhaustiveRowCount?: number;
  /** Segments that were passed over for the ranges of their attributes. */
  readonly prunedSegmentCount?: number;
  /** False: an index may have left rows out. */
  readonly isExact?: boolean;
  /** Per block ids of its top rows, where they are not in memory; undefined: they are, of all blocks. */
  readonly known?: readonly (KnownIds | undefined)[];
  /** Of a step of a search by pieces. */
  readonly pieces?: PieceOutcome;
  /** Only of a job that computes values: per value and found row. */
  readonly values?: readonly ComputedValues[];
  /** Only of a traced job. */
  readonly trace?: readonly TraceLine[];
}

/** NaN: the row has none. */
export type ComputedValues = Float64Array;

/** Ties are broken by id, ascending. */
export function createIdOrder(blocks: readonly JobBlock[]): RowOrder {
  return (indexA, rowA, indexB, rowB) => {
    const [a, b] = [blocks[indexA]?.block, blocks[indexB]?.block];
    return a === undefined || b === undefined ? indexA - indexB : compareRowIds(a, rowA, b, rowB);
  };
}

/** By rank where both are of one block: no id is read. */
export function compareRowIds(a: RowBlock, rowA: number, b: RowBlock, rowB: number): number {
  const [rankA, rankB] = [rankOfRow(a, rowA), rankOfRow(b, rowB)];
  return a === b ? rankA - rankB : compareIds(a.ids, rankA, b.ids, rankB);
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

/** The memory in which an attribute's column lies. */
export function memoryIndexOf({ memoryIndex, segment }: BlockLocation, attribute: string): number {
  return segment?.columns.find(({ name }) => name === attribute)?.memoryIndex ?? memoryIndex;
}
