import { assert } from '@lagoon/base';
import type { Analyzer } from './analyzer.ts';
import { cutPostings, type PostingsBlocks } from './postings-blocks.ts';
import type { TermedTextIndex } from './stored-text.v1.ts';
import type { Postings, TextIndex } from './text-index.ts';
import { createWordTable } from './word-table.ts';
import { isAscii, nextWordStart, wordEnd, wordsOf } from './words.ts';

/** Builds a TextIndex row by row: `addText` any number of times, then `endRow`. */
export interface TextIndexBuilder {
  /** UTF-8 in bytes[start, end), of the current row. */
  addText(bytes: Uint8Array, start: number, end: number): void;
  endRow(): void;
  /** Ends the building. */
  finish(): TermedTextIndex;
}

/** A string column (rowOffsets absent) or []string column of n rows; the shapes of `libs/format`'s columns. */
export interface TextColumn {
  readonly rowCount: number;
  /** Of the strings; row r, or element i, is bytes[offsets[i], offsets[i + 1]). A missing value is empty. */
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
  /** n + 1; row r holds the elements [rowOffsets[r], rowOffsets[r + 1]). */
  readonly rowOffsets?: Uint32Array | undefined;
}

export function buildTextIndex(analyzer: Analyzer, column: TextColumn): TextIndex {
  const { rowCount, offsets, bytes, rowOffsets } = column;
  const builder = createTextIndexBuilder(analyzer);
  for (let row = 0; row < rowCount; row++) {
    const from = rowOffsets === undefined ? row : (rowOffsets[row] as number);
    const to = rowOffsets === undefined ? row + 1 : (rowOffsets[row + 1] as number);
    for (let i = from; i < to; i++) builder.addText(bytes, offsets[i] as number, offsets[i + 1] as number);
    builder.endRow();
  }
  return builder.finish();
}

/** A word that the analyzer drops. */
const dropped = -1;

export function createTextIndexBuilder(analyzer: Analyzer): TextIndexBuilder {
  const terms = createTermNumbers(analyzer);
  const collector = createCollector();
  return {
    addText(bytes, start, end) {
      if (analyzer.preTokenized || !isAscii(bytes, start, end)) {
        const text = decodeText(bytes, start, end);
        const words = analyzer.preTokenized ? [text] : wordsOf(text);
        for (const word of words) collector.add(terms.ofWord(word));
        return;
      }
      let at = nextWordStart(bytes, start, end);
      while (at < end) {
        const next = wordEnd(bytes, at, end);
        collector.add(terms.ofAsciiWord(bytes, at, next));
        at = nextWordStart(bytes, next, end);
      }
    },
    endRow: () => collector.endRow(),
    finish: () => collector.finish(terms.numbers),
  };
}

interface TermNumbers {
  /** The number of the word's term, or `dropped`. */
  ofWord(word: string): number;
  ofAsciiWord(bytes: Uint8Array, start: number, end: number): number;
  /** By term. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** Every distinct word is analyzed once. */
function createTermNumbers(analyzer: Analyzer): TermNumbers {
  const numbers = new Map<string, number>();
  const ofWords = new Map<string, number>();
  const asciiWords = createWordTable();
  let ofAsciiWords = new Int32Array(1 << 11);
  const analyze = (word: string): number => {
    const term = analyzer.termOf(word);
    if (term === undefined) return dropped;
    let number = numbers.get(term);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(term, number);
    }
    return number;
  };
  return {
    numbers,
    ofWord(word) {
      let number = ofWords.get(word);
      if (number === undefined) {
        number = analyze(word);
        ofWords.set(word, number);
      }
      return number;
    },
    ofAsciiWord(bytes, start, end) {
      const known = asciiWords.size;
      const word = asciiWords.numberOf(bytes, start, end);
      if (word < known) return ofAsciiWords[word] as number;
      if (word === ofAsciiWords.length) ofAsciiWords = grown(ofAsciiWords, new Int32Array(2 * word));
      const number = analyze(decodeText(bytes, start, end));
      ofAsciiWords[word] = number;
      return number;
    },
  };
}

interface Collector {
  add(term: number): void;
  endRow(): void;
  finish(numbers: ReadonlyMap<string, number>): TermedTextIndex;
}

