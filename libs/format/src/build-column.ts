import { type ErrorContext, invalidArgument } from '@lagoon/base';
import { createBitmap, setBit } from './bitmap.ts';
import type { ArrayColumn, NullBitmap, ScalarColumn } from './column.ts';
import { u64Max } from './document-id.ts';
import { scalarWidth } from './layout.v1.ts';
import { scalarColumnOf } from './scalar-column.ts';
import { limits, type ScalarType } from './schema.ts';
import { sparseProblem } from './sparse-entry.ts';
import { parseUuidInto } from './uuid.ts';
import type { AttributeValue } from './value.ts';

/** Throws `invalid_argument` about one row of the column; the caller knows the attribute's name and the row's id. */
export type RejectValue = (row: number, problem: string, facts?: ErrorContext) => never;

/** A scalar column from one value per row. */
export function buildScalarColumn(
  scalar: ScalarType,
  values: readonly AttributeValue[],
  reject: RejectValue,
): ScalarColumn {
  const nulls = nullsOf(values, reject);
  return fillScalar(scalar, values, nulls, reject);
}

/** An array column from one list (or null) per row. */
export function buildArrayColumn(
  scalar: ScalarType,
  values: readonly AttributeValue[],
  reject: RejectValue,
): ArrayColumn {
  const nulls = nullsOf(values, reject);
  const rowOffsets = new Uint32Array(values.length + 1);
  const elements: AttributeValue[] = [];
  for (let row = 0; row < values.length; row++) {
    const list = values[row] as AttributeValue;
    if (list !== null) {
      if (!Array.isArray(list)) reject(row, `expected []${scalar}, found ${kindOf(list)}`);
      for (const element of list as readonly AttributeValue[]) elements.push(element);
    }
    rowOffsets[row + 1] = elements.length;
  }
  const rejectElement: RejectValue = (index, problem) => reject(rowOfElement(rowOffsets, index), problem);
  for (let i = 0; i < elements.length; i++) if (elements[i] === null) rejectElement(i, 'array has a null element');
  const column = fillScalar(scalar, elements, undefined, rejectElement);
  checkArraySizes(rowOffsets, column, reject);
  checkEntries(rowOffsets, column, reject);
  return { kind: 'array', scalar, nulls, rowOffsets, elements: column };
}

/** The row whose elements hold this index. */
export function rowOfElement(rowOffsets: Uint32Array, index: number): number {
  let low = 0;
  let high = rowOffsets.length - 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rowOffsets[middle + 1] as number) <= index) low = middle + 1;
    else high = middle;
  }
  return low;
}

function checkArraySizes(rowOffsets: Uint32Array, elements: ScalarColumn, reject: RejectValue): void {
  const width = scalarWidth(elements.scalar);
  for (let row = 0; row + 1 < rowOffsets.length; row++) {
    const from = rowOffsets[row] as number;
    const to = rowOffsets[row + 1] as number;
    const size = width === undefined ? variableSize(elements, from, to) : width * (to - from);
    if (size > limits.valueBytesMax) reject(row, 'value is too large');
  }
}

function checkEntries(rowOffsets: Uint32Array, elements: ScalarColumn, reject: RejectValue): void {
  if (elements.scalar !== 'entry') return;
  for (let row = 0; row + 1 < rowOffsets.length; row++) {
    const problem = sparseProblem(elements.values, rowOffsets[row] as number, rowOffsets[row + 1] as number);
    if (problem !== undefined) reject(row, problem);
  }
}

function variableSize(column: ScalarColumn, from: number, to: number): number {
  return 'offsets' in column ? (column.offsets[to] as number) - (column.offsets[from] as number) : 0;
}

function nullsOf(values: readonly AttributeValue[], reject: RejectValue): NullBitmap {
  let nulls: Uint8Array | undefined;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (value === undefined) reject(row, 'value is undefined');
    if (value !== null) continue;
    nulls ??= createBitmap(values.length);
    setBit(nulls, row);
  }
  return nulls;
}

function fillScalar(
  scalar: ScalarType,
  values: readonly AttributeValue[],
  nulls: NullBitmap,
  reject: RejectValue,
): ScalarColumn {
  switch (scalar) {
    case 'string':
      return fillStrings(values, nulls, reject);
    case 'bytes':
      return fillBytes(values, nulls, reject);
    case 'int':
    case 'datetime':
      return { kind: 'scalar', scalar, nulls, values: fillSigned(scalar, values, reject) };
    case 'uint':
      return { kind: 'scalar', scalar, nulls, values: fillUnsigned(values, reject) };
    case 'entry':
      return { kind: 'scalar', scalar, nulls, values: fillUnsigned(values, reject) };
    case 'float':
      return { kind: 'scalar', scalar, nulls, values: fillFloats(values, reject) };
    case 'bool':
      return { kind: 'scalar', scalar, nulls, values: fillBools(values, reject) };
    case 'uuid':
      return scalarColumnOf(scalar, nulls, values.length, fillUuids(values, reject));
  }
}

