import {
  type Bitmap,
  bitmapBytes,
  clearBit,
  countBits,
  createFullBitmap,
  forEachCommonId,
  getBit,
  type IdColumn,
} from '@lagoon/format';
import { type RowBlock, rowOfRank } from './row-ranks.ts';

/**
 * Which rows of a block live. What was published is never changed: the next kill works on a copy, so a running query keeps
 * its own. In shared memory: workers read it in place.
 */
export interface LiveRows {
  /** Undefined: all rows live. The array is not changed any more after this. */
  publish(): Bitmap | undefined;
  readonly count: number;
  /** Whether the row lived until now. */
  kill(row: number): boolean;
}

/** `dead`: 1 = dead from the start. */
export function createLiveRows(rowCount: number, dead: Bitmap | undefined): LiveRows {
  return liveRows(rowCount, dead === undefined ? undefined : complement(rowCount, dead), false);
}

/** Of what another one has published, which stays as it is. */
export function continueLiveRows(rowCount: number, live: Bitmap | undefined): LiveRows {
  return liveRows(rowCount, live, true);
}

/** Kills the rows of the block that have any of the ids. */
export function killRows(block: RowBlock, live: LiveRows, ...killers: readonly IdColumn[]): void {
  for (const ids of killers) forEachCommonId(block.ids, ids, (rank) => void live.kill(rowOfRank(block, rank)));
}

function liveRows(rowCount: number, start: Bitmap | undefined, isPublished: boolean): LiveRows {
  let bitmap = start;
  let count = bitmap === undefined ? rowCount : countBits(bitmap);
  let published = isPublished;
  return {
    get count() {
      return count;
    },
    publish: () => {
      published = true;
      return bitmap;
    },
    kill: (row) => {
      if (bitmap !== undefined && !getBit(bitmap, row)) return false;
      if (bitmap === undefined || published) bitmap = copyOf(bitmap ?? createFullBitmap(rowCount));
      published = false;
      clearBit(bitmap, row);
      count--;
      return true;
    },
  };
}

function complement(rowCount: number, dead: Bitmap): Bitmap {
  const live = copyOf(createFullBitmap(rowCount));
  for (let i = 0; i < bitmapBytes(rowCount); i++) live[i] = (live[i] as number) & ~(dead[i] as number);
  return live;
}

function copyOf(bitmap: Bitmap): Bitmap {
  const copy = new Uint8Array(new SharedArrayBuffer(bitmap.length));
  copy.set(bitmap);
  return copy;
}
