import { corrupt, crc32, invalidArgument } from '@lagoon/base';
import { bitmapBytes, countBits, isBitmapOf } from '@lagoon/format';

/**
 * Delete vector v1 (docs/formats/delete-vector.v1.md): which rows of a segment are dead.
 * All numbers little-endian: magic 'LDV1', row count u32, dead row count u32, bitmap, crc32 of everything before it.
 */
const magic = 0x3156444c; // 'LDV1'
const headerSize = 12;
const crcSize = 4;

/** `dead`: 1 = dead. */
export function encodeDeleteVector(dead: Uint8Array, rowCount: number): Uint8Array {
  if (!isBitmapOf(dead, rowCount)) {
    throw invalidArgument('a delete vector has one bit per row', { rowCount, bytes: dead.length });
  }
  const bytes = new Uint8Array(headerSize + dead.length + crcSize);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, rowCount, true);
  view.setUint32(8, countBits(dead), true);
  bytes.set(dead, headerSize);
  view.setUint32(headerSize + dead.length, crc32(bytes.subarray(0, headerSize + dead.length)), true);
  return bytes;
}

/** The bitmap of dead rows, a view of `bytes`; `corrupt` where anything is not as it was written. */
export function decodeDeleteVector(bytes: Uint8Array, rowCount: number): Uint8Array {
  const size = headerSize + bitmapBytes(rowCount) + crcSize;
  if (bytes.length !== size) throw corrupt('delete vector has the wrong size', { expected: size, found: bytes.length });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(size - crcSize, true) !== crc32(bytes.subarray(0, size - crcSize))) {
    throw corrupt('delete vector has the wrong checksum');
  }
  if (view.getUint32(0, true) !== magic) throw corrupt('not a delete vector of a known version');
  if (view.getUint32(4, true) !== rowCount) {
    throw corrupt('delete vector is of another segment', { expected: rowCount, found: view.getUint32(4, true) });
  }
  const dead = bytes.subarray(headerSize, size - crcSize);
  checkDeadRows(dead, rowCount);
  if (countBits(dead) !== view.getUint32(8, true)) throw corrupt('delete vector counts other rows than it holds');
  return dead;
}

/** Shape of a bare bitmap, as manifests carry it inline. */
export function checkDeadRows(dead: Uint8Array, rowCount: number): void {
  if (!isBitmapOf(dead, rowCount)) {
    throw corrupt('delete vector does not fit its segment', { rowCount, bytes: dead.length });
  }
}
