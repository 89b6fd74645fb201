import { describe, expect, test } from '@jest/globals';
import { createByteWriter, isLagoonError, utf8Encode } from '@lagoon/base';
import fc from 'fast-check';
import { createAnalyzer } from './analyzer.ts';
import { bitWidth, packBits, packedSize, unpackBits } from './packed-bits.ts';
import { cutPostings } from './postings-blocks.ts';
import { encodePostings, openPostings } from './postings-codec.v1.ts';
import { encodeTextIndex, openTextIndex, type TermedTextIndex } from './stored-text.v1.ts';
import { createTextIndexBuilder } from './text-index-builder.ts';

const analyzer = createAnalyzer({
  ...{ tokenizer: 'word_v4', language: 'english', stemming: false, removeStopwords: false },
  ...{ caseSensitive: false, asciiFolding: false, maxTokenLength: 39 },
});

function indexOf(texts: readonly string[]): TermedTextIndex {
  const builder = createTextIndexBuilder(analyzer);
  for (const text of texts) {
    const bytes = utf8Encode(text);
    builder.addText(bytes, 0, bytes.length);
    builder.endRow();
  }
  return builder.finish();
}

const word = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('a', 'ab', 'abc', 'abd', 'b', 'naïve', 'n', 'zebra') },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }) },
);
const texts = fc.array(
  fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
  { maxLength: 60 },
);

describe('stored text index', () => {
  test('answers as the index that was stored', () => {
    fc.assert(
      fc.property(texts, fc.array(word), (rows, others) => {
        const built = indexOf(rows);
        const opened = openTextIndex(encodeTextIndex(built));
        expect(opened.lengths).toEqual(built.lengths);
        expect([opened.rowCount, opened.totalLength, opened.termCount]).toEqual([
          built.rowCount,
          built.totalLength,
          built.termCount,
        ]);
        for (const term of [...built.terms, ...others, '', '\u{10ffff}']) {
          expect(opened.postings(term)).toEqual(built.postings(term));
        }
        for (const prefix of ['a', 'ab', 'na', 'naï', '', ...others]) {
          const wanted = [...built.terms].filter((term) => term.startsWith(prefix)).sort();
          expect(opened.termsWithPrefix(prefix).sort()).toEqual(wanted);
          expect(built.termsWithPrefix(prefix).sort()).toEqual(wanted);
        }
      }),
    );
  });

  test('keeps long postings and large dictionaries apart', () => {
    const rows = Array.from(
      { length: 5_000 },
      (_, row) => `all ${row % 2 ? 'odd odd' : ''} row${row} ${row % 129 === 0 ? 'rare' : ''}`,
    );
    const built = indexOf(rows);
    const bytes = encodeTextIndex(built);
    const opened = openTextIndex(bytes);
    for (const term of built.terms) expect(opened.postings(term)).toEqual(built.postings(term));
    expect(bytes.length).toBeLessThan(25 * rows.length);
  });

  test('bounds every score of a block by its impacts', () => {
    const postings = fc.array(
      fc.record({ gap: fc.integer({ min: 0, max: 5 }), frequency: fc.integer({ min: 1, max: 9 }) }),
      {
        minLength: 1,
        maxLength: 400,
      },
    );
    fc.assert(
      fc.property(postings, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (list, someLengths) => {
        let row = -1;
        const rows = Uint32Array.from(list, ({ gap }) => {
          row += gap + 1;
          return row;
        });
        const frequencies = Uint32Array.from(list, ({ frequency }) => frequency);
        const lengths = Uint32Array.from({ length: row + 1 }, (_, at) => someLengths[at % someLengths.length] ?? 1);
        const writer = createByteWriter();
        encodePostings(writer, { rows, frequencies }, lengths);
        const opened = openPostings(writer.result(), 0, writer.length, rows.length, row + 1);
        const cut = cutPostings({ rows, frequencies }, lengths);
        const { lastRows, impactStarts, impactFrequencies, impactLengths } = opened;
        expect(lastRows).toHaveLength(Math.ceil(rows.length / 128));
        expect({ ...opened, unpack: undefined }).toEqual({ ...cut, unpack: undefined });
        for (let i = 0; i < rows.length; i++) {
          const length = lengths[rows[i] as number] as number;
          let isBounded = false;
          for (let at = impactStarts[i >>> 7] as number; at < (impactStarts[(i >>> 7) + 1] as number); at++) {
            isBounded ||=
              (impactFrequencies[at] as number) >= (frequencies[i] as number) &&
              (impactLengths[at] as number) <= length;
          }
          expect(isBounded).toBe(true);
        }
      }),
    );
  });

  test('no bytes make it read outside of them or throw anything but corrupt', () => {
    const bytes = encodeTextIndex(indexOf(['one two two', 'three one', '', 'naïve one']));
    const ask = (damaged: Uint8Array): void => {
      try {
        const index = openTextIndex(damaged);
        for (const term of ['one', 'two', 'three', 'naïve', 'absent']) index.postings(term);
      } catch (error) {
        if (!isLagoonError(error, 'corrupt')) throw error;
      }
    };
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = bytes.slice();
      damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7));
      ask(damaged);
    }
    for (let size = 0; size < bytes.length; size++) expect(() => openTextIndex(bytes.slice(0, size))).toThrow();
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
        const damaged = bytes.slice();
        for (const [at, value] of changes) damaged[at] = value;
        ask(damaged);
      }),
    );
  });

  test('numbers of any width are packed and unpacked, wherever they begin', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 40 }),
        fc.nat(32),
        fc.nat(5),
        (raw, width, offset) => {
          const values = Uint32Array.from(raw, (value) => (width === 32 ? value : value % 2 ** width));
          const bits = bitWidth(values, 0, values.length);
          expect(bits).toBeLessThanOrEqual(width);
          const bytes = new Uint8Array(offset + packedSize(values.length, bits));
          packBits(values, 0, values.length, bits, bytes, offset);
          const back = new Uint32Array(values.length);
          unpackBits(bytes, offset, values.length, bits, back, 0);
          expect(back).toEqual(values);
        },
      ),
    );
  });
});
