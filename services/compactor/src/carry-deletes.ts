import { assert } from '@lagoon/base';
import { type Bitmap, createBitmap, forEachBit, getBit, setBit } from '@lagoon/format';

/** Where the rows of one merged segment went. */
export interface MergedRows {
  /** Rows that were dead when the segment was read; undefined: none. */
  readonly deadBefore: Bitmap | undefined;
  /** Per row its row in the new segment; rows that were dead then have none, and any number here. */
  readonly rows: Uint32Array;
}

export interface CarriedDeletes {
  /** Dead rows of the new segment; undefined: none. */
  readonly dead: Bitmap | undefined;
  readonly deadRowCount: number;
}

/** The rows of the new segment that died in the merged ones after these were read. `deadNow` is in the order of `merged`. */
export function carryDeletes(
  merged: readonly MergedRows[],
  deadNow: readonly (Bitmap | undefined)[],
  rowCount: number,
): CarriedDeletes {
  const dead = createBitmap(rowCount);
  let deadRowCount = 0;
  for (const [index, { deadBefore, rows }] of merged.entries()) {
    const now = deadNow[index];
    if (now === undefined) continue;
    forEachBit(now, (row) => {
      if (deadBefore !== undefined && getBit(deadBefore, row)) return;
      const to = rows[row] as number;
      assert(to < rowCount && !getBit(dead, to), 'a live row of a merged segment has a row of its own');
      setBit(dead, to);
      deadRowCount++;
    });
  }
  return { dead: deadRowCount === 0 ? undefined : dead, deadRowCount };
}