function fillStrings(values: readonly AttributeValue[], nulls: NullBitmap, reject: RejectValue): ScalarColumn {
  const offsets = new Uint32Array(values.length + 1);
  let end = 0;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as AttributeValue;
    if (value !== null) {
      if (typeof value !== 'string') reject(row, `expected string, found ${kindOf(value)}`);
      const size = Buffer.byteLength(value as string);
      if (size > limits.valueBytesMax) reject(row, 'value is too large');
      end += size;
    }
    offsets[row + 1] = end;
  }
  checkTotal(end);
  const bytes = new Uint8Array(end);
  const buffer = Buffer.from(bytes.buffer);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as AttributeValue;
    if (value !== null) buffer.write(value as string, offsets[row] as number);
  }
  return { kind: 'scalar', scalar: 'string', nulls, offsets, bytes };
}

function fillBytes(values: readonly AttributeValue[], nulls: NullBitmap, reject: RejectValue): ScalarColumn {
  const offsets = new Uint32Array(values.length + 1);
  let end = 0;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as AttributeValue;
    if (value !== null) {
      if (!(value instanceof Uint8Array)) reject(row, `expected bytes, found ${kindOf(value)}`);
      const size = (value as Uint8Array).length;
      if (size > limits.valueBytesMax) reject(row, 'value is too large');
      end += size;
    }
    offsets[row + 1] = end;
  }
  checkTotal(end);
  const bytes = new Uint8Array(end);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as AttributeValue;
    if (value !== null) bytes.set(value as Uint8Array, offsets[row] as number);
  }
  return { kind: 'scalar', scalar: 'bytes', nulls, offsets, bytes };
}

/** Offsets are u32. */
function checkTotal(size: number): void {
  if (size > 0xffff_ffff) throw invalidArgument('values of one attribute are too large', { bytes: size });
}

function fillSigned(scalar: ScalarType, values: readonly AttributeValue[], reject: RejectValue): BigInt64Array {
  const out = new BigInt64Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as AttributeValue;
    if (value === null) continue;
    const integer = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
    if (typeof integer !== 'bigint') reject(row, `expected ${scalar}, found ${kindOf(value)}`);
    if (BigInt.asIntN(64, integer as bigint) !== integer) reject(row, `${scalar} is out of range`);
    out[row] = integer as bigint;
  }
  return out;
}

function fillUnsigned(values: readonly AttributeValue[], reject: RejectValue): BigUint64Array {
  const out = new BigUint64Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as AttributeValue;
    if (value === null) continue;
    const integer = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
    if (typeof integer !== 'bigint') reject(row, `expected uint, found ${kindOf(value)}`);
    if ((integer as bigint) < 0n || (integer as bigint) > u64Max) reject(row, 'uint is out of range');
    out[row] = integer as bigint;
  }
  return out;
}

function fillFloats(values: readonly AttributeValue[], reject: RejectValue): Float64Array {
  const out = new Float64Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as AttributeValue;
    if (value === null) continue;
    if (typeof value !== 'number') reject(row, `expected float, found ${kindOf(value)}`);
    if (!Number.isFinite(value)) reject(row, 'float is not a finite number');
    out[row] = value as number;
  }
  return out;
}

function fillBools(values: readonly AttributeValue[], reject: RejectValue): Uint8Array {
  const out = new Uint8Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as AttributeValue;
    if (value === null) continue;
    if (typeof value !== 'boolean') reject(row, `expected bool, found ${kindOf(value)}`);
    out[row] = value === true ? 1 : 0;
  }
  return out;
}

function fillUuids(values: readonly AttributeValue[], reject: RejectValue): Uint8Array {
  const bytes = new Uint8Array(16 * values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as AttributeValue;
    if (value === null) continue;
    if (typeof value !== 'string') reject(row, `expected uuid, found ${kindOf(value)}`);
    if (!parseUuidInto(value as string, bytes, 16 * row)) reject(row, 'string is not a uuid');
  }
  return bytes;
}

function kindOf(value: AttributeValue | undefined): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Float32Array) return 'vector';
  if (typeof value === 'bigint') return 'int';
  return typeof value === 'number' ? 'float' : typeof value === 'boolean' ? 'bool' : typeof value;
}
