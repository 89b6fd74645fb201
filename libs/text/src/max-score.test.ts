import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createListCursor, gainOfRow, type ListCursor } from './list-cursor.ts';
import { createMaxScore } from './max-score.ts';
import { nextUp } from './next-up.ts';
import { cutPostings } from './postings-blocks.ts';
import { createBm25List, createBm25Norms, type ScoreList } from './score-list.ts';

interface Term {
  readonly frequencies: ReadonlyMap<number, number>;
  readonly weight: number;
}

interface Scored {
  readonly row: number;
  readonly score: number;
}

const norms = createBm25Norms(7.5, { k1: 1.2, b: 0.75 });

function listOf(frequencies: ReadonlyMap<number, number>, lengths: Uint32Array): ScoreList {
  const rows = Uint32Array.from([...frequencies.keys()].sort((a, b) => a - b));
  const postings = { rows, frequencies: Uint32Array.from(rows, (row) => frequencies.get(row) as number) };
  return createBm25List(cutPostings(postings, lengths), lengths, norms);
}

/** Best first, ties by row: what the sink of a query keeps. */
function best(scored: readonly Scored[], limit: number): Scored[] {
  return [...scored].sort((a, b) => b.score - a.score || a.row - b.row).slice(0, limit);
}

function search(terms: readonly Term[], lengths: Uint32Array, limit: number, admitted?: Uint8Array) {
  const cursors: ListCursor[] = terms
    .filter(({ frequencies }) => frequencies.size > 0)
    .map(({ frequencies, weight }) => createListCursor(listOf(frequencies, lengths), weight));
  let kept: Scored[] = [];
  let offeredCount = 0;
  const keep = (row: number, score: number): void => {
    offeredCount++;
    if (score > 0) kept = best([...kept, { row, score }], limit);
  };
  const sink = {
    isExact: true,
    rowCountMax: limit,
    get scoreMin() {
      return kept.length < limit ? Number.MIN_VALUE : nextUp(kept.at(-1)?.score ?? 0);
    },
    offer: (row: number) => {
      const score = cursors.reduce((sum, cursor) => sum + cursor.weight * gainOfRow(cursor, row), 0);
      keep(row, score);
    },
    offerScored: keep,
  };
  const scoredCount = createMaxScore().collect(cursors, lengths.length, admitted, sink);
  return { kept, offeredCount, scoredCount };
}

function bruteForce(terms: readonly Term[], lengths: Uint32Array, limit: number, admitted?: Uint8Array): Scored[] {
  const scored = Array.from(lengths, (length, row) => ({
    row,
    score: terms.reduce((sum, { frequencies, weight }) => {
      const frequency = frequencies.get(row) ?? 0;
      return frequency === 0 ? sum : sum + weight * (1 / (1 + norms.of(length) / frequency));
    }, 0),
  }));
  return best(
    scored.filter(({ row, score }) => score > 0 && (admitted === undefined || isSet(admitted, row))),
    limit,
  );
}

function isSet(bitmap: Uint8Array, row: number): boolean {
  return (((bitmap[row >>> 3] ?? 0) >>> (row & 7)) & 1) === 1;
}

/** Every n-th row from an offset, so that lists span many blocks and windows. */
const term = fc
  .record({
    step: fc.constantFrom(1, 2, 3, 10, 500, 4_000),
    offset: fc.nat(300),
    frequency: fc.constantFrom(1, 1, 2, 9),
    weight: fc.constantFrom(0.01, 0.5, 1, 3, 3, 8),
    seed: fc.nat(1_000),
  })
  .map((shape) => (rowCount: number): Term => {
    const frequencies = new Map<number, number>();
    for (let row = shape.offset; row < rowCount; row += shape.step) {
      frequencies.set(row, 1 + ((row * 31 + shape.seed) % shape.frequency));
    }
    return { frequencies, weight: shape.weight };
  });

describe('MaxScore', () => {
  test('finds the rows of exhaustive evaluation, their scores and the order of ties', () => {
    fc.assert(
      fc.property(
        fc.array(term, { maxLength: 6 }),
        fc.constantFrom(0, 1, 127, 128, 129, 4_096, 9_001),
        fc.constantFrom(1, 3, 10, 200),
        fc.constantFrom(undefined, 1, 2, 7, 100, 3_000),
        fc.constantFrom(1, 4, 60, 5_000),
        (makers, rowCount, limit, admittedStep, lengthMax) => {
          const terms = makers.map((make) => make(rowCount));
          const lengths = Uint32Array.from({ length: rowCount }, (_, row) => 1 + ((row * 7) % lengthMax));
          const admitted = admittedStep === undefined ? undefined : new Uint8Array(Math.ceil(rowCount / 8));
          for (let row = 3; admitted !== undefined && row < rowCount; row += admittedStep as number) {
            admitted[row >>> 3] = (admitted[row >>> 3] as number) | (1 << (row & 7));
          }
          const { kept } = search(terms, lengths, limit, admitted);
          expect(kept).toEqual(bruteForce(terms, lengths, limit, admitted));
        },
      ),
      { numRuns: 150 },
    );
  });

  test('leaves out rows that hold only terms which cannot reach the score', () => {
    const rowCount = 100_000;
    const everywhere = new Map(Array.from({ length: rowCount }, (_, row) => [row, 1]));
    const rare = new Map(Array.from({ length: 50 }, (_, i) => [i * 1_999, 1]));
    const lengths = new Uint32Array(rowCount).fill(8);
    const terms = [
      { frequencies: everywhere, weight: 0.1 },
      { frequencies: rare, weight: 9 },
    ];
    const { kept, scoredCount } = search(terms, lengths, 10);
    expect(kept.map(({ row }) => row)).toEqual(Array.from({ length: 10 }, (_, i) => i * 1_999));
    expect(scoredCount).toBeLessThan(rowCount / 3);
  });

  test('looks only at blocks that may hold one of the best, wherever they lie', () => {
    const rowCount = 100_000;
    const everywhere = new Map(Array.from({ length: rowCount }, (_, row) => [row, 1]));
    const lengths = Uint32Array.from({ length: rowCount }, (_, row) => 10 + ((rowCount - row) >> 7));
    const alone = search([{ frequencies: everywhere, weight: 1 }], lengths, 10);
    expect(alone.kept).toEqual(bruteForce([{ frequencies: everywhere, weight: 1 }], lengths, 10));
    expect(alone.scoredCount).toBeLessThan(rowCount / 20);
    const few = new Map(Array.from({ length: 100 }, (_, i) => [i * 1_000, 1]));
    const terms = [
      { frequencies: everywhere, weight: 3 },
      { frequencies: few, weight: 0.1 },
    ];
    const both = search(terms, lengths, 10);
    expect(both.kept).toEqual(bruteForce(terms, lengths, 10));
    expect(both.scoredCount).toBeLessThan(rowCount / 10);
  });

  test('skips blocks by their impacts: one short text among long ones', () => {
    const rowCount = 100_000;
    const everywhere = new Map(Array.from({ length: rowCount }, (_, row) => [row, 1]));
    const lengths = new Uint32Array(rowCount).fill(60);
    for (const row of [5, 70_000]) lengths[row] = 2;
    const { kept, scoredCount } = search([{ frequencies: everywhere, weight: 1 }], lengths, 2);
    expect(kept.map(({ row }) => row)).toEqual([5, 70_000]);
    expect(scoredCount).toBeLessThan(1_000);
  });
});
