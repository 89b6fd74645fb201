import { compareIds, type IdColumn } from '@lagoon/format';
import type { Operand, RangeOperator } from './query-plan.ts';

/** The row with this id, or -1. */
export function rowOfId(ids: IdColumn, operand: Operand): number {
  const probe = singleId(ids, operand);
  const row = firstRow(ids, (candidate) => compareIds(ids, candidate, probe, 0) >= 0);
  return row < ids.count && compareIds(ids, row, probe, 0) === 0 ? row : -1;
}

/** Rows are sorted by id, so a range of ids is a range of rows: [from, to). */
export function idRowRange(ids: IdColumn, operator: RangeOperator, operand: Operand): { from: number; to: number } {
  const probe = singleId(ids, operand);
  const atOrAbove = firstRow(ids, (row) => compareIds(ids, row, probe, 0) >= 0);
  const above = firstRow(ids, (row) => compareIds(ids, row, probe, 0) > 0);
  switch (operator) {
    case 'lt':
      return { from: 0, to: atOrAbove };
    case 'lte':
      return { from: 0, to: above };
    case 'gt':
      return { from: above, to: ids.count };
    case 'gte':
      return { from: atOrAbove, to: ids.count };
  }
}

function firstRow(ids: IdColumn, holds: (row: number) => boolean): number {
  let low = 0;
  let high = ids.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function singleId({ idKind }: IdColumn, operand: Operand): IdColumn {
  if (idKind === 'u64') return { idKind, count: 1, values: BigUint64Array.of(operand as bigint) };
  const bytes = operand as Uint8Array;
  if (idKind === 'uuid') return { idKind, count: 1, bytes };
  return { idKind, count: 1, offsets: Uint32Array.of(0, bytes.length), bytes };
}
