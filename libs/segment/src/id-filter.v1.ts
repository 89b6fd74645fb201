import { corrupt } from '@lagoon/base';
import type { IdColumn } from '@lagoon/format';

/**
 * Tells absent ids without reading a block of ids: a blocked Bloom filter (Putze, Sanders, Singler, "Cache-, Hash- and
 * Space-Efficient Bloom Filters", 2007). Blocks of 64 bytes; an id sets six bits of one block; 12 bits per id, so about
 * 1 % of absent ids pass. The bytes are the blocks (docs/formats/segment.v1.md, id filter).
 */
const blockBytes = 64;
const bitsPerId = 12;
const probeCount = 6;

export function buildIdFilter(ids: IdColumn): Uint8Array {
  const blockCount = Math.max(1, Math.ceil((ids.count * bitsPerId) / (8 * blockBytes)));
  const filter = new Uint8Array(blockCount * blockBytes);
  const hash = createIdHash(ids);
  for (let row = 0; row < ids.count; row++) {
    forEachProbe(hash, row, blockCount, (bit) => {
      (filter[bit >>> 3] as number) |= 1 << (bit & 7);
      return true;
    });
  }
  return filter;
}

/** Whether the id of a row may be in the segment; false: it is not. Throws `corrupt` for bytes that are no filter. */
export function createIdFilter(filter: Uint8Array): (ids: IdColumn, row: number) => boolean {
  if (filter.length === 0 || filter.length % blockBytes !== 0) throw corrupt('id filter has the wrong size');
  const isSet = (bit: number): boolean => (((filter[bit >>> 3] as number) >>> (bit & 7)) & 1) === 1;
  return (ids, row) => forEachProbe(createIdHash(ids), row, filter.length / blockBytes, isSet);
}

type IdHash = (row: number, seed: number) => number;

/** Calls back with the bits of an id while that says true; whether all did. */
function forEachProbe(hash: IdHash, row: number, blockCount: number, visit: (bit: number) => boolean): boolean {
  const block = Math.floor((hash(row, 0x811c9dc5) / 2 ** 32) * blockCount);
  const second = hash(row, 0x9747b28c);
  const start = second & 511;
  const step = ((second >>> 9) & 511) | 1;
  for (let probe = 0; probe < probeCount; probe++) {
    if (!visit(block * 8 * blockBytes + ((start + probe * step) & 511))) return false;
  }
  return true;
}

/** FNV-1a over the id's bytes (u64: 8, little-endian), then the finalizer of MurmurHash3 (Appleby). */
function createIdHash(ids: IdColumn): IdHash {
  const bytes =
    ids.idKind === 'u64' ? new Uint8Array(ids.values.buffer, ids.values.byteOffset, ids.values.byteLength) : ids.bytes;
  const width = ids.idKind === 'u64' ? 8 : 16;
  return (row, seed) => {
    const start = ids.idKind === 'string' ? (ids.offsets[row] as number) : width * row;
    const end = ids.idKind === 'string' ? (ids.offsets[row + 1] as number) : start + width;
    let hash = seed;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  };
}