/** Collects (term, frequency) pairs row after row; `finish` sorts them by term, counting, so rows stay ascending. */
function createCollector(): Collector {
  let pairTerms = new Uint32Array(1 << 12);
  let pairFrequencies = new Uint32Array(1 << 12);
  let pairCount = 0;
  let pairEnds = new Uint32Array(1 << 10); // per row
  let lengths = new Uint32Array(1 << 10);
  let rowCount = 0;
  let totalLength = 0;
  let length = 0;
  let rowStart = 0; // first pair of the current row
  let lastPairs = new Int32Array(1 << 11).fill(-1); // per term: its newest pair

  return {
    add(term) {
      if (term === dropped) return;
      length++;
      if (term >= lastPairs.length) {
        const larger = new Int32Array(2 * Math.max(term, lastPairs.length)).fill(-1);
        lastPairs = grown(lastPairs, larger);
      }
      const last = lastPairs[term] as number;
      if (last >= rowStart) {
        (pairFrequencies[last] as number)++;
        return;
      }
      if (pairCount === pairTerms.length) {
        pairTerms = grown(pairTerms, new Uint32Array(2 * pairCount));
        pairFrequencies = grown(pairFrequencies, new Uint32Array(2 * pairCount));
      }
      pairTerms[pairCount] = term;
      pairFrequencies[pairCount] = 1;
      lastPairs[term] = pairCount++;
    },
    endRow() {
      if (rowCount === lengths.length) {
        lengths = grown(lengths, new Uint32Array(2 * rowCount));
        pairEnds = grown(pairEnds, new Uint32Array(2 * rowCount));
      }
      lengths[rowCount] = length;
      pairEnds[rowCount++] = pairCount;
      totalLength += length;
      length = 0;
      rowStart = pairCount;
    },
    finish(numbers) {
      assert(length === 0, 'the last row was ended');
      const starts = termStarts(pairTerms, pairCount, numbers.size);
      const fill = starts.slice();
      const rows = new Uint32Array(pairCount);
      const frequencies = new Uint32Array(pairCount);
      let pair = 0;
      for (let row = 0; row < rowCount; row++) {
        for (; pair < (pairEnds[row] as number); pair++) {
          const term = pairTerms[pair] as number;
          const at = fill[term] as number;
          rows[at] = row;
          frequencies[at] = pairFrequencies[pair] as number;
          fill[term] = at + 1;
        }
      }
      return textIndexOf({
        rowCount,
        lengths: lengths.slice(0, rowCount),
        totalLength,
        numbers,
        starts,
        rows,
        frequencies,
      });
    },
  };
}

function termStarts(pairTerms: Uint32Array, pairCount: number, termCount: number): Uint32Array {
  const starts = new Uint32Array(termCount + 1);
  for (let pair = 0; pair < pairCount; pair++) (starts[(pairTerms[pair] as number) + 1] as number)++;
  for (let term = 0; term < termCount; term++) (starts[term + 1] as number) += starts[term] as number;
  return starts;
}

interface IndexArrays {
  readonly rowCount: number;
  readonly lengths: Uint32Array;
  readonly totalLength: number;
  readonly numbers: ReadonlyMap<string, number>;
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  readonly frequencies: Uint32Array;
}

/** A map entry and its string, about. */
const dictionaryEntryBytes = 64;

function textIndexOf(arrays: IndexArrays): TermedTextIndex {
  const { rowCount, lengths, totalLength, numbers, starts, rows, frequencies } = arrays;
  const memoryBytes =
    4 * (lengths.length + starts.length + rows.length + frequencies.length) + numbers.size * dictionaryEntryBytes;
  const cut = new Map<string, PostingsBlocks>(); // small beside the index: a table per term that was asked for
  const postings = (term: string): Postings | undefined => {
    const number = numbers.get(term);
    if (number === undefined) return undefined;
    const from = starts[number];
    const to = starts[number + 1];
    return { rows: rows.subarray(from, to), frequencies: frequencies.subarray(from, to) };
  };
  return {
    rowCount,
    lengths,
    totalLength,
    termCount: numbers.size,
    get terms() {
      return numbers.keys();
    },
    memoryBytes,
    postings,
    blocks: (term) => {
      const known = cut.get(term);
      if (known !== undefined) return known;
      const found = postings(term);
      if (found === undefined) return undefined;
      const blocks = cutPostings(found, lengths);
      cut.set(term, blocks);
      return blocks;
    },
    termsWithPrefix: (prefix) => [...numbers.keys()].filter((term) => term.startsWith(prefix)),
  };
}

function decodeText(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

function grown<T extends Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(from: T, larger: T): T {
  larger.set(from);
  return larger;
}
