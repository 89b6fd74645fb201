import { assert } from '@lagoon/base';
import type { IdColumn } from './column.ts';
import type { DocumentId } from './document-id.ts';
import { formatUuid, parseUuid } from './uuid.ts';

/** The id of a row, 0 ≤ row < count. */
export function idAt(column: IdColumn, row: number): DocumentId {
  switch (column.idKind) {
    case 'u64':
      return column.values[row] as bigint;
    case 'uuid':
      return formatUuid(column.bytes, 16 * row);
    case 'string':
      return decodeText(column.bytes, column.offsets[row] as number, column.offsets[row + 1] as number);
  }
}

/**
 * The row with this id, or -1; also -1 for an id of another kind. Binary search over the bytes in place.
 * For many ids at once use `forEachCommonId`.
 */
export function findId(column: IdColumn, id: DocumentId): number {
  const probe = singleIdColumn(column.idKind, id);
  if (probe === undefined) return -1;
  const row = lowerBound(column, probe, 0, 0);
  return row < column.count && compareIds(column, row, probe, 0) === 0 ? row : -1;
}

/** Order of two ids of one kind: u64 numeric, uuid and string by bytes. Negative, zero or positive. */
export function compareIds(a: IdColumn, rowA: number, b: IdColumn, rowB: number): number {
  if (a.idKind === 'u64' && b.idKind === 'u64') {
    const left = a.values[rowA] as bigint;
    const right = b.values[rowB] as bigint;
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (a.idKind === 'uuid' && b.idKind === 'uuid') {
    return compareRange(a.bytes, 16 * rowA, 16 * rowA + 16, b.bytes, 16 * rowB, 16 * rowB + 16);
  }
  assert(a.idKind === 'string' && b.idKind === 'string', 'compared ids are of one kind');
  return compareRange(
    a.bytes,
    a.offsets[rowA] as number,
    a.offsets[rowA + 1] as number,
    b.bytes,
    b.offsets[rowB] as number,
    b.offsets[rowB + 1] as number,
  );
}

/**
 * Calls back with the rows of every id that both columns hold, in id order. Gallops: costs the shorter column times the
 * logarithm of the gaps in the longer one. Columns of different kinds have no id in common.
 */
export function forEachCommonId(a: IdColumn, b: IdColumn, visit: (rowA: number, rowB: number) => void): void {
  if (a.idKind !== b.idKind || a.count === 0 || b.count === 0) return;
  let rowA = 0;
  let rowB = 0;
  while (rowA < a.count && rowB < b.count) {
    const order = compareIds(a, rowA, b, rowB);
    if (order === 0) visit(rowA++, rowB++);
    else if (order < 0) rowA = gallop(a, b, rowB, rowA + 1);
    else rowB = gallop(b, a, rowA, rowB + 1);
  }
}

/** The first row ≥ from of `column` whose id is not below that of `probe`'s row; near rows are found in few steps. */
function gallop(column: IdColumn, probe: IdColumn, probeRow: number, from: number): number {
  let low = from;
  let step = 1;
  while (low + step < column.count && compareIds(column, low + step, probe, probeRow) < 0) {
    low += step;
    step *= 2;
  }
  return lowerBound(column, probe, probeRow, low, Math.min(column.count, low + step));
}

/** The first row in [from, to) whose id is not below that of a row of `probe`; `to` where there is none. */
export function lowerBound(
  column: IdColumn,
  probe: IdColumn,
  probeRow: number,
  from: number,
  to: number = column.count,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareIds(column, middle, probe, probeRow) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function singleIdColumn(idKind: IdColumn['idKind'], id: DocumentId): IdColumn | undefined {
  if (idKind === 'u64') {
    if (typeof id !== 'bigint' || id < 0n || id >> 64n !== 0n) return undefined;
    return { idKind, count: 1, values: BigUint64Array.of(id) };
  }
  if (typeof id !== 'string') return undefined;
  if (idKind === 'uuid') {
    const bytes = parseUuid(id);
    return bytes === undefined ? undefined : { idKind, count: 1, bytes };
  }
  const bytes = Buffer.from(id);
  return { idKind, count: 1, offsets: Uint32Array.of(0, bytes.length), bytes };
}

function compareRange(
  a: Uint8Array,
  startA: number,
  endA: number,
  b: Uint8Array,
  startB: number,
  endB: number,
): number {
  const shared = Math.min(endA - startA, endB - startB);
  for (let i = 0; i < shared; i++) {
    const order = (a[startA + i] as number) - (b[startB + i] as number);
    if (order !== 0) return order;
  }
  return endA - startA - (endB - startB);
}

/** UTF-8 of [start, end) as text, also from shared memory. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}
