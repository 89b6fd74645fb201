import { compareIds, type IdColumn, type IdKind } from '@lagoon/format';
import type { Operand, RangeOperator } from './query-plan.ts';
import { type RowBlock, rowOfRank } from './row-ranks.ts';

/** The row with this id, or -1. */
export function rowOfId(block: RowBlock, operand: Operand): number {
  const { ids } = block;
  const probe = idOf(ids.idKind, operand);
  const rank = firstRank(ids, (candidate) => compareIds(ids, candidate, probe, 0) >= 0);
  return rank < ids.count && compareIds(ids, rank, probe, 0) === 0 ? rowOfRank(block, rank) : -1;
}

/** A range of ids is a range of ranks: [from, to). */
export function idRankRange(ids: IdColumn, operator: RangeOperator, operand: Operand): { from: number; to: number } {
  const probe = idOf(ids.idKind, operand);
  const atOrAbove = firstRank(ids, (rank) => compareIds(ids, rank, probe, 0) >= 0);
  const above = firstRank(ids, (rank) => compareIds(ids, rank, probe, 0) > 0);
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

function firstRank(ids: IdColumn, holds: (rank: number) => boolean): number {
  let low = 0;
  let high = ids.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A column of this id alone. */
export function idOf(idKind: IdKind, operand: Operand): IdColumn {
  if (idKind === 'u64') return { idKind, count: 1, values: BigUint64Array.of(operand as bigint) };
  const bytes = operand as Uint8Array;
  if (idKind === 'uuid') return { idKind, count: 1, bytes };
  return { idKind, count: 1, offsets: Uint32Array.of(0, bytes.length), bytes };
}
