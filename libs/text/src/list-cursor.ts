import { blockRowCount } from './block-row-count.ts';
import type { ScoreList } from './score-list.ts';

/** A place in a list that only moves forward. */
export interface ListCursor {
  readonly list: ScoreList;
  readonly weight: number;
  /** The first block that may reach into the current window. */
  windowBlock: number;
  /** weight · the highest gain in the window; 0 where the list has no row there. */
  windowBound: number;
  /** The block of the last look-up. */
  probeBlock: number;
}

export function createListCursor(list: ScoreList, weight: number): ListCursor {
  return { list, weight, windowBlock: 0, windowBound: 0, probeBlock: 0 };
}

/** Moves to the rows [from, to), behind those of the window before. */
export function moveToWindow(cursor: ListCursor, from: number, to: number): void {
  const { lastRows, blockGains } = cursor.list;
  const blockCount = lastRows.length;
  let block = cursor.windowBlock;
  while (block < blockCount && (lastRows[block] as number) < from) block++;
  cursor.windowBlock = block;
  let gain = 0;
  // a block may begin anywhere behind the last row of the one before
  while (block < blockCount && (block === 0 || (lastRows[block - 1] as number) + 1 < to)) {
    if ((blockGains[block] as number) > gain) gain = blockGains[block] as number;
    if ((lastRows[block] as number) >= to - 1) break;
    block++;
  }
  cursor.windowBound = cursor.weight * gain;
}

/** Calls back with the rows of the list in [from, to), the window that the cursor was moved to. */
export function forEachRowInWindow(cursor: ListCursor, from: number, to: number, visit: (row: number) => void): void {
  const { list, windowBlock } = cursor;
  for (let block = windowBlock; block < list.lastRows.length; block++) {
    if (block > windowBlock && (list.lastRows[block - 1] as number) + 1 >= to) return;
    if (list.loaded[block] === 0) list.load(block);
    const end = Math.min((block + 1) * blockRowCount, list.count);
    for (let i = firstInBlock(list, block, from); i < end; i++) {
      const row = list.rows[i] as number;
      if (row >= to) return;
      visit(row);
    }
  }
}

/** The first posting of a block whose row is at least `row`. */
export function firstInBlock({ rows, count }: ScoreList, block: number, row: number): number {
  let low = block * blockRowCount;
  if ((rows[low] as number) >= row) return low;
  let high = Math.min(low + blockRowCount, count);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle] as number) < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The gain of a row, 0 where the list does not have it. Rows must not descend from call to call. */
export function gainOfRow(cursor: ListCursor, row: number): number {
  const { list } = cursor;
  const { lastRows, rows } = list;
  let block = cursor.probeBlock;
  if (block < lastRows.length && (lastRows[block] as number) < row) {
    block = firstAtLeast(lastRows, block + 1, row);
    cursor.probeBlock = block;
  }
  if (block >= lastRows.length) return 0;
  if (list.loaded[block] === 0) list.load(block);
  const at = firstInBlock(list, block, row);
  return at < list.count && rows[at] === row ? (list.gains[at] as number) : 0;
}

/** The first index from `start` whose value is at least `wanted`, by galloping; the length where there is none. */
export function firstAtLeast(values: Uint32Array, start: number, wanted: number): number {
  let step = 1;
  let low = start;
  while (low + step < values.length && (values[low + step] as number) < wanted) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step + 1, values.length);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
