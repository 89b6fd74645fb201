import { expect, test } from '@jest/globals';
import { utf8Encode } from '@lagoon/base';
import fc from 'fast-check';
import { allowedDistance, createFuzzyMatcher } from './fuzzy.ts';

/** Of any part of the text, by the definition. */
function nearest(text: readonly string[], query: readonly string[]): number {
  let best = query.length;
  let row = query.map((_, i) => i + 1);
  for (const char of text) {
    const next: number[] = [];
    for (const [i, wanted] of query.entries()) {
      const diagonal = i === 0 ? 0 : (row[i - 1] as number);
      const left = i === 0 ? 0 : (next[i - 1] as number);
      next.push(Math.min(diagonal + Number(wanted !== char), (row[i] as number) + 1, left + 1));
    }
    row = next;
    best = Math.min(best, row.at(-1) ?? 0);
  }
  return best;
}

test('matches exactly where some part of the text is near enough', () => {
  const chars = fc.array(fc.constantFrom('a', 'b', 'B', 'é', '\u{1f600}'), { maxLength: 14 });
  const query = fc.array(fc.constantFrom('a', 'b', 'B', 'é', '\u{1f600}'), { minLength: 3, maxLength: 9 });
  fc.assert(
    fc.property(chars, query, fc.nat({ max: 2 }), fc.boolean(), (text, wanted, distance, ignoresCase) => {
      const fold = (list: readonly string[]) => (ignoresCase ? list.map((char) => char.toLowerCase()) : list);
      const before = utf8Encode('abé');
      const bytes = Buffer.concat([before, utf8Encode(text.join('')), utf8Encode('aaa')]);
      const matches = createFuzzyMatcher(wanted.join(''), distance, ignoresCase);
      const end = before.length + utf8Encode(text.join('')).length;
      expect(matches(bytes, before.length, end)).toBe(nearest(fold(text), fold(wanted)) <= distance);
      expect(matches(bytes, before.length, end)).toBe(nearest(fold(text), fold(wanted)) <= distance);
    }),
    { numRuns: 1_000 },
  );
});

test('letters whose lower case is several stay as they are', () => {
  const matches = createFuzzyMatcher('İstanbul', 0, true);
  const text = utf8Encode('in İSTANBUL');
  expect(matches(text, 0, text.length)).toBe(true);
});

test('the longest step that the query reaches decides; below all of them nothing is allowed', () => {
  const steps = [
    { minQueryChars: 9, distance: 2 },
    { minQueryChars: 3, distance: 0 },
    { minQueryChars: 6, distance: 1 },
  ];
  expect([2, 3, 5, 6, 8, 9, 100].map((count) => allowedDistance(count, steps))).toEqual([undefined, 0, 0, 1, 1, 2, 2]);
});
