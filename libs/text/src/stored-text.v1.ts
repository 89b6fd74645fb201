import {
  alignUp,
  type ByteReader,
  type ByteWriter,
  compareBytes,
  corrupt,
  createByteReader,
  createByteWriter,
  invalidArgument,
  utf8Encode,
} from '@lagoon/base';
import { blockRowCount } from './block-row-count.ts';
import type { PostingsBlocks } from './postings-blocks.ts';
import { encodePostings, openPostings } from './postings-codec.v1.ts';
import type { Postings, TextIndex } from './text-index.ts';

/**
 * A text index as bytes (docs/formats/segment.v1.md, text): root, dictionary in blocks of 64 terms with shared prefixes, exact
 * lengths, postings. Read in place: opening it costs the lengths, a term costs its dictionary block and its postings.
 */
const magic = 0x5854474c; // "LGTX" read as little-endian u32
const version = 1;
const headerSize = 48;
const blockTermCount = 64;

/** A built index, which also knows its terms. */
export interface TermedTextIndex extends TextIndex {
  readonly terms: Iterable<string>;
}

export function encodeTextIndex(index: TermedTextIndex): Uint8Array {
  const terms = Array.from(index.terms, (term) => ({ term, bytes: utf8Encode(term) }));
  terms.sort((a, b) => compareBytes(a.bytes, b.bytes));
  const postings = createByteWriter();
  const dictionary = createByteWriter();
  const encoder = createTermEncoder(index.lengths, dictionary, postings);
  for (const { term, bytes } of terms) encoder.add(bytes, index.postings(term) ?? noPostings);
  const { offsets, firstTerms } = encoder.finish();
  const lengths = packLengths(index.lengths);
  const parts = [offsets, firstTerms, dictionary.result(), lengths.bytes, postings.result()];
  const sizes = parts.map((part) => part.length);
  const { header, starts, size } = layOutTextIndex(index, sizes, lengths.width);
  const bytes = new Uint8Array(size);
  bytes.set(header);
  for (const [i, part] of parts.entries()) bytes.set(part, starts[i]);
  return bytes;
}

/** Writes dictionary and postings, term after term. */
export interface TermEncoder {
  /** In the order of the terms' bytes, each once. */
  add(term: Uint8Array, postings: Postings): void;
  finish(): { readonly offsets: Uint8Array; readonly firstTerms: Uint8Array; readonly termCount: number };
}

export function createTermEncoder(lengths: Uint32Array, dictionary: ByteWriter, postings: ByteWriter): TermEncoder {
  const firstTerms = createByteWriter();
  const offsets = createByteWriter();
  let before = new Uint8Array(0);
  let termCount = 0;
  return {
    add: (term, found) => {
      if (termCount % blockTermCount === 0) {
        offsets.u32(dictionary.length);
        dictionary.varint(postings.length);
        firstTerms.varint(term.length);
        firstTerms.bytes(term);
        before = new Uint8Array(0);
      }
      termCount++;
      const from = postings.length;
      encodePostings(postings, found, lengths);
      const shared = sharedPrefix(before, term);
      dictionary.varint(shared);
      dictionary.varint(term.length - shared);
      dictionary.bytes(term.subarray(shared));
      dictionary.varint(found.rows.length);
      dictionary.varint(postings.length - from);
      before = new Uint8Array(term);
    },
    finish: () => {
      offsets.u32(dictionary.length);
      return { offsets: offsets.result(), firstTerms: firstTerms.result(), termCount };
    },
  };
}

/**
 * Where the five parts of an index lie: offsets, first terms, dictionary, lengths, postings. The header: magic, version u16, width of a length
 * u16, rows, terms u32, total length u64, five ends u32, 0 u32.
 */
