import { compareBytes, corrupt, createByteReader } from '@lagoon/base';

/**
 * What is known of an attribute index before any of its granules is read: where the rows of its values lie. Granules are numbered
 * as in the section: those of postings first, then one per block of the dictionary. Postings are the sets of rows of all values
 * in their order, those of missing rows before them; an offset into them counts over all their granules.
 */
export interface IndexRoot {
  /** 0: keys of different lengths. */
  readonly keyWidth: number;
  readonly valueCount: number;
  /** Rows without a value. */
  readonly nullCount: number;
  readonly postingsGranuleCount: number;
  readonly blockCount: number;
  /** Where the set of the missing rows ends and that of the first value begins. */
  readonly nullBytes: number;
  readonly postingsBytes: number;
  /** The block of the dictionary that holds the key if any does. There is one where there is a value. */
  blockOf(key: Uint8Array): number;
  /** Where the postings of a block's first value begin. */
  blockOffset(block: number): number;
  /** The granules that hold the postings [from, to), from < to. */
  granulesOf(from: number, to: number): GranuleRange;
  /** Where a granule's postings begin. */
  granuleOffset(granule: number): number;
}

export interface GranuleRange {
  readonly from: number;
  readonly to: number;
}

/** Throws `corrupt`. `granuleLengths`: of the section, as the footer says. */
export function decodeIndexRoot(bytes: Uint8Array, granuleLengths: readonly number[]): IndexRoot {
  const reader = createByteReader(bytes, 0, bytes.length);
  const keyWidth = reader.varint();
  const valueCount = reader.varint();
  const nullCount = reader.varint();
  const nullBytes = reader.varint();
  const postingsGranuleCount = reader.varint();
  const blockCount = reader.varint();
  if (postingsGranuleCount + blockCount !== granuleLengths.length || blockCount > bytes.length) {
    throw corrupt('index has another count of granules', { postingsGranuleCount, blockCount });
  }
  const starts = new Float64Array(postingsGranuleCount + 1);
  for (let i = 0; i < postingsGranuleCount; i++) {
    starts[i + 1] = (starts[i] as number) + (granuleLengths[i] as number);
  }
  const postingsBytes = starts[postingsGranuleCount] as number;
  const separators: Uint8Array[] = [];
  const offsets = new Float64Array(blockCount);
  let offset = 0;
  for (let block = 0; block < blockCount; block++) {
    reader.varint(); // values of the block before: for who wants to estimate
    offset += reader.varint();
    offsets[block] = offset;
    const before = separators[block - 1] ?? new Uint8Array(0);
    separators.push(readKey(reader.varint(), reader.varint(), before, (size) => reader.bytes(size)));
  }
  if (reader.offset !== bytes.length || offset > postingsBytes || nullBytes > postingsBytes) {
    throw corrupt('index has a wrong root', { offset, postingsBytes, nullBytes });
  }
  return {
    ...{ keyWidth, valueCount, nullCount, postingsGranuleCount, blockCount, nullBytes, postingsBytes },
    blockOf: (key) => Math.max(0, countWhere(separators.length, (i) => compareBytes(at(separators, i), key) <= 0) - 1),
    blockOffset: (block) => offsets[block] as number,
    granulesOf: (from, to) => ({
      from: countWhere(postingsGranuleCount, (i) => (starts[i] as number) <= from) - 1,
      to: countWhere(postingsGranuleCount, (i) => (starts[i] as number) < to),
    }),
    granuleOffset: (granule) => starts[granule] as number,
  };
}

/** A value in a block of the dictionary. */
export interface IndexEntry {
  readonly key: Uint8Array;
  /** Where its set of rows lies in the postings. */
  readonly offset: number;
  readonly size: number;
  readonly rowCount: number;
}

/**
 * The values of a block of the dictionary in the order of their keys, until the visitor says that it has enough. Keys are only
 * valid during the call. Throws `corrupt`.
 */
export function walkIndexBlock(
  root: IndexRoot,
  block: number,
  bytes: Uint8Array,
  visit: (entry: IndexEntry) => boolean,
): void {
  const reader = createByteReader(bytes, 0, bytes.length);
  let offset = root.blockOffset(block);
  let key = new Uint8Array(0);
  while (reader.offset < bytes.length) {
    const shared = reader.varint();
    const rest = root.keyWidth === 0 ? reader.varint() : root.keyWidth - shared;
    key = readKey(shared, rest, key, (size) => reader.bytes(size));
    const header = reader.varint();
    const size = Math.floor(header / 2);
    const rowCount = header % 2 === 0 ? 1 : reader.varint();
    if (offset + size > root.postingsBytes) throw corrupt('value of an index has wrong postings', { block, offset });
    if (!visit({ key, offset, size, rowCount })) return;
    offset += size;
  }
}

/** Where the first value of a block that is not below the key (`above`: that is above it) has its postings, or where the block's end. */
export function indexBoundary(
  root: IndexRoot,
  block: number,
  bytes: Uint8Array,
  key: Uint8Array,
  above: boolean,
): number {
  let boundary = root.blockOffset(block);
  walkIndexBlock(root, block, bytes, (entry) => {
    const order = compareBytes(entry.key, key);
    if (above ? order > 0 : order >= 0) return false;
    boundary = entry.offset + entry.size;
    return true;
  });
  return boundary;
}

function readKey(shared: number, rest: number, before: Uint8Array, take: (size: number) => Uint8Array) {
  if (shared > before.length || rest < 0) throw corrupt('key of an index is none', { shared, rest });
  const suffix = take(rest);
  const key = new Uint8Array(shared + rest);
  key.set(before.subarray(0, shared));
  key.set(suffix, shared);
  return key;
}

/** How many of 0, 1, … hold, where all that hold come first. */
function countWhere(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function at(keys: readonly Uint8Array[], index: number): Uint8Array {
  return keys[index] as Uint8Array;
}
