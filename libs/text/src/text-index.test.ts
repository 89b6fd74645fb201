import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Analyzer, createAnalyzer } from './analyzer.ts';
import { bm25Gain, bm25Idf, bm25Norm, bm25Weight } from './bm25.ts';
import type { TextIndex } from './text-index.ts';
import { buildTextIndex, type TextColumn } from './text-index-builder.ts';
import { createWordTable } from './word-table.ts';

const analyzers = [false, true].map((filters) =>
  createAnalyzer({
    tokenizer: 'word_v4',
    language: 'english',
    stemming: filters,
    removeStopwords: filters,
    caseSensitive: false,
    asciiFolding: filters,
    maxTokenLength: 39,
  }),
);
const [plain, filtering] = analyzers as [Analyzer, Analyzer];
const parameters = { k1: 1.2, b: 0.75, k3: 8 };

const word = fc.constantFrom(
  'cat',
  'Cats',
  'the',
  'dog',
  'DOG',
  'naïve',
  'naive',
  '日本',
  "don't",
  '3.14',
  '_',
  'e-mail',
  'running',
);
const text = fc.array(word, { maxLength: 12 }).map((words) => words.join(' '));

/** One text per row, or with lists one row of several texts each. */
function columnOf(rows: readonly (readonly string[])[], isArray: boolean): TextColumn {
  const texts = rows.flat().map((value) => new TextEncoder().encode(value));
  const offsets = new Uint32Array(texts.length + 1);
  for (const [i, bytes] of texts.entries()) offsets[i + 1] = (offsets[i] as number) + bytes.length;
  const rowOffsets = new Uint32Array(rows.length + 1);
  for (const [i, row] of rows.entries()) rowOffsets[i + 1] = (rowOffsets[i] as number) + row.length;
  const bytes = new Uint8Array(Buffer.concat(texts));
  return { rowCount: rows.length, offsets, bytes, ...(isArray ? { rowOffsets } : {}) };
}

function scoreByIndex(index: TextIndex, query: readonly string[]): number[] {
  const scores = new Array<number>(index.rowCount).fill(0);
  const average = index.totalLength / index.rowCount;
  for (const term of query) {
    const postings = index.postings(term);
    if (postings === undefined) continue;
    const weight = bm25Weight(bm25Idf(index.rowCount, postings.rows.length), 1, parameters);
    for (const [i, row] of postings.rows.entries()) {
      const norm = bm25Norm(index.lengths[row] as number, average, parameters);
      (scores[row] as number) += weight * bm25Gain(postings.frequencies[i] as number, norm);
    }
  }
  return scores;
}

/** The formula of bm25.ts over the rows' terms, without any index. */
function scoreByForce(rows: readonly (readonly string[])[], query: readonly string[]): number[] {
  const average = rows.reduce((sum, row) => sum + row.length, 0) / rows.length;
  return rows.map((row) => {
    let score = 0;
    for (const term of query) {
      const frequency = row.filter((other) => other === term).length;
      if (frequency === 0) continue;
      const holding = rows.filter((other) => other.includes(term)).length;
      const idf = Math.log(1 + (rows.length - holding + 0.5) / (holding + 0.5));
      score += idf * 2.2 * (1 / (1 + (1.2 * (1 - 0.75 + (0.75 * row.length) / average)) / frequency));
    }
    return score;
  });
}

describe('text index', () => {
  test.each([
    ['plain', plain],
    ['stemming, stopwords, folding', filtering],
  ])('postings and scores agree with brute force: %s', (_, analyzer) => {
    const lists = fc.array(fc.array(text, { maxLength: 3 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(lists, text, fc.boolean(), (lists, queryText, isArray) => {
        const rows = isArray ? lists : lists.map((list) => [list[0] ?? '']);
        const index = buildTextIndex(analyzer, columnOf(rows, isArray));
        const terms = rows.map((row) => analyzer.tokenizeAll(row));
        expect([...index.lengths]).toEqual(terms.map((row) => row.length));
        expect(index.totalLength).toBe(terms.flat().length);
        expect(index.termCount).toBe(new Set(terms.flat()).size);
        for (const term of new Set(terms.flat())) {
          const expected = terms.flatMap((row, i) =>
            row.includes(term) ? [[i, row.filter((t) => t === term).length]] : [],
          );
          const { rows: found, frequencies } = index.postings(term) ?? { rows: [], frequencies: [] };
          expect([...found].map((row, i) => [row, frequencies[i]])).toEqual(expected);
        }
        const query = analyzer.tokenize(queryText);
        expect(scoreByIndex(index, query)).toEqual(scoreByForce(terms, query));
        expect(index.postings('absent term')).toBeUndefined();
      }),
    );
  });

  test('grows past its first arrays', () => {
    const rows = Array.from({ length: 5000 }, (_, i) => [`word${i} common word${i % 7} w${i * 31}`]);
    const index = buildTextIndex(plain, columnOf(rows, false));
    expect(index.postings('common')?.rows.length).toBe(5000);
    expect([...(index.postings('word4999')?.rows ?? [])]).toEqual([4999]);
    expect(index.postings('word3')?.rows.length).toBe(1 + Math.floor((4999 - 3) / 7));
    expect(index.totalLength).toBe(20_000);
  });

  test('reads pre-tokenized arrays', () => {
    const analyzer = createAnalyzer({
      tokenizer: 'pre_tokenized_array',
      language: 'english',
      stemming: false,
      removeStopwords: false,
      caseSensitive: false,
      asciiFolding: false,
      maxTokenLength: 39,
    });
    const index = buildTextIndex(analyzer, columnOf([['New York', 'b'], [], ['b', 'b']], true));
    expect([...(index.postings('b')?.frequencies ?? [])]).toEqual([1, 2]);
    expect([...index.lengths]).toEqual([2, 0, 2]);
    expect(index.postings('New York')?.rows.length).toBe(1);
  });
});

describe('word table', () => {
  test('numbers words like a map does', () => {
    const words = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 6 }), { maxLength: 300 });
    fc.assert(
      fc.property(words, (list) => {
        const table = createWordTable();
        const numbers = new Map<string, number>();
        for (const word of list) {
          const bytes = new TextEncoder().encode(`..${word}`);
          const number = numbers.get(word) ?? numbers.size;
          numbers.set(word, number);
          expect(table.numberOf(bytes, 2, bytes.length)).toBe(number);
        }
        expect(table.size).toBe(numbers.size);
      }),
    );
  });

  test('keeps thousands of words apart', () => {
    const table = createWordTable();
    const encoder = new TextEncoder();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20_000; i++) {
        const bytes = encoder.encode(`w${i}`);
        if (table.numberOf(bytes, 0, bytes.length) !== i) throw new Error(`word ${i} was mixed up`);
      }
    }
    expect(table.size).toBe(20_000);
  });
});
