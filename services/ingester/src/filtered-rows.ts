import { equalBytes } from '@lagoon/base';
import { type Block, clearBit, countBits, createBitmap, forEachBit, forEachCommonId, setBit } from '@lagoon/format';
import type { FilterPlan } from '@lagoon/query';
import { createBlockMatcher } from './block-matcher.ts';
import { changedSince, type RowSet, type RowState, type Seen, seenOf } from './row-state.ts';

/** The rows that a filter matches. */
export interface FilteredRows {
  readonly seen: Seen;
  readonly rows: RowSet;
  readonly count: number;
}

/**
 * Matches the filter against every row; with an earlier resolution only against those that may have changed since. The very
 * same object where the rows are the same.
 */
export function filterRows(state: RowState, filter: FilterPlan, earlier: FilteredRows | undefined): FilteredRows {
  const changed = earlier === undefined ? undefined : changedSince(earlier.seen, state);
  if (earlier === undefined || changed === undefined) return filtered(state, state.match(filter));
  if (changed.length === 0) return earlier;
  const rows = new Map<Block, Uint8Array>([...earlier.rows].map(([block, bits]) => [block, bits.slice()]));
  for (const column of changed) {
    for (const [block, bits] of rows) forEachCommonId(block.ids, column, (row) => clearBit(bits, row));
  }
  const matches = createBlockMatcher(filter);
  for (const column of changed) {
    state.find(column, (_at, block, row) => {
      if (!matches(block, row)) return;
      let bits = rows.get(block);
      if (bits === undefined) {
        bits = createBitmap(block.rowCount);
        rows.set(block, bits);
      }
      setBit(bits, row);
    });
  }
  return isSame(rows, earlier.rows) ? earlier : filtered(state, rows);
}

function filtered(state: RowState, rows: RowSet): FilteredRows {
  return { seen: seenOf(state), rows, count: countRows(rows) };
}

export function countRows(rows: RowSet): number {
  let count = 0;
  for (const bits of rows.values()) count += countBits(bits);
  return count;
}

function isSame(a: RowSet, b: RowSet): boolean {
  for (const [block, bits] of a) {
    const other = b.get(block) ?? createBitmap(block.rowCount);
    if (!equalBytes(bits, other)) return false;
  }
  return true; // blocks are only added
}

/** As many of the rows as are allowed. */
export function takeRows(rows: RowSet, countMax: number): RowSet {
  const taken = new Map<Block, Uint8Array>();
  let left = countMax;
  for (const [block, bits] of rows) {
    if (left === 0) break;
    const count = countBits(bits);
    if (count <= left) {
      taken.set(block, bits);
      left -= count;
      continue;
    }
    const some = createBitmap(block.rowCount);
    forEachBit(bits, (row) => {
      if (left-- > 0) setBit(some, row);
    });
    left = 0;
    taken.set(block, some);
  }
  return taken;
}
