import { type ByteWriter, corrupt } from '@lagoon/base';
import { type Bitmap, setBit, setBitRange } from './bitmap.ts';

/**
 * A compressed set of rows, read in place (docs/formats/row-set.v1.md): containers per 2^16 rows as in Roaring bitmaps (Lemire et
 * al. 2016), but a stream of bytes without alignment or directory, for sets are always combined whole with a plain bitmap of rows.
 * A set ends by itself, so sets can lie behind one another. Readers never look outside of the bytes that they are given and throw
 * `corrupt` for what is no set of rows below `rowCount`.
 */
const containerKind = { array: 0, bitmap: 1, runs: 2 } as const;
const containerRowCount = 1 << 16;
const containerBitmapBytes = containerRowCount / 8;

/** Appends the set of `rows[from, to)`, which ascend and are distinct. */
export function encodeRowSet(writer: ByteWriter, rows: Uint32Array, from = 0, to = rows.length): void {
  if (to - from === 1) {
    writer.varint(2 * (rows[from] as number) + 1);
    return;
  }
  const containers: Container[] = [];
  let size = 0;
  let keyBefore = -1;
  for (let start = from; start < to; ) {
    const key = (rows[start] as number) >>> 16;
    let end = start + 1;
    let runCount = 1;
    for (; end < to && (rows[end] as number) >>> 16 === key; end++) {
      if (rows[end] !== (rows[end - 1] as number) + 1) runCount++;
    }
    const container = cutContainer(rows, start, end, runCount, key - keyBefore - 1);
    containers.push(container);
    size += varintSize(container.keyGap) + varintSize(container.header) + container.size;
    keyBefore = key;
    start = end;
  }
  writer.varint(2 * size);
  for (const container of containers) writeContainer(writer, rows, container);
}

interface Container {
  readonly kind: number;
  readonly keyGap: number;
  readonly header: number;
  readonly size: number;
  readonly start: number;
  readonly end: number;
}

/** The smallest of the three kinds. */
function cutContainer(rows: Uint32Array, start: number, end: number, runCount: number, keyGap: number): Container {
  const arraySize = 2 * (end - start);
  const bitmapSize = (((rows[end - 1] as number) & 0xffff) >>> 3) + 1;
  const runsSize = 4 * runCount;
  const of = (kind: number, count: number, size: number): Container => ({
    ...{ kind, keyGap, header: 4 * (count - 1) + kind, size, start, end },
  });
  if (arraySize <= bitmapSize && arraySize <= runsSize) return of(containerKind.array, end - start, arraySize);
  if (runsSize < bitmapSize) return of(containerKind.runs, runCount, runsSize);
  return of(containerKind.bitmap, bitmapSize, bitmapSize);
}

