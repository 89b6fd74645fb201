import { assert, type ByteWriter, compareBytes, corrupt, createByteWriter, utf8Encode } from '@lagoon/base';
import type { Analyzer } from './analyzer.ts';
import { createTermEncoder, layOutTextIndex, packLengths, type TermedTextIndex } from './stored-text.v1.ts';
import type { Postings } from './text-index.ts';
import { createTextIndexBuilder, type TextIndexBuilder } from './text-index-builder.ts';

/** A file for what does not fit into memory. */
export interface SpoolFile {
  readonly size: number;
  append(bytes: Uint8Array): void;
  read(start: number, end: number): Uint8Array;
  remove(): void;
}

/**
 * Builds a stored text index of any size: what is in memory goes to a file as a sorted run before it grows too large, and the runs are merged
 * in the end. Memory: about four times `runTextBytesMax`, 4 bytes per row, and the postings of one term.
 */
export interface TextIndexSpool extends Omit<TextIndexBuilder, 'finish'> {
  /** Writes the bytes that `encodeTextIndex` would give for all rows, in order, and removes the files. Ends the building. */
  finish(write: (bytes: Uint8Array) => void): void;
}

export interface TextIndexSpoolOptions {
  /** Bytes of texts in memory before they become a run. */
  readonly runTextBytesMax: number;
}

export function createTextIndexSpool(
  analyzer: Analyzer,
  createFile: () => SpoolFile,
  { runTextBytesMax }: TextIndexSpoolOptions,
): TextIndexSpool {
  const runs: SpoolFile[] = [];
  let lengths = new Uint32Array(1 << 10);
  let rowCount = 0;
  let totalLength = 0;
  let builder = createTextIndexBuilder(analyzer);
  let textBytes = 0;
  let openRows = 0;

  const endRun = (): void => {
    const index = builder.finish();
    while (lengths.length < rowCount + index.rowCount) lengths = grown(lengths);
    lengths.set(index.lengths, rowCount);
    const file = createFile();
    writeRun(file, index, rowCount);
    runs.push(file);
    rowCount += index.rowCount;
    totalLength += index.totalLength;
    builder = createTextIndexBuilder(analyzer);
    textBytes = 0;
    openRows = 0;
  };

  return {
    addText: (bytes, start, end) => {
      builder.addText(bytes, start, end);
      textBytes += end - start;
    },
    endRow: () => {
      builder.endRow();
      openRows++;
      if (textBytes >= runTextBytesMax) endRun();
    },
    finish: (write) => {
      if (openRows > 0) endRun();
      mergeRuns(runs, { lengths: lengths.subarray(0, rowCount), rowCount, totalLength }, createFile, write);
      for (const file of runs) file.remove();
    },
  };
}

/** A run: per term, ascending, its length and bytes, the count of its rows, and per row the gap to the row before and its frequency. */
function writeRun(file: SpoolFile, index: TermedTextIndex, firstRow: number): void {
  const terms = Array.from(index.terms, (term) => ({ term, bytes: utf8Encode(term) }));
  terms.sort((a, b) => compareBytes(a.bytes, b.bytes));
  const out = createFileWriter(file);
  for (const { term, bytes } of terms) {
    const postings = index.postings(term);
    assert(postings !== undefined, 'an index has postings of its terms');
    out.varint(bytes.length);
    out.bytes(bytes);
    out.varint(postings.rows.length);
    let before = 0;
    for (const [i, row] of postings.rows.entries()) {
      out.varint(firstRow + row - before);
      out.varint(postings.frequencies[i] as number);
      before = firstRow + row;
    }
    out.flush(spoolBytes);
  }
  out.flush(0);
}

interface Merged {
  readonly lengths: Uint32Array;
  readonly rowCount: number;
  readonly totalLength: number;
}

