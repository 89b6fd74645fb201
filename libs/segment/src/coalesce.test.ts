import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { coalesce, type Range } from './coalesce.ts';

const ranges = fc.array(
  fc
    .record({ start: fc.nat(60), length: fc.nat(6) })
    .map(({ start, length }): Range => ({ start, end: start + length })),
  { maxLength: 12 },
);

const sizeOf = (list: readonly Range[]): number => list.reduce((sum, { start, end }) => sum + end - start, 0);

/** The least that so many ranges can cover: by trying every set of gaps to leave open. */
function leastCover(list: readonly Range[], countMax: number): number {
  const covered = new Set(list.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)));
  if (covered.size === 0) return 0;
  const points = [...covered].sort((a, b) => a - b);
  const gaps = points.slice(1).map((point, i) => point - (points[i] as number) - 1);
  const open = gaps.filter((gap) => gap > 0);
  let least = Number.POSITIVE_INFINITY;
  for (let choice = 0; choice < 1 << open.length; choice++) {
    const kept = open.filter((_, i) => (choice >> i) & 1);
    if (kept.length + 1 > countMax) continue;
    const closed = open.reduce((sum, gap) => sum + gap, 0) - kept.reduce((sum, gap) => sum + gap, 0);
    least = Math.min(least, covered.size + closed);
  }
  return least;
}

describe('coalesce', () => {
  test('covers every range by so many at most, ascending and apart, and as little besides as can be', () => {
    fc.assert(
      fc.property(ranges, fc.integer({ min: 1, max: 8 }), (list, countMax) => {
        const covers = coalesce(list, countMax);
        expect(covers.length).toBeLessThanOrEqual(countMax);
        for (const { start, end } of list) {
          if (start === end) continue;
          expect(covers.some((cover) => cover.start <= start && end <= cover.end)).toBe(true);
        }
        for (const [index, cover] of covers.entries()) {
          expect(cover.start).toBeLessThan(cover.end);
          if (index > 0) expect(cover.start).toBeGreaterThan((covers[index - 1] as Range).end);
        }
        expect(sizeOf(covers)).toBe(leastCover(list, countMax));
      }),
    );
  });

  test('joins neighbours whatever the bound, and closes the smallest gap first', () => {
    const list = [
      { start: 30, end: 40 },
      { start: 0, end: 10 },
      { start: 10, end: 12 },
      { start: 15, end: 20 },
    ];
    expect(coalesce(list, 9)).toEqual([
      { start: 0, end: 12 },
      { start: 15, end: 20 },
      { start: 30, end: 40 },
    ]);
    expect(coalesce(list, 2)).toEqual([
      { start: 0, end: 20 },
      { start: 30, end: 40 },
    ]);
    expect(coalesce(list, 1)).toEqual([{ start: 0, end: 40 }]);
    expect(coalesce([], 1)).toEqual([]);
  });
});
