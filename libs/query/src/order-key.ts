import { assert } from '@lagoon/base';
import { getBit, type IdColumn, type ScalarColumn } from '@lagoon/format';
import { compareRowIds } from './job-block.ts';
import { type RowBlock, rankOfRow } from './row-ranks.ts';

/** A key of one block: an attribute's column, the ids, or nothing where no row of the block has the attribute. */
export type OrderColumn =
  | { readonly kind: 'scalar'; readonly column: ScalarColumn }
  | { readonly kind: 'id'; readonly block: RowBlock }
  | { readonly kind: 'missing' };

/** Exact order of two keys of one attribute: numbers by value, strings, uuids and bytes by their bytes, missing first. */
export function compareKeys(a: OrderColumn, rowA: number, b: OrderColumn, rowB: number): number {
  if (a.kind === 'id' && b.kind === 'id') return compareRowIds(a.block, rowA, b.block, rowB);
  const missingA = isMissing(a, rowA);
  const missingB = isMissing(b, rowB);
  if (missingA || missingB) return Number(missingB) - Number(missingA);
  assert(a.kind === 'scalar' && b.kind === 'scalar', 'keys of one attribute are compared');
  return compareValues(a.column, rowA, b.column, rowB);
}

/**
 * A number per row that orders like the key or ties: integers as the nearest float, the others by their first bytes; missing
 * is −Infinity.
 */
export function createKeyPrefix(key: OrderColumn | undefined): (row: number) => number {
  if (key === undefined || key.kind === 'missing') return () => -Infinity;
  if (key.kind === 'id') {
    const { block } = key;
    const prefix = idPrefix(block.ids);
    return (row) => prefix(rankOfRow(block, row));
  }
  const { column } = key;
  const prefix = scalarPrefix(column);
  const { nulls } = column;
  return nulls === undefined ? prefix : (row) => (getBit(nulls, row) ? -Infinity : prefix(row));
}

function isMissing(key: OrderColumn, row: number): boolean {
  if (key.kind === 'id') return false;
  return key.kind === 'missing' || (key.column.nulls !== undefined && getBit(key.column.nulls, row));
}

function compareValues(a: ScalarColumn, rowA: number, b: ScalarColumn, rowB: number): number {
  if ('bytes' in a) {
    assert('bytes' in b, 'keys of one attribute have one type');
    return compareSlices(valueBytes(a, rowA), valueBytes(b, rowB));
  }
  assert('values' in b, 'keys of one attribute have one type');
  const left = a.values[rowA] as bigint | number;
  const right = b.values[rowB] as bigint | number;
  return left < right ? -1 : left > right ? 1 : 0;
}

type BytesColumn = Extract<ScalarColumn, { readonly bytes: Uint8Array }>;

function valueBytes(column: BytesColumn, row: number): Uint8Array {
  if (column.scalar === 'uuid') return column.bytes.subarray(16 * row, 16 * row + 16);
  return column.bytes.subarray(column.offsets[row], column.offsets[row + 1]);
}

function compareSlices(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function scalarPrefix(column: ScalarColumn): (row: number) => number {
  switch (column.scalar) {
    case 'int':
    case 'datetime': {
      const words = new Int32Array(column.values.buffer, column.values.byteOffset, column.values.length * 2);
      return (row) => (words[2 * row + 1] as number) * 2 ** 32 + ((words[2 * row] as number) >>> 0);
    }
    case 'uint':
    case 'entry':
      return unsignedPrefix(column.values);
    case 'float':
    case 'bool': {
      const { values } = column;
      return (row) => values[row] as number;
    }
    case 'uuid':
      return bytesPrefix(column.bytes, undefined);
    case 'string':
    case 'bytes':
      return bytesPrefix(column.bytes, column.offsets);
  }
}

function idPrefix(ids: IdColumn): (row: number) => number {
  switch (ids.idKind) {
    case 'u64':
      return unsignedPrefix(ids.values);
    case 'uuid':
      return bytesPrefix(ids.bytes, undefined);
    case 'string':
      return bytesPrefix(ids.bytes, ids.offsets);
  }
}

function unsignedPrefix(values: BigUint64Array): (row: number) => number {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  return (row) => (words[2 * row + 1] as number) * 2 ** 32 + (words[2 * row] as number);
}

/** As many bytes as a float holds exactly. */
const prefixByteCount = 6;

function bytesPrefix(bytes: Uint8Array, offsets: Uint32Array | undefined): (row: number) => number {
  return (row) => {
    const start = offsets === undefined ? 16 * row : (offsets[row] as number);
    const end = offsets === undefined ? start + 16 : (offsets[row + 1] as number);
    let prefix = 0;
    for (let i = 0; i < prefixByteCount; i++) {
      prefix = prefix * 256 + (start + i < end ? (bytes[start + i] as number) : 0);
    }
    return prefix;
  };
}
