import { assert } from '@lagoon/base';
import type { ScalarColumn, ScalarType } from '@lagoon/format';

/**
 * Keys of values in an attribute index: bytes whose order, unsigned and lexicographic, is that of the values. Strings, uuids and
 * bytes are their own keys; numbers are big-endian with the sign folded in; −0 has the key of 0.
 */

/** Bytes of every key of the type; 0: they differ. */
export function keyWidthOf(scalar: ScalarType): number {
  switch (scalar) {
    case 'string':
    case 'bytes':
      return 0;
    case 'bool':
      return 1;
    case 'uuid':
      return 16;
    default:
      return 8;
  }
}

/** The key of a value as queries have it: bigint for integers and datetimes, number for floats and bools (0 or 1), else bytes. */
export function valueKey(scalar: ScalarType, value: bigint | number | Uint8Array): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (scalar === 'bool') return Uint8Array.of(Number(value));
  const key = new Uint8Array(8);
  const view = new DataView(key.buffer);
  if (typeof value === 'bigint') {
    view.setBigUint64(0, BigInt.asUintN(64, scalar === 'uint' ? value : value ^ (1n << 63n)));
    return key;
  }
  assert(scalar === 'float', 'integers are bigints');
  view.setFloat64(0, value === 0 ? 0 : value);
  foldFloatSign(key, 0);
  return key;
}

/** Calls back with the key of every element of [from, to); the bytes are only valid during the call. */
export function forEachKey(
  column: ScalarColumn,
  from: number,
  to: number,
  visit: (index: number, bytes: Uint8Array, start: number, end: number) => void,
): void {
  if ('offsets' in column) {
    const { offsets, bytes } = column;
    for (let i = from; i < to; i++) visit(i, bytes, offsets[i] as number, offsets[i + 1] as number);
    return;
  }
  if (column.scalar === 'uuid') {
    for (let i = from; i < to; i++) visit(i, column.bytes, 16 * i, 16 * i + 16);
    return;
  }
  if (column.scalar === 'bool') {
    for (let i = from; i < to; i++) visit(i, column.values, i, i + 1);
    return;
  }
  const key = new Uint8Array(8);
  const { scalar, values } = column;
  const source = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  for (let i = from; i < to; i++) {
    for (let byte = 0; byte < 8; byte++) key[byte] = source[8 * i + 7 - byte] as number;
    if (scalar === 'float') {
      if (values[i] === 0) key[0] = 0;
      foldFloatSign(key, 0);
    } else if (scalar !== 'uint') key[0] = (key[0] as number) ^ 0x80;
    visit(i, key, 0, 8);
  }
}

/** IEEE 754 numbers order as their bits once the sign of positive ones is set and negative ones are complemented. */
function foldFloatSign(key: Uint8Array, offset: number): void {
  const isNegative = (key[offset] as number) >= 0x80;
  if (!isNegative) key[offset] = (key[offset] as number) | 0x80;
  else for (let i = offset; i < offset + 8; i++) key[i] = ~(key[i] as number);
}
