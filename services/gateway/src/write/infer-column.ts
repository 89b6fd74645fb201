import { type AttributeType, type AttributeValue, limits, type ScalarType } from '@lagoon/format';
import { describe, isObject, wrongShape, wrongValue } from '../json/shape.ts';

/**
 * Finds the type of an attribute from its JSON values, one per row, and converts them. The dialect infers string, int,
 * float and bool, and arrays of them; integers and floats mixed are float. Everything else is declared, and the ingester converts
 * to what the namespace has. Integers above 2^63 − 1 make the column uint.
 */
export interface InferredColumn {
  readonly type: AttributeType;
  readonly values: readonly AttributeValue[];
}

type Inferred = 'string' | 'int' | 'float' | 'bool' | 'array';

const i64Min = -(1n << 63n);
const i64Max = (1n << 63n) - 1n;
const u64Max = (1n << 64n) - 1n;

/** Returns undefined when every row is missing: then there is nothing to say about the type. */
export function inferColumn(
  raw: readonly unknown[],
  declared: AttributeType | undefined,
  pathOf: (row: number) => string,
): InferredColumn | undefined {
  const first = raw.findIndex((value) => value !== null && value !== undefined);
  if (first < 0) return undefined;
  const kind = kindOf(raw[first], () => pathOf(first));
  if (kind === 'array') return inferArrays(raw, declared, pathOf);
  const scalar = inferScalar(raw, pathOf);
  return { type: { kind: 'scalar', scalar: scalar.type }, values: scalar.values };
}

interface InferredScalars {
  readonly type: ScalarType;
  readonly values: AttributeValue[];
}

/** Missing values become null. */
function inferScalar(raw: readonly unknown[], pathOf: (row: number) => string): InferredScalars {
  let type: Inferred | undefined;
  for (let row = 0; row < raw.length; row++) {
    const value = raw[row];
    if (value === null || value === undefined) continue;
    const kind = kindOf(value, () => pathOf(row));
    if (type === undefined || type === kind) type = kind;
    else if (isNumeric(type) && isNumeric(kind)) type = 'float';
    else throw wrongValue(pathOf(row), `expected ${names[type]} as in the rows before, found ${describe(value)}`);
    if (kind === 'string') checkText(value as string, () => pathOf(row));
  }
  if (type === 'int') return convertIntegers(raw, pathOf);
  if (type === 'float') {
    return {
      type: 'float',
      values: raw.map((value) => (value === null || value === undefined ? null : Number(value))),
    };
  }
  // Strings and booleans are their own values.
  return { type: type === 'bool' ? 'bool' : 'string', values: raw.map((value) => (value ?? null) as AttributeValue) };
}

const names: Readonly<Record<Inferred, string>> = {
  string: 'a string',
  int: 'an integer',
  float: 'a float',
  bool: 'a boolean',
  array: 'an array',
};

function isNumeric(type: Inferred): boolean {
  return type === 'int' || type === 'float';
}

function kindOf(value: unknown, path: () => string): Inferred {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return isPrintedFloat(value) ? 'float' : 'int';
    case 'number':
      if (!Number.isFinite(value)) throw wrongValue(path(), 'the number is out of range');
      // An integer beyond the safe range that comes as a number was written with an exponent or a fraction.
      return Number.isSafeInteger(value) ? 'int' : 'float';
    default:
      if (Array.isArray(value)) return 'array';
      if (isObject(value)) throw wrongValue(path(), 'expected a scalar or an array, found an object');
      throw wrongShape(path(), 'a scalar or an array', value);
  }
}

/** JavaScript prints 1e20 as an integer: beyond 64 bits, what a float would print just so is one. */
function isPrintedFloat(value: bigint): boolean {
  return (value < i64Min || value > u64Max) && String(Number(value)) === value.toString();
}

function checkText(text: string, path: () => string): void {
  if (!text.isWellFormed()) throw wrongValue(path(), 'the string has half of a surrogate pair');
  if (text.length * 3 <= limits.valueBytesMax) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.valueBytesMax) {
    throw wrongValue(path(), 'the value is too long', { bytes, bytesMax: limits.valueBytesMax });
  }
}

function convertIntegers(raw: readonly unknown[], pathOf: (row: number) => string): InferredScalars {
  const values = new Array<AttributeValue>(raw.length);
  let negativeRow = -1;
  let aboveRow = -1;
  for (let row = 0; row < raw.length; row++) {
    const value = raw[row];
    if (value === null || value === undefined) {
      values[row] = null;
      continue;
    }
    const integer = value as number | bigint;
    if (typeof integer === 'bigint' && (integer < i64Min || integer > u64Max)) {
      throw wrongValue(pathOf(row), 'the integer does not fit 64 bits', { found: integer });
    }
    if (integer < 0) negativeRow = row;
    if (integer > i64Max) aboveRow = row;
    values[row] = integer;
  }
  if (negativeRow >= 0 && aboveRow >= 0) {
    throw wrongValue(pathOf(aboveRow), `the integer does not fit int, and ${pathOf(negativeRow)} is negative`);
  }
  return { type: aboveRow >= 0 ? 'uint' : 'int', values };
}

/** The elements of all rows are one column to infer; then they are dealt out again. */
function inferArrays(
  raw: readonly unknown[],
  declared: AttributeType | undefined,
  pathOf: (row: number) => string,
): InferredColumn {
  const elements: unknown[] = [];
  const rowOfElement: number[] = [];
  for (let row = 0; row < raw.length; row++) {
    const value = raw[row];
    if (value === null || value === undefined) continue;
    if (!Array.isArray(value)) {
      throw wrongValue(pathOf(row), `expected an array as in the rows before, found ${describe(value)}`);
    }
    for (let index = 0; index < value.length; index++) {
      checkElement(value[index], () => `${pathOf(row)}[${index}]`);
      elements.push(value[index]);
      rowOfElement.push(row);
    }
  }
  const elementPath = (index: number) => {
    const row = rowOfElement[index] as number;
    return `${pathOf(row)}[${index - rowOfElement.indexOf(row)}]`;
  };
  const inferred = inferScalar(elements, elementPath);
  const scalar = elements.length > 0 ? inferred.type : emptyElementType(declared);
  let next = 0;
  const values = raw.map((value) => {
    if (!Array.isArray(value)) return null;
    next += value.length;
    return inferred.values.slice(next - value.length, next) as Exclude<AttributeValue, null>[];
  });
  return { type: { kind: 'array', scalar }, values: values as AttributeValue[] };
}

function checkElement(value: unknown, path: () => string): void {
  if (value === null || value === undefined) throw wrongValue(path(), 'an element of an array is null');
  if (Array.isArray(value)) throw wrongValue(path(), 'arrays of arrays are not supported');
}

/** Only empty arrays: what the request declares, and else strings, which the ingester turns into what the namespace has. */
function emptyElementType(declared: AttributeType | undefined): ScalarType {
  return declared?.kind === 'array' ? declared.scalar : 'string';
}
