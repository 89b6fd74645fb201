import { getBit } from './bitmap.ts';
import type { Column, NullBitmap, ScalarColumn } from './column.ts';
import { decodeText } from './id-column.ts';
import { formatUuid } from './uuid.ts';
import type { AttributeValue } from './value.ts';

export function isNull(nulls: NullBitmap, row: number): boolean {
  return nulls !== undefined && getBit(nulls, row);
}

/** The value of a row as a plain value, copied out of the block. For the few rows that are answered. */
export function valueAt(column: Column, row: number): AttributeValue {
  if (isNull(column.nulls, row)) return null;
  switch (column.kind) {
    case 'scalar':
      return scalarAt(column, row);
    case 'array': {
      const list: Exclude<AttributeValue, null | Float32Array | readonly unknown[]>[] = [];
      const end = column.rowOffsets[row + 1] as number;
      for (let i = column.rowOffsets[row] as number; i < end; i++) list.push(scalarAt(column.elements, i));
      return list;
    }
    case 'vector':
      return new Float32Array(column.values.subarray(row * column.dims, (row + 1) * column.dims));
  }
}

function scalarAt(column: ScalarColumn, index: number): string | bigint | number | boolean | Uint8Array {
  switch (column.scalar) {
    case 'int':
    case 'datetime':
      return column.values[index] as bigint;
    case 'uint':
    case 'entry':
      return column.values[index] as bigint;
    case 'float':
      return column.values[index] as number;
    case 'bool':
      return column.values[index] === 1;
    case 'uuid':
      return formatUuid(column.bytes, 16 * index);
    case 'string':
      return decodeText(column.bytes, column.offsets[index] as number, column.offsets[index + 1] as number);
    case 'bytes':
      return new Uint8Array(column.bytes.subarray(column.offsets[index], column.offsets[index + 1]));
  }
}