export function layOutTextIndex(
  index: Pick<TextIndex, 'rowCount' | 'termCount' | 'totalLength'>,
  partSizes: readonly number[],
  lengthWidth: number,
): { readonly header: Uint8Array; readonly starts: readonly number[]; readonly size: number } {
  const header = new Uint8Array(headerSize);
  const view = new DataView(header.buffer);
  view.setUint32(0, magic, true);
  view.setUint16(4, version, true);
  view.setUint16(6, lengthWidth, true);
  view.setUint32(8, index.rowCount, true);
  view.setUint32(12, index.termCount, true);
  view.setBigUint64(16, BigInt(index.totalLength), true);
  const starts: number[] = [];
  let end = headerSize;
  for (const [i, partSize] of partSizes.entries()) {
    starts.push(end);
    if (end + partSize > 0xffff_ffff) throw invalidArgument('text index is too large', { bytes: end + partSize });
    view.setUint32(24 + 4 * i, end + partSize, true);
    end = alignUp(end + partSize, 4);
  }
  return { header, starts, size: alignUp(end, 16) };
}

/**
 * Opens what `encodeTextIndex` wrote; `bytes` starts at a multiple of 4 in its buffer and does not change while the index is
 * used. Throws `corrupt` here or at a term, never reads outside of the bytes.
 */
export function openTextIndex(bytes: Uint8Array): TextIndex {
  if (bytes.length < headerSize) throw corrupt('text index is too short', { bytes: bytes.length });
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerSize);
  if (view.getUint32(0, true) !== magic) throw corrupt('bytes are not a text index');
  if (view.getUint16(4, true) !== version) throw corrupt('unknown version of a text index');
  const rowCount = view.getUint32(8, true);
  const termCount = view.getUint32(12, true);
  const [offsetsPart, firstPart, dictionary, lengthPart, postingsPart] = readParts(view, bytes.length);
  const blockCount = Math.ceil(termCount / blockTermCount);
  if (partSize(offsetsPart) !== 4 * (blockCount + 1)) throw corrupt('dictionary has another count of blocks');
  const offsets = new Uint32Array(bytes.buffer, bytes.byteOffset + offsetsPart.start, blockCount + 1);
  const firstTerms = readFirstTerms(bytes, firstPart, blockCount);
  const lengths = unpackLengths(bytes, lengthPart, rowCount, view.getUint16(6, true));
  const dictionaryBlock = (block: number): [ByteReader, number] => {
    const from = dictionary.start + (offsets[block] as number);
    const to = Math.min(dictionary.end, dictionary.start + (offsets[block + 1] as number));
    return [createByteReader(bytes, from, to), Math.min(blockTermCount, termCount - block * blockTermCount)];
  };
  const blocks = (term: string): PostingsBlocks | undefined => {
    const wanted = utf8Encode(term);
    const block = lastAtMost(firstTerms, wanted);
    if (block < 0) return undefined;
    let found: PostingsBlocks | undefined;
    forEachTerm(...dictionaryBlock(block), (other, frequency, offset, size) => {
      const order = compareBytes(other, wanted);
      if (order !== 0) return order > 0;
      const start = postingsPart.start + offset;
      const end = start + size;
      if (end > postingsPart.end || frequency > rowCount) throw corrupt('term has a wrong place', { term });
      found = openPostings(bytes, start, end, frequency, rowCount);
      return true;
    });
    return found;
  };
  return {
    rowCount,
    lengths,
    totalLength: Number(view.getBigUint64(16, true)),
    termCount,
    memoryBytes: 4 * rowCount + 64 * blockCount,
    postings: (term) => {
      const found = blocks(term);
      return found === undefined ? undefined : joinPostings(found);
    },
    blocks,
    termsWithPrefix: (prefix) => {
      const wanted = utf8Encode(prefix);
      const terms: string[] = [];
      for (let block = Math.max(0, lastAtMost(firstTerms, wanted)); block < blockCount; block++) {
        const isLast = forEachTerm(...dictionaryBlock(block), (term) => {
          const order = comparePrefix(term, wanted);
          if (order === 0) terms.push(Buffer.from(term).toString('utf8'));
          return order > 0;
        });
        if (isLast) break;
      }
      return terms;
    },
  };
}

interface PartRange {
  readonly start: number;
  readonly end: number;
}

type Parts = [PartRange, PartRange, PartRange, PartRange, PartRange];

