import { invalidArgument } from '@lagoon/base';
import type { Column, IdColumn, NamedColumn, ScalarColumn } from './column.ts';
import { idAt } from './id-column.ts';
import { scalarWidth } from './layout.v1.ts';
import { columnLogicalBytes } from './logical-bytes.ts';
import { limits } from './schema.ts';
import { vectorElementBytes } from './vector-element.ts';

/** Throws `invalid_argument` naming the first document above the limit; free where all rows together are below it. */
export function checkDocumentSizes(ids: IdColumn, columns: readonly NamedColumn[]): void {
  let total = 0;
  for (const { column } of columns) total += columnLogicalBytes(column, ids.count);
  if (total <= limits.documentBytesMax) return;
  for (let row = 0; row < ids.count; row++) {
    let size = 0;
    for (const { column } of columns) size += valueBytes(column, row);
    if (size <= limits.documentBytesMax) continue;
    throw invalidArgument('document is too large', { id: idAt(ids, row), bytes: size, max: limits.documentBytesMax });
  }
}

/** Bytes of a row's value in the column, a missing fixed-width one counted as present. */
export function valueBytes(column: Column, row: number): number {
  switch (column.kind) {
    case 'scalar':
      return scalarBytes(column, row, row + 1);
    case 'array':
      return scalarBytes(column.elements, column.rowOffsets[row] as number, column.rowOffsets[row + 1] as number);
    case 'vector':
      return vectorElementBytes(column.element) * column.dims;
  }
}

function scalarBytes(column: ScalarColumn, from: number, to: number): number {
  if ('offsets' in column) return (column.offsets[to] as number) - (column.offsets[from] as number);
  return (scalarWidth(column.scalar) ?? 0) * (to - from);
}
