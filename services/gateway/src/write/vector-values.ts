import { createBitmap, limits, setBit } from '@lagoon/format';
import { wrongShape, wrongValue } from '../json/shape.ts';

/** Vectors of a column, packed: rows × dims values, zeros where missing; the bitmap's 1 says which are missing. */
export interface PackedVectors {
  readonly dims: number;
  readonly values: Float32Array;
  readonly nulls?: Uint8Array;
}

/**
 * Decodes one vector per row, JSON arrays and base64 texts of little-endian f32 in any mixture, straight into the
 * packed array. `dims` comes from the first vector unless declared. Returns undefined when every row is missing.
 */
export function packVectors(
  raw: readonly unknown[],
  dimsDeclared: number | undefined,
  pathOf: (row: number) => string,
  reserve: (bytes: number) => void,
): PackedVectors | undefined {
  const first = raw.findIndex((value) => value !== null && value !== undefined);
  if (first < 0) return undefined;
  const dims = dimsDeclared ?? dimsOf(raw[first], pathOf(first));
  reserve(raw.length * dims * Float32Array.BYTES_PER_ELEMENT);
  const values = new Float32Array(raw.length * dims);
  const bytes = Buffer.from(values.buffer);
  let nulls: Uint8Array | undefined;
  for (let row = 0; row < raw.length; row++) {
    const value = raw[row];
    if (typeof value === 'string') decodeBase64(value, dims, bytes, row, pathOf);
    else if (Array.isArray(value)) copyNumbers(value, dims, values, row, pathOf);
    else if (value === null || value === undefined) {
      nulls ??= createBitmap(raw.length);
      setBit(nulls, row);
      continue;
    } else if (value instanceof Uint8Array) copyBytes(value, dims, bytes, row, pathOf);
    else throw wrongShape(pathOf(row), 'a vector (array of numbers or base64)', value);
    checkFinite(values, row * dims, dims, () => pathOf(row));
  }
  return { dims, values, ...(nulls === undefined ? {} : { nulls }) };
}

/** One vector, as a query has it. */
export function readVector(value: unknown, path: string): Float32Array {
  const packed = packVectors(
    [value],
    undefined,
    () => path,
    () => {},
  );
  if (packed === undefined) throw wrongShape(path, 'a vector (array of numbers or base64)', value);
  return packed.values;
}

function dimsOf(value: unknown, path: string): number {
  const dims = countDims(value, path);
  if (dims === 0) throw wrongValue(path, 'the vector is empty');
  if (dims > limits.dimensionsMax) {
    throw wrongValue(path, 'the vector has too many dimensions', { dims, dimsMax: limits.dimensionsMax });
  }
  return dims;
}

function countDims(value: unknown, path: string): number {
  if (Array.isArray(value)) return value.length;
  if (value instanceof Uint8Array) return wholeDims(value.length, path);
  if (typeof value !== 'string') throw wrongShape(path, 'a vector (array of numbers or base64)', value);
  return wholeDims(base64Bytes(value), path);
}

function wholeDims(bytes: number, path: string): number {
  if (bytes % Float32Array.BYTES_PER_ELEMENT !== 0) {
    throw wrongValue(path, 'the vector is not a whole number of 4-byte floats', { bytes });
  }
  return bytes / Float32Array.BYTES_PER_ELEMENT;
}

/** Bytes that a base64 text of this length stands for, padded or not. */
function base64Bytes(text: string): number {
  let length = text.length;
  while (length > 0 && text.charCodeAt(length - 1) === 0x3d && text.length - length < 2) length--;
  return Math.floor((length * 3) / 4);
}

function decodeBase64(text: string, dims: number, bytes: Buffer, row: number, pathOf: (row: number) => string): void {
  const size = dims * Float32Array.BYTES_PER_ELEMENT;
  const stated = base64Bytes(text);
  if (stated !== size) throw wrongDims(dims, wholeDims(stated, pathOf(row)), pathOf(row));
  // The runtime skips what is not base64, so a text with other characters comes out short.
  const written = bytes.write(text, row * size, size, 'base64');
  if (written !== size) throw wrongValue(pathOf(row), 'the vector is not base64');
}

function copyBytes(
  source: Uint8Array,
  dims: number,
  bytes: Buffer,
  row: number,
  pathOf: (row: number) => string,
): void {
  const size = dims * Float32Array.BYTES_PER_ELEMENT;
  if (source.length !== size) throw wrongDims(dims, wholeDims(source.length, pathOf(row)), pathOf(row));
  bytes.set(source, row * size);
}

function copyNumbers(
  source: readonly unknown[],
  dims: number,
  values: Float32Array,
  row: number,
  pathOf: (row: number) => string,
): void {
  if (source.length !== dims) throw wrongDims(dims, source.length, pathOf(row));
  const start = row * dims;
  for (let index = 0; index < dims; index++) {
    const element = source[index];
    if (typeof element === 'number') values[start + index] = element;
    else if (typeof element === 'bigint') values[start + index] = Number(element);
    else if (Array.isArray(element)) throw wrongValue(pathOf(row), 'lists of vectors per row are not supported');
    else throw wrongShape(`${pathOf(row)}[${index}]`, 'a number', element);
  }
}

function wrongDims(expected: number, found: number, path: string): Error {
  if (found === 0) return wrongValue(path, 'the vector is empty');
  return wrongValue(path, 'the vector has the wrong number of dimensions', { expected, found });
}

/** Every value is finite, and so is the squared norm in f32: otherwise distances would not be numbers. */
function checkFinite(values: Float32Array, start: number, dims: number, path: () => string): void {
  let sum = 0;
  for (let index = start; index < start + dims; index++) {
    const value = values[index] as number;
    sum += value * value;
  }
  if (Number.isFinite(Math.fround(sum))) return;
  for (let index = 0; index < dims; index++) {
    const value = values[start + index] as number;
    if (!Number.isFinite(value)) {
      throw wrongValue(`${path()}[${index}]`, 'not a finite f32', {
        found: Number.isNaN(value) ? 'NaN' : String(value),
      });
    }
  }
  throw wrongValue(path(), 'the squared norm of the vector is not finite in f32');
}
