import { describe, expect, test } from '@jest/globals';
import { utf8Encode } from '@lagoon/base';
import fc from 'fast-check';
import type { TextTest } from './query-plan.ts';
import { type RequiredText, requiredText } from './required-text.ts';
import { compileTextTest } from './text-test.ts';

function holds(text: string, required: RequiredText): boolean {
  if (required.kind === 'text') return text.toLowerCase().includes(required.text.toLowerCase());
  return required.kind === 'all'
    ? required.of.every((part) => holds(text, part))
    : required.of.some((part) => holds(text, part));
}

const letters = fc.constantFrom('a', 'b', 'A', 'ab', 'bba', '.');
const joined = (part: fc.Arbitrary<string>, maxLength: number) =>
  fc.array(part, { maxLength }).map((parts) => parts.join(''));
const atom = fc.oneof(
  letters,
  fc.constantFrom(
    'a+',
    'b*',
    'ab?',
    'a{2}',
    'b{0,1}',
    'x{0}',
    '.',
    '.*',
    '^',
    '$',
    '[ab]',
    '[^]b]',
    '\\.',
    '\\d',
    '\\x61',
  ),
  fc.constantFrom('(a|b)', '(?i)', '(?:ab)*', '(b[)]|\\))', '|', '(?i:A)', '\\[', '[a\\]b]', '[[:alpha:]]', '\\p{L}'),
);
const glob = fc.oneof(letters, fc.constantFrom('*', '?', '[ab]', '{ab,bb}', '{a*,b}', '{,a}', '\\*', '**', '/'));
const anyTest: fc.Arbitrary<TextTest> = fc.oneof(
  joined(atom, 5).map((pattern) => ({ kind: 'regex' as const, pattern })),
  fc.record({ kind: fc.constant('glob' as const), pattern: joined(glob, 5), ignoresCase: fc.boolean() }),
  fc.record({
    kind: fc.constant('fuzzy' as const),
    query: joined(letters, 5),
    distance: fc.nat(2),
    ignoresCase: fc.boolean(),
  }),
);

describe('required text', () => {
  test('every text that passes holds it', () => {
    let required = 0;
    fc.assert(
      fc.property(
        anyTest,
        fc.array(joined(fc.oneof(letters, fc.constantFrom(')', ']', '/', '*', '7')), 6), { maxLength: 8 }),
        (tried, texts) => {
          let matches: ReturnType<typeof compileTextTest>;
          try {
            matches = compileTextTest(tried);
          } catch {
            return; // no pattern
          }
          const found = requiredText(tried);
          if (found === undefined) return;
          required++;
          for (const text of texts) {
            const bytes = utf8Encode(text);
            if (matches(bytes, 0, bytes.length)) expect([text, holds(text, found)]).toEqual([text, true]);
          }
        },
      ),
      { numRuns: 3_000 },
    );
    expect(required).toBeGreaterThan(500);
  });

  test.each<[TextTest, RequiredText | undefined]>([
    [
      { kind: 'glob', pattern: 'logs/*.{txt,gz}', ignoresCase: false },
      {
        kind: 'all',
        of: [
          { kind: 'text', text: 'logs/' },
          { kind: 'text', text: '.' },
          {
            kind: 'any',
            of: [
              { kind: 'all', of: [{ kind: 'text', text: 'txt' }] },
              { kind: 'all', of: [{ kind: 'text', text: 'gz' }] },
            ],
          },
        ],
      },
    ],
    [
      { kind: 'regex', pattern: 'err(or)? [0-9]+' },
      {
        kind: 'any',
        of: [
          {
            kind: 'all',
            of: [
              { kind: 'text', text: 'err' },
              { kind: 'text', text: ' ' },
            ],
          },
        ],
      },
    ],
    [{ kind: 'regex', pattern: 'a|.*' }, undefined],
    [{ kind: 'regex', pattern: '\\x61bc' }, undefined],
    [
      { kind: 'fuzzy', query: 'lagoon', distance: 1, ignoresCase: true },
      {
        kind: 'any',
        of: [
          { kind: 'text', text: 'lag' },
          { kind: 'text', text: 'oon' },
        ],
      },
    ],
  ])('of %j', (tried, expected) => {
    expect(requiredText(tried)).toEqual(expected);
  });
});