function writeContainer(writer: ByteWriter, rows: Uint32Array, container: Container): void {
  const { kind, start, end } = container;
  writer.varint(container.keyGap);
  writer.varint(container.header);
  const bytes = writer.reserve(container.size);
  bytes.fill(0);
  if (kind === containerKind.bitmap) {
    for (let i = start; i < end; i++) setBit(bytes, (rows[i] as number) & 0xffff);
    return;
  }
  let offset = 0;
  const u16 = (value: number): void => {
    bytes[offset++] = value & 0xff;
    bytes[offset++] = value >>> 8;
  };
  for (let i = start; i < end; ) {
    let next = i + 1;
    u16((rows[i] as number) & 0xffff);
    if (kind === containerKind.runs) {
      while (next < end && rows[next] === (rows[next - 1] as number) + 1) next++;
      u16(next - i - 1);
    }
    i = next;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** target ∨= the sets that fill `bytes` from `from` to `to`, one behind the other. */
export function orRowSets(
  target: Bitmap,
  rowCount: number,
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): void {
  walkSets(
    bytes,
    from,
    to,
    rowCount,
    (row) => setBit(target, row),
    (kind, count, offset, base) => orContainer(target, rowCount, bytes, kind, count, offset, base),
  );
}

/** target ∧= ¬ each of the sets that fill the bytes. */
export function andNotRowSets(
  target: Bitmap,
  rowCount: number,
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): void {
  const clear = (row: number): void => {
    (target[row >>> 3] as number) &= ~(1 << (row & 7));
  };
  walkSets(bytes, from, to, rowCount, clear, (kind, count, offset, base) => {
    if (kind === containerKind.bitmap) {
      const start = base >>> 3;
      for (let i = 0; i < count; i++) (target[start + i] as number) &= ~(bytes[offset + i] as number);
      return;
    }
    forEachRow(bytes, kind, count, offset, base, rowCount, clear);
  });
}

/** target ∧= the one set that fills the bytes. */
export function andRowSet(
  target: Bitmap,
  rowCount: number,
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): void {
  const kept = new Uint8Array(Math.min(containerBitmapBytes, target.length));
  let end = 0;
  /** Of [end, base) nothing is in the set; of the container's rows `kept` holds those of the target. */
  const keep = (base: number, or: (part: Bitmap) => void): void => {
    const start = base >>> 3;
    target.fill(0, end, start);
    end = Math.min(start + containerBitmapBytes, target.length);
    kept.fill(0);
    or(kept);
    for (let i = start; i < end; i++) (target[i] as number) &= kept[i - start] as number;
  };
  const keepRow = (row: number): void => keep(row - (row & 0xffff), (part) => setBit(part, row & 0xffff));
  walkSets(bytes, from, to, rowCount, keepRow, (kind, count, offset, base) => {
    const below = Math.min(containerRowCount, rowCount - base);
    keep(base, (part) => orContainer(part, below, bytes, kind, count, offset, 0));
  });
  target.fill(0, end);
}

type ContainerVisitor = (kind: number, count: number, offset: number, base: number) => void;

/** Sets of one row, which ranges of distinct values are made of, have no container. */
function walkSets(
  bytes: Uint8Array,
  from: number,
  to: number,
  rowCount: number,
  visitRow: (row: number) => void,
  visit: ContainerVisitor,
): void {
  const cursor = { offset: from };
  const end = Math.min(to, bytes.length);
  while (cursor.offset < end) {
    const header = readVarint(bytes, cursor, end);
    if (header % 2 === 0) {
      walkContainers(bytes, cursor, cursor.offset + header / 2, end, rowCount, visit);
      continue;
    }
    const row = (header - 1) / 2;
    if (row >= rowCount) throw corrupt('set names a row that is not there', { row, rowCount });
    visitRow(row);
  }
}

interface Cursor {
  offset: number;
}

function walkContainers(
  bytes: Uint8Array,
  cursor: Cursor,
  setEnd: number,
  end: number,
  rowCount: number,
  visit: ContainerVisitor,
): void {
  if (setEnd > end) throw corrupt('set of rows ends early', { offset: cursor.offset });
  let key = -1;
  while (cursor.offset < setEnd) {
    key += readVarint(bytes, cursor, setEnd) + 1;
    const header = readVarint(bytes, cursor, setEnd);
    const kind = header % 4;
    const count = (header - kind) / 4 + 1;
    const base = key * containerRowCount;
    const size = kind === containerKind.array ? 2 * count : kind === containerKind.runs ? 4 * count : count;
    if (kind > containerKind.runs || size > setEnd - cursor.offset || base >= rowCount) {
      throw corrupt('set of rows has a wrong container', { key, kind, count });
    }
    if (kind === containerKind.bitmap) checkBitmap(bytes, cursor.offset, count, rowCount - base);
    visit(kind, count, cursor.offset, base);
    cursor.offset += size;
  }
}

/** No bit at or past `below`. */
function checkBitmap(bytes: Uint8Array, offset: number, count: number, below: number): void {
  const last = bytes[offset + count - 1] as number;
  const end = 8 * (count - 1) + (32 - Math.clz32(last));
  if (count > containerBitmapBytes || last === 0 || end > below) {
    throw corrupt('set of rows has a wrong bitmap', { count, below });
  }
}

function orContainer(
  target: Bitmap,
  rowCount: number,
  bytes: Uint8Array,
  kind: number,
  count: number,
  offset: number,
  base: number,
): void {
  if (kind === containerKind.bitmap) {
    const start = base >>> 3;
    for (let i = 0; i < count; i++) (target[start + i] as number) |= bytes[offset + i] as number;
    return;
  }
  if (kind === containerKind.array) {
    forEachRow(bytes, kind, count, offset, base, rowCount, (row) => setBit(target, row));
    return;
  }
  for (let i = 0; i < count; i++) {
    const start = base + readU16(bytes, offset + 4 * i);
    const runEnd = start + readU16(bytes, offset + 4 * i + 2) + 1;
    if (runEnd > rowCount) throw corrupt('set names a row that is not there', { row: runEnd - 1, rowCount });
    setBitRange(target, start, runEnd);
  }
}

/** Rows of an array or of runs. */
function forEachRow(
  bytes: Uint8Array,
  kind: number,
  count: number,
  offset: number,
  base: number,
  rowCount: number,
  visit: (row: number) => void,
): void {
  const step = kind === containerKind.runs ? 4 : 2;
  for (let i = 0, at = offset; i < count; i++, at += step) {
    const first = base + readU16(bytes, at);
    const last = kind === containerKind.runs ? first + readU16(bytes, at + 2) : first;
    if (last >= rowCount) throw corrupt('set names a row that is not there', { row: last, rowCount });
    for (let row = first; row <= last; row++) visit(row);
  }
}

function readU16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] as number) | ((bytes[offset + 1] as number) << 8);
}

function readVarint(bytes: Uint8Array, cursor: Cursor, end: number): number {
  let value = 0;
  for (let scale = 1; scale < 2 ** 53; scale *= 128) {
    if (cursor.offset >= end) throw corrupt('set of rows ends early', { offset: cursor.offset });
    const byte = bytes[cursor.offset++] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  throw corrupt('set of rows has a number that is too long', { offset: cursor.offset });
}