function readParts(view: DataView, size: number): Parts {
  const parts: PartRange[] = [];
  let start = headerSize;
  for (let i = 0; i < 5; i++) {
    const end = view.getUint32(24 + 4 * i, true);
    if (end < start || end > size) throw corrupt('part of a text index lies in the wrong place', { part: i, end });
    parts.push({ start, end });
    start = alignUp(end, 4);
  }
  if (alignUp(start, 16) !== size) throw corrupt('text index has another size', { size });
  return parts as Parts;
}

function partSize({ start, end }: PartRange): number {
  return end - start;
}

function readFirstTerms(bytes: Uint8Array, { start, end }: PartRange, count: number): Uint8Array[] {
  const reader = createByteReader(bytes, start, end);
  const terms = Array.from({ length: count }, () => reader.bytes(reader.varint()));
  if (reader.offset !== end) throw corrupt('first terms have bytes too many');
  return terms;
}

/** The last block whose first term is not behind the wanted one, or -1. */
function lastAtMost(firstTerms: readonly Uint8Array[], wanted: Uint8Array): number {
  let low = 0;
  let high = firstTerms.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(firstTerms[middle] as Uint8Array, wanted) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Calls back with each term of a dictionary block until it is told to stop; whether it was. */
function forEachTerm(
  reader: ByteReader,
  count: number,
  visit: (term: Uint8Array, frequency: number, offset: number, size: number) => boolean,
): boolean {
  let offset = reader.varint();
  let term = new Uint8Array(0);
  for (let i = 0; i < count; i++) {
    const shared = reader.varint();
    const suffix = reader.bytes(reader.varint());
    if (shared > term.length) throw corrupt('term shares more than there is', { shared });
    const next = new Uint8Array(shared + suffix.length);
    next.set(term.subarray(0, shared));
    next.set(suffix, shared);
    term = next;
    const frequency = reader.varint();
    const size = reader.varint();
    if (visit(term, frequency, offset, size)) return true;
    offset += size;
  }
  return false;
}

/** 0 where the term begins with the prefix. */
function comparePrefix(term: Uint8Array, prefix: Uint8Array): number {
  return compareBytes(term.subarray(0, prefix.length), prefix);
}

function joinPostings(blocks: PostingsBlocks): Postings {
  const rows = new Uint32Array(blocks.count);
  const frequencies = new Uint32Array(blocks.count);
  const unpacked = new Uint32Array(blockRowCount);
  for (let block = 0; block < blocks.lastRows.length; block++) {
    blocks.unpack(block, rows, unpacked);
    const from = block * blockRowCount;
    frequencies.set(unpacked.subarray(0, Math.min(blockRowCount, blocks.count - from)), from);
  }
  return { rows, frequencies };
}

/** As many bytes as the longest text needs: 1, 2 or 4 per row. */
export function packLengths(lengths: Uint32Array): { readonly bytes: Uint8Array; readonly width: number } {
  let longest = 0;
  for (const length of lengths) longest = Math.max(longest, length);
  const width = longest < 1 << 8 ? 1 : longest < 1 << 16 ? 2 : 4;
  const packed = width === 1 ? Uint8Array.from(lengths) : width === 2 ? Uint16Array.from(lengths) : lengths;
  return { bytes: new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength), width };
}

function unpackLengths(bytes: Uint8Array, { start, end }: PartRange, rowCount: number, width: number): Uint32Array {
  if (end - start !== width * rowCount) throw corrupt('lengths of texts have the wrong size', { width, rowCount });
  const at = bytes.byteOffset + start;
  if (width === 1) return Uint32Array.from(new Uint8Array(bytes.buffer, at, rowCount));
  if (width === 2) return Uint32Array.from(new Uint16Array(bytes.buffer, at, rowCount));
  if (width === 4) return new Uint32Array(bytes.buffer, at, rowCount);
  throw corrupt('lengths of texts have an unknown width', { width });
}

function sharedPrefix(a: Uint8Array, b: Uint8Array): number {
  const limit = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < limit && a[shared] === b[shared]) shared++;
  return shared;
}

const noPostings: Postings = { rows: new Uint32Array(0), frequencies: new Uint32Array(0) };
