import { alignUp, assert, corrupt } from '@lagoon/base';
import { bitmapBytes, createBitmap, getBit, nextBit, setBit } from './bitmap.ts';
import type { Column, NamedColumn, ScalarColumn } from './column.ts';
import { scalarWidth } from './layout.v1.ts';
import { scalarColumnOf } from './scalar-column.ts';
import type { AttributeType } from './schema.ts';
import { vectorElementBytes, vectorValuesOf } from './vector-element.ts';
import { verifyColumn } from './verify-block.v1.ts';

/** What decides how many bytes a column takes when it lies alone (docs/formats/segment.v1.md, columns). */
export interface ColumnShape {
  readonly type: AttributeType;
  readonly rowCount: number;
  readonly hasNulls: boolean;
  /** Of an array: elements of all rows; else 0. */
  readonly elementCount: number;
  /** Of string and bytes: bytes of all values; else 0. */
  readonly valueBytes: number;
}

export type PartName = 'values' | 'valueOffsets' | 'rowOffsets' | 'inverseNorms' | 'nulls';

interface Part {
  readonly offset: number;
  readonly length: number;
}

/** Arrays begin at multiples of it, so that kernels and typed arrays read them in place. */
const partAlignment = 16;

/** Values come first: so whole rows of a vector column begin at multiples of the row's size. */
export function columnParts(shape: ColumnShape): {
  readonly parts: ReadonlyMap<PartName, Part>;
  readonly size: number;
} {
  const { type, rowCount } = shape;
  const parts = new Map<PartName, Part>();
  let end = 0;
  const add = (name: PartName, length: number): void => {
    const offset = alignUp(end, partAlignment);
    parts.set(name, { offset, length });
    end = offset + length;
  };
  if (type.kind === 'vector') {
    add('values', vectorElementBytes(type.element) * type.dims * rowCount);
    add('inverseNorms', 4 * rowCount);
  } else {
    const count = type.kind === 'array' ? shape.elementCount : rowCount;
    const width = scalarWidth(type.scalar);
    add('values', width === undefined ? shape.valueBytes : width * count);
    if (width === undefined) add('valueOffsets', 4 * (count + 1));
    if (type.kind === 'array') add('rowOffsets', 4 * (rowCount + 1));
  }
  if (shape.hasNulls) add('nulls', bitmapBytes(rowCount));
  return { parts, size: alignUp(end, partAlignment) };
}

/** Bytes of a column of that shape, a multiple of 16. */
export function columnSize(shape: ColumnShape): number {
  return columnParts(shape).size;
}

export function shapeOf({ type, column }: NamedColumn, rowCount: number): ColumnShape {
  const elements = column.kind === 'array' ? column.elements : column;
  return {
    type,
    rowCount,
    hasNulls: column.nulls !== undefined,
    elementCount: column.kind === 'array' ? (column.rowOffsets[rowCount] as number) : 0,
    valueBytes: 'offsets' in elements ? elements.bytes.length : 0,
  };
}

/** The column's arrays behind one another, each at a multiple of 16, zeros between. */
export function layOutColumn(named: NamedColumn, rowCount: number): Uint8Array {
  const { parts, size } = columnParts(shapeOf(named, rowCount));
  const bytes = new Uint8Array(size);
  for (const [name, { offset }] of parts) bytes.set(arrayOf(named.column, name), offset);
  return bytes;
}

function arrayOf(column: Column, name: PartName): Uint8Array {
  const scalars = column.kind === 'array' ? column.elements : column;
  switch (name) {
    case 'nulls':
      return column.nulls ?? new Uint8Array(0);
    case 'rowOffsets':
      return column.kind === 'array' ? bytesOf(column.rowOffsets) : new Uint8Array(0);
    case 'valueOffsets':
      return 'offsets' in scalars ? bytesOf(scalars.offsets) : new Uint8Array(0);
    case 'inverseNorms':
      return scalars.kind === 'vector' ? bytesOf(scalars.inverseNorms) : new Uint8Array(0);
    case 'values':
      return 'values' in scalars ? bytesOf(scalars.values) : scalars.bytes;
  }
}

