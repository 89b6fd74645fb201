import { assert, type ByteWriter, createByteWriter } from '@lagoon/base';
import { encodeRowSet } from '@lagoon/format';
import { cutByParts, type Granules } from './granules.ts';
import { indexGranuleBytes } from './segment-layout.v1.ts';

/** An attribute index as it lies in a segment (docs/formats/segment.v1.md): its granules, and its root, which lies in the footer. */
export interface EncodedIndex {
  readonly root: Uint8Array;
  readonly granules: Granules;
}

/**
 * Values come in the ascending order of their keys, each with its rows `rows[from, to)`, ascending and distinct. A key stays as it is
 * until the next one has come. Memory: what it has written.
 */
export interface IndexEncoder {
  add(key: Uint8Array, rows: Uint32Array, from: number, to: number): void;
  finish(): EncodedIndex;
}

/** `keyWidth`: bytes of every key; 0: they differ. `nullRows`: rows without a value. */
export function createIndexEncoder(keyWidth: number, nullRows: Uint32Array): IndexEncoder {
  const postings = createPartWriter();
  const blocks = createPartWriter();
  const separators = createByteWriter();
  let valueCount = 0;
  let blockValueCount = 0;
  let offsetBefore = 0;
  let separatorBefore: Uint8Array = new Uint8Array(0);
  let keyBefore: Uint8Array = new Uint8Array(0);

  if (nullRows.length > 0) encodeRowSet(postings.writer, nullRows);
  const nullBytes = postings.length;
  postings.cut();

  /** A new block of the dictionary: begins with a whole key. */
  const beginBlock = (key: Uint8Array): void => {
    const separator = valueCount === 0 ? new Uint8Array(0) : shortestAbove(keyBefore, key);
    const shared = sharedPrefix(separatorBefore, separator);
    separators.varint(blockValueCount);
    separators.varint(postings.length - offsetBefore);
    separators.varint(shared);
    separators.varint(separator.length - shared);
    separators.bytes(separator.subarray(shared));
    separatorBefore = separator;
    offsetBefore = postings.length;
    blockValueCount = 0;
    keyBefore = new Uint8Array(0);
  };
  return {
    add: (key, rows, from, to) => {
      assert(to > from && (keyWidth === 0 || key.length === keyWidth), 'a value has a row, and a key of its width');
      if (blocks.writer.length === 0) beginBlock(key);
      const start = postings.length;
      encodeRowSet(postings.writer, rows, from, to);
      const size = postings.length - start;
      postings.cut();
      const { writer } = blocks;
      const shared = sharedPrefix(keyBefore, key);
      writer.varint(shared);
      if (keyWidth === 0) writer.varint(key.length - shared);
      writer.bytes(key.subarray(shared));
      writer.varint(2 * size + Number(to - from > 1));
      if (to - from > 1) writer.varint(to - from);
      keyBefore = key;
      valueCount++;
      blockValueCount++;
      blocks.cut();
    },
    finish: () => {
      const root = createByteWriter();
      const postingParts = postings.finish();
      const blockParts = blocks.finish();
      root.varint(keyWidth);
      root.varint(valueCount);
      root.varint(nullRows.length);
      root.varint(nullBytes);
      root.varint(postingParts.length);
      root.varint(blockParts.length);
      root.bytes(separators.result());
      return { root: root.result().slice(), granules: cutByParts([...postingParts, ...blockParts]) };
    },
  };
}

/** Bytes in parts that end between two things that are written. */
interface PartWriter {
  readonly writer: ByteWriter;
  /** Of all parts so far. */
  readonly length: number;
  /** Ends the part if it is large enough. */
  cut(): void;
  finish(): readonly Uint8Array[];
}

function createPartWriter(): PartWriter {
  const parts: Uint8Array[] = [];
  let before = 0;
  let writer = createByteWriter();
  const end = (): void => {
    before += writer.length;
    parts.push(writer.result());
    writer = createByteWriter();
  };
  return {
    get writer() {
      return writer;
    },
    get length() {
      return before + writer.length;
    },
    cut: () => {
      if (writer.length >= indexGranuleBytes) end();
    },
    finish: () => {
      if (writer.length > 0) end();
      return parts;
    },
  };
}

function sharedPrefix(a: Uint8Array, b: Uint8Array): number {
  const end = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < end && a[shared] === b[shared]) shared++;
  return shared;
}

/** The shortest prefix of `key` that is above `below`, which is below `key`. */
function shortestAbove(below: Uint8Array, key: Uint8Array): Uint8Array {
  return key.slice(0, sharedPrefix(below, key) + 1);
}
