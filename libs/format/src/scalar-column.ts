import type { NullBitmap, ScalarColumn } from './column.ts';
import type { ScalarType } from './schema.ts';

const emptyOffsets = new Uint32Array(0);

/** The typed view of a scalar column's bytes; `offsets` matters only to string and bytes. `bytes` starts 8-byte aligned. */
export function scalarColumnOf(
  scalar: ScalarType,
  nulls: NullBitmap,
  count: number,
  bytes: Uint8Array,
  offsets: Uint32Array = emptyOffsets,
): ScalarColumn {
  const { buffer, byteOffset } = bytes;
  switch (scalar) {
    case 'string':
    case 'bytes':
      return { kind: 'scalar', scalar, nulls, offsets, bytes };
    case 'int':
    case 'datetime':
      return { kind: 'scalar', scalar, nulls, values: new BigInt64Array(buffer, byteOffset, count) };
    case 'uint':
    case 'entry':
      return { kind: 'scalar', scalar, nulls, values: new BigUint64Array(buffer, byteOffset, count) };
    case 'float':
      return { kind: 'scalar', scalar, nulls, values: new Float64Array(buffer, byteOffset, count) };
    case 'bool':
      return { kind: 'scalar', scalar, nulls, values: bytes };
    case 'uuid':
      return { kind: 'scalar', scalar, nulls, bytes };
  }
}