/**
 * Views of a laid out column. Checks what is cheap: that the bytes fit the shape and that the last offsets are its counts.
 * `bytes` starts at a multiple of 16 in its buffer.
 */
export function openColumn(bytes: Uint8Array, shape: ColumnShape): Column {
  const { type, rowCount } = shape;
  const { parts, size } = columnParts(shape);
  if (bytes.length !== size) throw corrupt('column has another size than its shape', { bytes: bytes.length, size });
  const part = (name: PartName): Uint8Array => {
    const { offset, length } = parts.get(name) ?? { offset: 0, length: 0 };
    return bytes.subarray(offset, offset + length);
  };
  const nulls = shape.hasNulls ? part('nulls') : undefined;
  if (type.kind === 'vector') {
    const { element, dims } = type;
    const values = vectorValuesOf(element, part('values'));
    return { kind: 'vector', element, dims, nulls, values, inverseNorms: float32View(part('inverseNorms')) };
  }
  const offsets = parts.has('valueOffsets') ? uint32View(part('valueOffsets')) : undefined;
  if (offsets !== undefined && offsets.at(-1) !== shape.valueBytes) {
    throw corrupt('offsets of a column do not end with its values', { valueBytes: shape.valueBytes });
  }
  const scalars = (count: number, missing: Uint8Array | undefined): ScalarColumn =>
    scalarColumnOf(type.scalar, missing, count, part('values'), offsets);
  if (type.kind === 'scalar') return scalars(rowCount, nulls);
  const rowOffsets = uint32View(part('rowOffsets'));
  if (rowOffsets.at(-1) !== shape.elementCount) {
    throw corrupt('offsets of an array column do not end with its elements', { elementCount: shape.elementCount });
  }
  return { kind: 'array', scalar: type.scalar, nulls, rowOffsets, elements: scalars(shape.elementCount, undefined) };
}

/** Of a laid out vector column: where the values, the inverse norms and the nulls (whole bytes) of the rows [from, to) lie. */
export function columnRowRanges(
  shape: ColumnShape,
  from: number,
  to: number,
): { readonly start: number; readonly end: number }[] {
  const { parts } = columnParts(shape);
  const { type } = shape;
  assert(type.kind === 'vector', 'rows of vectors are read by themselves');
  const range = (name: PartName, start: number, end: number) => {
    const { offset } = parts.get(name) ?? { offset: 0 };
    return { start: offset + start, end: offset + end };
  };
  const rowBytes = vectorElementBytes(type.element) * type.dims;
  const ranges = [range('values', rowBytes * from, rowBytes * to), range('inverseNorms', 4 * from, 4 * to)];
  return shape.hasNulls ? [...ranges, range('nulls', from >>> 3, (to + 7) >>> 3)] : ranges;
}

/** The rows [from, to) of a vector column from the bytes of its `columnRowRanges`, copied. */
export function openColumnRows(bytes: readonly Uint8Array[], shape: ColumnShape, from: number, to: number): Column {
  const { type } = shape;
  const [values, norms, nullBytes] = bytes;
  assert(type.kind === 'vector' && values !== undefined && norms !== undefined, 'a vector column has values and norms');
  const nulls = nullBytes === undefined ? undefined : createBitmap(to - from);
  for (let row = from; nullBytes !== undefined && nulls !== undefined && row < to; row++) {
    if (getBit(nullBytes, row - (from & ~7))) setBit(nulls, row - from);
  }
  const copies = [new Uint8Array(values), new Uint8Array(norms)] as const;
  return {
    kind: 'vector',
    element: type.element,
    dims: type.dims,
    nulls: nulls !== undefined && nextBit(nulls, 0) >= 0 ? nulls : undefined,
    values: vectorValuesOf(type.element, copies[0]),
    inverseNorms: float32View(copies[1]),
  };
}

/** As `openColumn`, and checks the contents: offsets, UTF-8, bools, norms. Throws `corrupt`. */
export function verifyLaidOutColumn(name: string, bytes: Uint8Array, shape: ColumnShape): void {
  verifyColumn({ name, type: shape.type, column: openColumn(bytes, shape) }, shape.rowCount);
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function uint32View(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

function float32View(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
