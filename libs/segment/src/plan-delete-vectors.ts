import { assert } from '@lagoon/base';
import { type Bitmap, createBitmap, forEachCommonId, getBit, type IdColumn, isBitmapOf, setBit } from '@lagoon/format';
import type { SegmentIds } from './read-ids.ts';

export interface OlderSegment extends SegmentIds {
  /** Rows dead so far, 1 = dead; undefined: none. Not changed. */
  readonly dead: Bitmap | undefined;
}

/** What one later block does to older rows; an open `Block` is one. */
export interface LaterRows {
  readonly ids: IdColumn;
  readonly deletes: IdColumn;
}

export interface DeleteVectorPlan {
  /** Dead rows from now on; undefined: none. The same array as before where `changed` is false. */
  readonly dead: Bitmap | undefined;
  readonly changed: boolean;
  readonly supersededRowCount: number;
  readonly deletedRowCount: number;
}

/**
 * Which rows of older segments die of the ids that later blocks write and delete; one plan per segment, in their order.
 * The first block in `later` that names a row's id decides whether it counts as superseded or as deleted.
 */
export function planDeleteVectors(
  segments: readonly OlderSegment[],
  later: readonly LaterRows[],
): readonly DeleteVectorPlan[] {
  return segments.map((segment) => planOne(segment, later));
}

function planOne(segment: OlderSegment, later: readonly LaterRows[]): DeleteVectorPlan {
  const { ids, rows, dead: before } = segment;
  assert(before === undefined || isBitmapOf(before, ids.count), 'a delete vector fits its segment');
  let dead = before;
  const kill = (killers: IdColumn): number => {
    let count = 0;
    forEachCommonId(ids, killers, (rank) => {
      const row = rows === undefined ? rank : (rows[rank] as number);
      if (dead !== undefined && getBit(dead, row)) return;
      if (dead === before) dead = before?.slice() ?? createBitmap(ids.count);
      setBit(dead as Bitmap, row);
      count++;
    });
    return count;
  };
  let supersededRowCount = 0;
  let deletedRowCount = 0;
  for (const block of later) {
    supersededRowCount += kill(block.ids);
    deletedRowCount += kill(block.deletes);
  }
  return { dead, changed: dead !== before, supersededRowCount, deletedRowCount };
}
