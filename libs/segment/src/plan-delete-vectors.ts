import { assert } from '@lagoon/base';
import type { IdColumn } from '@lagoon/format';
import { forEachSameId } from './id-order.ts';
import { addRow, hasRow, rowBitmapSize } from './row-bitmap.ts';

export interface OlderSegment {
  readonly ids: IdColumn;
  /** Rows dead so far, 1 = dead; undefined: none. Not changed. */
  readonly dead: Uint8Array | undefined;
}

/** What one later block does to older rows; an open `Block` is one. */
export interface LaterRows {
  readonly ids: IdColumn;
  readonly deletes: IdColumn;
}

export interface DeleteVectorPlan {
  /** Dead rows from now on; undefined: none. The same array as before where `changed` is false. */
  readonly dead: Uint8Array | undefined;
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
  const { ids, dead: before } = segment;
  assert(before === undefined || before.length === rowBitmapSize(ids.count), 'a delete vector fits its segment');
  let dead = before;
  const kill = (killers: IdColumn): number => {
    let count = 0;
    forEachSameId(ids, killers, (row) => {
      if (dead !== undefined && hasRow(dead, row)) return;
      if (dead === before) dead = before?.slice() ?? new Uint8Array(rowBitmapSize(ids.count));
      addRow(dead as Uint8Array, row);
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
