import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { alignUp, assert, corrupt, crc32, LagoonError, sha256 } from '@lagoon/base';
import { type BatchEntry, type Entry, EntrySchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { toSafeNumber } from './proto-number.ts';

/** A log entry's object, decoded (docs/formats/entry.v1.md). */
export interface DecodedEntry {
  readonly header: Entry;
  /** Parts that lie in the entry itself, in order, views of the object; empty where they lie in a body. */
  readonly parts: readonly Uint8Array[];
  /** SHA-256 of the whole object: what the next entry chains to. */
  readonly hash: Uint8Array;
  readonly sizeBytes: number;
}

export const entryVersion = 1;
const magic = 0x6e45674c; // "LgEn", little-endian
const prefixSize = 32;
const partAlignment = 16;
/** Largest object of an entry: parts of at most 4 MiB, and a header (schema, idempotency records). */
export const entryBytesMax = 32 << 20;

/** The object of an entry. `parts` must be what `header` declares in `part_sizes`, or empty where it names a body. */
export function encodeEntry(header: Entry, parts: readonly Uint8Array[]): Uint8Array {
  const headerBytes = toBinary(EntrySchema, header);
  const partsStart = alignUp(prefixSize + headerBytes.byteLength, partAlignment);
  const layout = layoutParts(
    partsStart,
    parts.map((part) => part.byteLength),
  );
  assert(layout.end <= entryBytesMax, 'an entry within its bound');
  const bytes = new Uint8Array(layout.end);
  bytes.set(headerBytes, prefixSize);
  parts.forEach((part, index) => {
    bytes.set(part, layout.starts[index]);
  });
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint16(4, entryVersion, true);
  view.setUint32(8, headerBytes.byteLength, true);
  view.setUint32(12, bytes.byteLength, true);
  view.setUint32(16, crc32(bytes.subarray(partsStart)), true);
  view.setUint32(28, headCrc(bytes, partsStart), true);
  return bytes;
}

/** Throws `corrupt` naming key and part, `unavailable` never: the bytes are judged alone. */
export function decodeEntry(key: string, bytes: Uint8Array): DecodedEntry {
  const prefix = readPrefix(key, bytes, bytes.byteLength);
  const partsStart = alignUp(prefixSize + prefix.headerSize, partAlignment);
  if (headCrc(bytes, partsStart) !== prefix.headCrc) throw broken(key, 'header', 'checksum mismatch');
  const header = decodeHeader(key, bytes.subarray(prefixSize, prefixSize + prefix.headerSize));
  const sizes = inlinePartSizes(header).map((size) => toSafeNumber(size, { key, field: 'part_sizes' }));
  const layout = layoutParts(partsStart, sizes);
  if (layout.end !== bytes.byteLength) throw broken(key, 'parts', 'sizes do not fill the object');
  if (crc32(bytes.subarray(partsStart)) !== prefix.partsCrc) throw broken(key, 'parts', 'checksum mismatch');
  return {
    header,
    parts: sizes.map((size, index) => {
      const start = layout.starts[index] ?? 0;
      return bytes.subarray(start, start + size);
    }),
    hash: sha256(bytes),
    sizeBytes: bytes.byteLength,
  };
}

/**
 * The header out of an object's first bytes, verified by its own checksum; the parts are not looked at. Undefined where the bytes
 * end before it does. Throws `corrupt`.
 */
export function decodeEntryHeader(key: string, start: Uint8Array, objectSize: number): Entry | undefined {
  if (start.byteLength >= prefixSize && start.byteLength < objectSize) {
    const headerSize = new DataView(start.buffer, start.byteOffset).getUint32(8, true);
    if (alignUp(prefixSize + headerSize, partAlignment) > start.byteLength) return undefined;
  }
  const { headerSize } = readPrefix(key, start, objectSize);
  return decodeHeader(key, start.subarray(prefixSize, prefixSize + headerSize));
}

/** Where parts of these sizes start, and where the last one ends; also the layout of a batch's body, from 0. */
export function layoutParts(from: number, sizes: readonly number[]): { starts: number[]; end: number } {
  const starts: number[] = [];
  let end = from;
  for (const size of sizes) {
    const start = alignUp(end, partAlignment);
    starts.push(start);
    end = start + size;
  }
  return { starts, end };
}

/** The batch that an entry carries, alone or with a birth. */
export function batchOf(header: Entry): BatchEntry | undefined {
  if (header.kind.case === 'batch') return header.kind.value;
  return header.kind.case === 'birth' ? header.kind.value.batch : undefined;
}

function inlinePartSizes(header: Entry): readonly bigint[] {
  const batch = batchOf(header);
  return batch === undefined || batch.body !== undefined ? [] : batch.partSizes;
}

interface Prefix {
  readonly headerSize: number;
  readonly partsCrc: number;
  readonly headCrc: number;
}

function readPrefix(key: string, bytes: Uint8Array, objectSize: number): Prefix {
  if (bytes.byteLength < prefixSize) throw broken(key, 'prefix', 'truncated');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) throw broken(key, 'prefix', 'not an entry');
  const version = view.getUint16(4, true);
  const headerSize = view.getUint32(8, true);
  // An unknown version is told apart from a flipped bit by the checksum, which every version keeps in this place.
  const end = alignUp(prefixSize + headerSize, partAlignment);
  const intact = end <= bytes.byteLength && headCrc(bytes, end) === view.getUint32(28, true);
  if (!intact) throw broken(key, 'header', 'checksum mismatch');
  if (version !== entryVersion) {
    throw new LagoonError('corrupt', 'the entry is of a newer format: upgrade this process', {
      context: { key, version, versionMax: entryVersion },
    });
  }
  if (view.getUint32(12, true) !== objectSize) throw broken(key, 'prefix', 'another length than written');
  return { headerSize, partsCrc: view.getUint32(16, true), headCrc: view.getUint32(28, true) };
}

/** Over the prefix without its own four bytes, the header and the padding behind it. */
function headCrc(bytes: Uint8Array, partsStart: number): number {
  return crc32(bytes.subarray(prefixSize, partsStart), crc32(bytes.subarray(0, 28)));
}

function decodeHeader(key: string, bytes: Uint8Array): Entry {
  let header: Entry;
  try {
    header = fromBinary(EntrySchema, bytes);
  } catch (cause) {
    throw new LagoonError('corrupt', 'entry header does not decode', { context: { key }, cause });
  }
  if (header.kind.case === undefined) throw broken(key, 'header', 'unknown kind of entry');
  return header;
}

function broken(key: string, part: string, problem: string): LagoonError {
  return corrupt(`entry: ${problem}`, { key, part });
}
