import { assert, compareBytes } from '@lagoon/base';
import type { IdColumn } from '@lagoon/format';

/**
 * Order and matching of ids between columns, read in place: u64 numeric, uuid and string by their bytes.
 * A namespace has one kind of id, so two columns of it always have the same one.
 */

/** Negative, zero or positive as `left`'s id is below, equal to or above `right`'s; nothing is decoded per call. */
export type RowIdComparator = (leftRow: number, rightRow: number) => number;

export function createRowIdComparator(left: IdColumn, right: IdColumn): RowIdComparator {
  if (left.idKind === 'u64' && right.idKind === 'u64') return compareWords(words(left.values), words(right.values));
  if (left.idKind === 'uuid' && right.idKind === 'uuid') return compareUuids(left.bytes, right.bytes);
  if (left.idKind === 'string' && right.idKind === 'string') return compareTexts(left, right);
  assert(false, `ids of one namespace have one kind: ${left.idKind}, ${right.idKind}`);
}

/**
 * Calls back for every row of `target` whose id is also in `wanted`, ascending; with the row of `wanted`.
 * Both are sorted, so the search gallops: O(w · log(t / w)) comparisons.
 */
export function forEachSameId(
  target: IdColumn,
  wanted: IdColumn,
  onMatch: (targetRow: number, wantedRow: number) => void,
): void {
  if (target.count === 0 || wanted.count === 0) return;
  const compare = createRowIdComparator(target, wanted);
  if (compare(target.count - 1, 0) < 0 || compare(0, wanted.count - 1) > 0) return;
  let row = 0;
  for (let wantedRow = 0; wantedRow < wanted.count && row < target.count; wantedRow++) {
    row = gallop(compare, target.count, row, wantedRow);
    if (row < target.count && compare(row, wantedRow) === 0) onMatch(row++, wantedRow);
  }
}

/** First row ≥ `from` whose id is not below that of `wantedRow`; `count` where there is none. */
function gallop(compare: RowIdComparator, count: number, from: number, wantedRow: number): number {
  let low = from;
  let step = 1;
  while (low < count && compare(Math.min(low + step, count) - 1, wantedRow) < 0) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, count);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(middle, wantedRow) < 0) low = middle + 1;
    else high = middle;
  }
  return Math.min(low, count);
}

/** As two u32 per id: comparing BigInts would make an object per row. */
function words(values: BigUint64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

function compareWords(left: Uint32Array, right: Uint32Array): RowIdComparator {
  return (leftRow, rightRow) => {
    const high = (left[2 * leftRow + 1] as number) - (right[2 * rightRow + 1] as number);
    return high !== 0 ? high : (left[2 * leftRow] as number) - (right[2 * rightRow] as number);
  };
}

function compareUuids(left: Uint8Array, right: Uint8Array): RowIdComparator {
  return (leftRow, rightRow) => {
    for (let i = 0; i < 16; i++) {
      const difference = (left[16 * leftRow + i] as number) - (right[16 * rightRow + i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  };
}

type TextIds = Extract<IdColumn, { readonly idKind: 'string' }>;

function compareTexts(left: TextIds, right: TextIds): RowIdComparator {
  return (leftRow, rightRow) => compareBytes(textId(left, leftRow), textId(right, rightRow));
}

function textId(column: TextIds, row: number): Uint8Array {
  return column.bytes.subarray(column.offsets[row], column.offsets[row + 1]);
}
