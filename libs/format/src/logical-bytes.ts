import { countBits } from './bitmap.ts';
import type { Column, IdColumn, NamedColumn, NullBitmap, ScalarColumn } from './column.ts';
import { scalarWidth } from './layout.v1.ts';
import { vectorElementBytes } from './vector-element.ts';

/**
 * Bytes of user data as billed: ids (u64 8, uuid 16, string its length) of rows and deletes, and present values (string
 * and bytes their length, 8 per number or datetime, 1 per bool, 16 per uuid, 4, 2 or 1 per dimension of f32, f16 or i8;
 * arrays their elements).
 */
export function logicalBytesOf(ids: IdColumn, deletes: IdColumn, columns: Iterable<NamedColumn>): number {
  let total = idBytes(ids) + idBytes(deletes);
  for (const { column } of columns) total += columnLogicalBytes(column, ids.count);
  return total;
}

function idBytes(ids: IdColumn): number {
  if (ids.idKind === 'u64') return 8 * ids.count;
  return ids.bytes.length;
}

/** Missing rows hold no bytes of variable length and no elements, so only fixed widths have to look at the nulls. */
export function columnLogicalBytes(column: Column, rowCount: number): number {
  switch (column.kind) {
    case 'scalar':
      return scalarLogicalBytes(column, presentCount(column.nulls, rowCount));
    case 'array':
      return scalarLogicalBytes(column.elements, column.rowOffsets[rowCount] as number);
    case 'vector':
      return vectorElementBytes(column.element) * column.dims * presentCount(column.nulls, rowCount);
  }
}

function scalarLogicalBytes(column: ScalarColumn, present: number): number {
  const width = scalarWidth(column.scalar);
  if (width !== undefined) return width * present;
  return 'bytes' in column ? column.bytes.length : 0;
}

function presentCount(nulls: NullBitmap, rowCount: number): number {
  return nulls === undefined ? rowCount : rowCount - countBits(nulls);
}
