import { getBit } from './bitmap.ts';
import { buildScalarColumn, type RejectValue, rowOfElement } from './build-column.ts';
import { buildVectorColumn } from './build-vectors.ts';
import type { ArrayColumn, Column, NullBitmap, ScalarColumn, VectorColumn } from './column.ts';
import { parseDatetime } from './datetime.ts';
import { decodeText } from './id-column.ts';
import type { AttributeType, ScalarType, VectorType } from './schema.ts';
import { canConvert } from './type-conversion.ts';
import type { AttributeValue } from './value.ts';
import { isNull } from './value-at.ts';

const i64Max = 0x7fff_ffff_ffff_ffffn;

/** A column as another type that `canConvertColumn` allows; calls `reject` with the first row whose value does not fit. */
export function convertColumn(column: Column, to: AttributeType, rowCount: number, reject: RejectValue): Column {
  if (to.kind === 'vector') return toVectors(column, to, rowCount, reject);
  if (column.kind === 'vector') return column;
  if (to.kind === 'array' && hasNoElements(column)) {
    return { ...column, scalar: to.scalar, elements: buildScalarColumn(to.scalar, [], reject) };
  }
  if (column.kind === 'scalar') return convertScalar(column, to.scalar, rowCount, reject);
  const { rowOffsets } = column;
  const rejectElement: RejectValue = (index, problem) => reject(rowOfElement(rowOffsets, index), problem);
  const elements = convertScalar(column.elements, to.scalar, rowOffsets[rowCount] as number, rejectElement);
  return { kind: 'array', scalar: to.scalar, nulls: column.nulls, rowOffsets, elements };
}

function convertScalar(column: ScalarColumn, to: ScalarType, count: number, reject: RejectValue): ScalarColumn {
  switch (column.scalar) {
    case 'int':
      if (to === 'uint') return asUnsigned(column.values, column.nulls, reject);
      return asFloats(column.values, column.nulls);
    case 'uint':
      if (to === 'int') return asSigned(column.values, column.nulls, reject);
      return asFloats(column.values, column.nulls);
    case 'string':
      return convertStrings(column, to, count, reject);
    default:
      return reject(0, 'type cannot be converted');
  }
}

function asFloats(values: BigInt64Array | BigUint64Array, nulls: NullBitmap): ScalarColumn {
  const floats = new Float64Array(values.length);
  for (let i = 0; i < floats.length; i++) floats[i] = Number(values[i]);
  return { kind: 'scalar', scalar: 'float', nulls, values: floats };
}

function asUnsigned(values: BigInt64Array, nulls: NullBitmap, reject: RejectValue): ScalarColumn {
  for (let i = 0; i < values.length; i++) if ((values[i] as bigint) < 0n) reject(i, 'negative integer for a uint');
  const unsigned = new BigUint64Array(values.buffer, values.byteOffset, values.length);
  return { kind: 'scalar', scalar: 'uint', nulls, values: unsigned };
}

function asSigned(values: BigUint64Array, nulls: NullBitmap, reject: RejectValue): ScalarColumn {
  for (let i = 0; i < values.length; i++) if ((values[i] as bigint) > i64Max) reject(i, 'uint is out of range of int');
  const signed = new BigInt64Array(values.buffer, values.byteOffset, values.length);
  return { kind: 'scalar', scalar: 'int', nulls, values: signed };
}

type TextColumn = Extract<ScalarColumn, { scalar: 'string' | 'bytes' }>;

function convertStrings(column: TextColumn, to: ScalarType, count: number, reject: RejectValue): ScalarColumn {
  const values: AttributeValue[] = [];
  for (let i = 0; i < count; i++) {
    values.push(isNull(column.nulls, i) ? null : parseAs(to, textAt(column, i), i, reject));
  }
  return buildScalarColumn(to, values, reject);
}

function parseAs(to: ScalarType, text: string, row: number, reject: RejectValue): AttributeValue {
  if (to === 'datetime') return parseDatetime(text) ?? reject(row, 'string is not a datetime');
  if (to === 'bytes') return parseBase64(text) ?? reject(row, 'string is not base64');
  return text;
}

/** By way of f32, whatever the numbers come as: so they mean the same in every form. */
function toVectors(column: Column, to: VectorType, rowCount: number, reject: RejectValue): VectorColumn {
  const { dims } = to;
  if (column.kind === 'vector') {
    return buildVectorColumn(to, new Float32Array(column.values), column.nulls, reject);
  }
  const values = new Float32Array(rowCount * dims);
  for (let row = 0; row < rowCount; row++) {
    if (isNull(column.nulls, row)) continue;
    const found = copyVector(column, row, values, row * dims, dims);
    if (found === dims) continue;
    reject(row, found < 0 ? 'string is not base64 of f32' : `vector has ${found} dimensions`);
  }
  return buildVectorColumn(to, values, column.nulls, reject);
}

/** Copies a row's numbers, rounded to f32, where there are `dims` of them; returns how many there are, -1 for text that is no vector. */
function copyVector(column: Column, row: number, out: Float32Array, at: number, dims: number): number {
  if (column.kind === 'array') {
    const from = column.rowOffsets[row] as number;
    const count = (column.rowOffsets[row + 1] as number) - from;
    const elements = 'values' in column.elements ? column.elements.values : undefined;
    if (count !== dims || elements === undefined) return count;
    for (let i = 0; i < dims; i++) out[at + i] = Number(elements[from + i]);
    return count;
  }
  const bytes = column.kind === 'scalar' && column.scalar === 'string' ? parseBase64(textAt(column, row)) : undefined;
  if (bytes === undefined || bytes.length % 4 !== 0) return -1;
  if (bytes.length !== 4 * dims) return bytes.length / 4;
  new Uint8Array(out.buffer).set(bytes, 4 * at);
  return dims;
}

function textAt(column: TextColumn, index: number): string {
  return decodeText(column.bytes, column.offsets[index] as number, column.offsets[index + 1] as number);
}

/** Standard or URL-safe base64, padded or not; undefined for anything else. */
function parseBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) return undefined;
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** As `canConvert`; besides, arrays that are all empty fit any array type: nothing says what they would hold. */
export function canConvertColumn(column: Column, from: AttributeType, to: AttributeType): boolean {
  return canConvert(from, to) || (to.kind === 'array' && hasNoElements(column));
}

function hasNoElements(column: Column): column is ArrayColumn {
  return column.kind === 'array' && column.rowOffsets[column.rowOffsets.length - 1] === 0;
}

/** Whether no row has a value. */
export function isAllNull(column: Column, rowCount: number): boolean {
  if (column.nulls === undefined) return rowCount === 0;
  for (let row = 0; row < rowCount; row++) if (!getBit(column.nulls, row)) return false;
  return true;
}
