import { corrupt } from '@lagoon/base';
import { type IdColumn, type IdKind, limits, verifyIds, verifyIdTexts } from '@lagoon/format';
import { idBlockRowCount } from './segment-layout.v1.ts';

/**
 * Ids of a segment in ascending order, in blocks (docs/formats/segment.v1.md, ids): u64 8 bytes each, uuid 16 bytes, strings a
 * byte with the length of each and then their bytes. Where rows are in another order, the rows of the ids follow as u32.
 */
export interface IdBlock {
  readonly ids: IdColumn;
  /** Row per id; undefined: the block's ids are rows in order. */
  readonly rows: Uint32Array | undefined;
}

/** `ids` ascend; `rows[rank]` is the row of id `rank`. */
export function encodeIdBlocks(ids: IdColumn, rows: Uint32Array | undefined): Uint8Array[] {
  const step = idBlockRowCount[ids.idKind];
  const blocks: Uint8Array[] = [];
  for (let from = 0; from < ids.count; from += step) {
    const to = Math.min(from + step, ids.count);
    const encoded = encodeIds(ids, from, to);
    blocks.push(rows === undefined ? encoded : withRows(encoded, rows.subarray(from, to)));
  }
  return blocks;
}

/** The first id of every block, as the footer holds them. */
export function encodeFirstIds(ids: IdColumn): Uint8Array {
  const step = idBlockRowCount[ids.idKind];
  const parts: Uint8Array[] = [];
  for (let row = 0; row < ids.count; row += step) parts.push(encodeIds(ids, row, row + 1));
  return new Uint8Array(Buffer.concat(parts));
}

/** Throws `corrupt` unless the bytes are `count` ids of the kind, in order. */
export function decodeIdBlock(bytes: Uint8Array, idKind: IdKind, count: number, permuted: boolean): IdBlock {
  const idBytes = idsLength(bytes, idKind, count);
  if (bytes.length !== idBytes + (permuted ? 4 * count : 0)) {
    throw corrupt('block of ids has the wrong size', { bytes: bytes.length, count });
  }
  const ids = decodeIds(bytes.subarray(0, idBytes), idKind, count);
  verifyIds(ids, 'id block');
  return { ids, rows: permuted ? alignedWords(bytes.subarray(idBytes)) : undefined };
}

/** A block of ids in the order of rows, whatever that is. Throws `corrupt` unless the bytes are `count` ids of the kind. */
export function decodeRowIdBlock(bytes: Uint8Array, idKind: IdKind, count: number): IdColumn {
  if (bytes.length !== idsLength(bytes, idKind, count)) {
    throw corrupt('block of ids has the wrong size', { bytes: bytes.length, count });
  }
  const ids = decodeIds(bytes, idKind, count);
  verifyIdTexts(ids, 'row id block');
  return ids;
}

export function decodeFirstIds(bytes: Uint8Array, idKind: IdKind, count: number): IdColumn {
  if (idKind !== 'string') {
    if (bytes.length !== count * (idKind === 'u64' ? 8 : 16)) throw corrupt('first ids have the wrong size');
    return decodeIds(bytes, idKind, count);
  }
  const lengths = new Uint8Array(count);
  const texts: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const length = bytes[at];
    if (length === undefined || at + 1 + length > bytes.length) throw corrupt('first ids have the wrong size');
    lengths[index] = length;
    texts.push(bytes.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  if (at !== bytes.length) throw corrupt('first ids have the wrong size');
  return decodeIds(new Uint8Array(Buffer.concat([lengths, ...texts])), idKind, count);
}

/** Bytes of the ids in a block, without rows. */
function idsLength(bytes: Uint8Array, idKind: IdKind, count: number): number {
  if (idKind === 'u64') return 8 * count;
  if (idKind === 'uuid') return 16 * count;
  if (count > bytes.length) throw corrupt('block of ids has the wrong size', { bytes: bytes.length, count });
  let length = count;
  for (let row = 0; row < count; row++) length += bytes[row] as number;
  return length;
}

function encodeIds(ids: IdColumn, from: number, to: number): Uint8Array {
  if (ids.idKind === 'u64') return bytesOf(ids.values.subarray(from, to));
  if (ids.idKind === 'uuid') return ids.bytes.subarray(16 * from, 16 * to);
  const start = ids.offsets[from] as number;
  const end = ids.offsets[to] as number;
  const bytes = new Uint8Array(to - from + end - start);
  for (let row = from; row < to; row++) {
    bytes[row - from] = (ids.offsets[row + 1] as number) - (ids.offsets[row] as number);
  }
  bytes.set(ids.bytes.subarray(start, end), to - from);
  return bytes;
}

/** Copies, so that the block may lie anywhere. */
function decodeIds(bytes: Uint8Array, idKind: IdKind, count: number): IdColumn {
  if (idKind === 'u64') return { idKind, count, values: new BigUint64Array(new Uint8Array(bytes).buffer) };
  if (idKind === 'uuid') return { idKind, count, bytes: new Uint8Array(bytes) };
  const offsets = new Uint32Array(count + 1);
  for (let row = 0; row < count; row++) {
    const length = bytes[row] as number;
    if (length === 0 || length > limits.idBytesMax) throw corrupt('id has a wrong length', { row, length });
    offsets[row + 1] = (offsets[row] as number) + length;
  }
  return { idKind, count, offsets, bytes: new Uint8Array(bytes.subarray(count)) };
}

/** All blocks of a segment as one column. */
export function joinIds(idKind: IdKind, blocks: readonly IdColumn[]): IdColumn {
  const count = blocks.reduce((sum, ids) => sum + ids.count, 0);
  if (idKind === 'u64') {
    const values = new BigUint64Array(count);
    let at = 0;
    for (const ids of blocks) {
      if (ids.idKind === 'u64') values.set(ids.values, at);
      at += ids.count;
    }
    return { idKind, count, values };
  }
  const bytes = new Uint8Array(
    Buffer.concat(blocks.map((ids) => (ids.idKind === 'u64' ? new Uint8Array(0) : ids.bytes))),
  );
  if (idKind === 'uuid') return { idKind, count, bytes };
  const offsets = new Uint32Array(count + 1);
  let row = 0;
  let start = 0;
  for (const ids of blocks) {
    if (ids.idKind !== 'string') continue;
    for (let i = 0; i < ids.count; i++) offsets[++row] = start + (ids.offsets[i + 1] as number);
    start += ids.bytes.length;
  }
  return { idKind, count, offsets, bytes };
}

function withRows(ids: Uint8Array, rows: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(ids.length + 4 * rows.length);
  bytes.set(ids);
  bytes.set(bytesOf(rows), ids.length);
  return bytes;
}

function alignedWords(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer);
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