function mergeRuns(
  runs: readonly SpoolFile[],
  merged: Merged,
  createFile: () => SpoolFile,
  write: (bytes: Uint8Array) => void,
): void {
  const files = { dictionary: createFile(), postings: createFile() };
  const dictionary = createFileWriter(files.dictionary);
  const postings = createFileWriter(files.postings);
  const encoder = createTermEncoder(merged.lengths, dictionary, postings);
  const readers = runs.map(createRunReader).filter((reader) => reader.next());
  for (;;) {
    const term = lowestTerm(readers);
    if (term === undefined) break;
    const holders = readers.filter((reader) => compareBytes(reader.term, term) === 0);
    encoder.add(term, joined(holders.map((reader) => reader.postings)));
    for (const reader of holders) if (!reader.next()) readers.splice(readers.indexOf(reader), 1);
    dictionary.flush(spoolBytes);
    postings.flush(spoolBytes);
  }
  dictionary.flush(0);
  postings.flush(0);
  const { offsets, firstTerms, termCount } = encoder.finish();
  const lengths = packLengths(merged.lengths);
  const sizes = [offsets.length, firstTerms.length, files.dictionary.size, lengths.bytes.length, files.postings.size];
  const { header, starts, size } = layOutTextIndex({ ...merged, termCount }, sizes, lengths.width);
  let written = 0;
  const put = (bytes: Uint8Array): void => {
    write(bytes);
    written += bytes.length;
  };
  const padTo = (offset: number): void => put(new Uint8Array(offset - written));
  put(header);
  for (const [i, part] of [offsets, firstTerms, files.dictionary, lengths.bytes, files.postings].entries()) {
    padTo(starts[i] as number);
    if (part instanceof Uint8Array) put(part);
    else for (let at = 0; at < part.size; at += spoolBytes) put(part.read(at, Math.min(at + spoolBytes, part.size)));
  }
  padTo(size);
  files.dictionary.remove();
  files.postings.remove();
}

const spoolBytes = 256 << 10;
/** Of each run at a time. */
const readBytes = 32 << 10;

function lowestTerm(readers: readonly RunReader[]): Uint8Array | undefined {
  let lowest: Uint8Array | undefined;
  for (const { term } of readers) if (lowest === undefined || compareBytes(term, lowest) < 0) lowest = term;
  return lowest;
}

/** Runs are in the order of their rows. */
function joined(parts: readonly Postings[]): Postings {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const count = parts.reduce((sum, { rows }) => sum + rows.length, 0);
  const rows = new Uint32Array(count);
  const frequencies = new Uint32Array(count);
  let at = 0;
  for (const part of parts) {
    rows.set(part.rows, at);
    frequencies.set(part.frequencies, at);
    at += part.rows.length;
  }
  return { rows, frequencies };
}

/** A writer whose bytes go to a file; its length is that of all. */
interface FileWriter extends Omit<ByteWriter, 'result'> {
  /** Where more than so many bytes wait. */
  flush(bytesMax: number): void;
}

function createFileWriter(file: SpoolFile): FileWriter & ByteWriter {
  let writer = createByteWriter();
  return {
    get length() {
      return file.size + writer.length;
    },
    varint: (value) => writer.varint(value),
    u8: (value) => writer.u8(value),
    u32: (value) => writer.u32(value),
    bytes: (bytes) => writer.bytes(bytes),
    reserve: (size) => writer.reserve(size),
    result: () => writer.result(),
    flush: (bytesMax) => {
      if (writer.length <= bytesMax) return;
      file.append(writer.result());
      writer = createByteWriter();
    },
  };
}

interface RunReader {
  readonly term: Uint8Array;
  readonly postings: Postings;
  /** Goes on to the next term; false at the end. */
  next(): boolean;
}

function createRunReader(file: SpoolFile): RunReader {
  let buffer: Uint8Array = new Uint8Array(0);
  let at = 0;
  let fileAt = 0;
  let term: Uint8Array = new Uint8Array(0);
  let postings: Postings = { rows: new Uint32Array(0), frequencies: new Uint32Array(0) };

  /** Where fewer bytes than that are left in the buffer, there are no more in the file. */
  const fill = (size: number): void => {
    if (buffer.length - at >= size || fileAt === file.size) return;
    const end = Math.min(file.size, fileAt + Math.max(size, readBytes));
    const next = file.read(fileAt, end);
    const joinedBytes = new Uint8Array(buffer.length - at + next.length);
    joinedBytes.set(buffer.subarray(at));
    joinedBytes.set(next, buffer.length - at);
    buffer = joinedBytes;
    at = 0;
    fileAt = end;
  };
  const varint = (): number => {
    fill(8);
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = buffer[at++];
      if (byte === undefined) throw corrupt('run of a text index ends early');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  return {
    get term() {
      return term;
    },
    get postings() {
      return postings;
    },
    next: () => {
      fill(1);
      if (at === buffer.length) return false;
      const size = varint();
      fill(size);
      term = buffer.slice(at, at + size);
      at += size;
      const count = varint();
      const rows = new Uint32Array(count);
      const frequencies = new Uint32Array(count);
      let row = 0;
      for (let i = 0; i < count; i++) {
        row += varint();
        rows[i] = row;
        frequencies[i] = varint();
      }
      postings = { rows, frequencies };
      return true;
    },
  };
}

function grown(from: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * from.length);
  larger.set(from);
  return larger;
}
