import { andNotInPlace, type Bitmap, type Block, compareIds, countBits, createFullBitmap } from '@lagoon/format';
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
  /** Set where only the ids lie at the place above: the parts of a segment that are there. */
  readonly segment: StoredSegment | undefined;
  readonly liveRowCount: number;
}

/** A block of a job, opened, with the rows that may be answered. */
export interface JobBlock {
  readonly location: BlockLocation;
  readonly block: Block;
  /** Live rows that the filter admits; undefined: all rows. */
  readonly admitted: Bitmap | undefined;
}

export interface SearchOutcome {
  readonly top: RankedRows;
  /** Rows whose vector or text was scored, or that were ordered. */
  readonly scoredRowCount: number;
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

/** The memory in which an attribute's column lies. */
export function memoryIndexOf({ memoryIndex, segment }: BlockLocation, attribute: string): number {
  return segment?.columns.find(({ name }) => name === attribute)?.memoryIndex ?? memoryIndex;
}
