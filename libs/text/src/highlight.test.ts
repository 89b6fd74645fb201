import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createAnalyzer } from './analyzer.ts';
import { createOffsetConverter, type FragmentUnit, findFragments, fragmentUnits, offsetUnits } from './highlight.ts';
import { wordsOf } from './words.ts';

const settings = {
  ...{ tokenizer: 'word_v4', language: 'english', stemming: true, removeStopwords: false },
  ...{ caseSensitive: false, asciiFolding: true, maxTokenLength: 39 },
};
const analyzer = createAnalyzer(settings);

const text = 'Cats sleep. A naïve 🐈 cat runs, and the cat eats!\n\nDogs bark.  Running cats: none.';
const wanted = { terms: new Set(['cat', 'run']), prefixes: ['nai'] };

function found(unit: FragmentUnit, countMax = 9): [string, string[]][] {
  return findFragments(text, analyzer, wanted, unit, countMax).map(({ range, matches }) => [
    text.slice(...range),
    matches.map((match) => text.slice(...match)),
  ]);
}

describe('fragments', () => {
  test('come by sentences: first those with more different words, then those with more matches, then earlier ones', () => {
    expect(found('sentence')).toEqual([
      ['A naïve 🐈 cat runs, and the cat eats!', ['naïve', 'cat', 'runs', 'cat']],
      ['Running cats: none.', ['Running', 'cats']],
      ['Cats sleep.', ['Cats']],
    ]);
    expect(found('sentence', 1)).toHaveLength(1);
  });

  test('by paragraphs, words, or as the whole text', () => {
    expect(found('paragraph').map(([part]) => part)).toEqual([
      'Cats sleep. A naïve 🐈 cat runs, and the cat eats!',
      'Dogs bark.  Running cats: none.',
    ]);
    expect(found('word').map(([part]) => part)).toEqual(['Cats', 'naïve', 'cat', 'runs', 'cat', 'Running', 'cats']);
    expect(found('none')).toEqual([[text, ['Cats', 'naïve', 'cat', 'runs', 'cat', 'Running', 'cats']]]);
    expect(findFragments(text, analyzer, { terms: new Set(['cow']), prefixes: [] }, 'none', 3)).toEqual([]);
  });

  test('every match is a word of the query in a fragment of its own place, and none is lost', () => {
    const word = fc.constantFrom('cat', 'cats', 'dog', 'Run', 'naïve', '🐈', '.', '\n\n', 'e.g.', ' ');
    const texts = fc.array(word, { maxLength: 30 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(texts, fc.constantFrom(...fragmentUnits), (any, unit) => {
        const fragments = findFragments(any, analyzer, wanted, unit, 1_000);
        const matched = fragments.flatMap(({ range, matches }) => {
          for (const [start, end] of matches) expect(start >= range[0] && end <= range[1] && start < end).toBe(true);
          return matches.map((match) => any.slice(...match));
        });
        const expected = wordsOf(any).filter((one) => /^(cats?|run|naïve)$/i.test(one));
        expect(matched.sort()).toEqual([...expected].sort());
      }),
    );
  });

  test('of a pre-tokenized text is the token', () => {
    const tokens = createAnalyzer({ ...settings, tokenizer: 'pre_tokenized_array' });
    const terms = { terms: new Set(['Red Sea']), prefixes: [] };
    expect(findFragments('Red Sea', tokens, terms, 'none', 3)).toEqual([{ range: [0, 7], matches: [[0, 7]] }]);
    expect(findFragments('Red', tokens, terms, 'none', 3)).toEqual([]);
  });
});

describe('offsets', () => {
  test('of any unit count what lies before, in any order', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 30 }),
        fc.array(fc.nat(30)),
        fc.constantFrom(...offsetUnits),
        (any, places, unit) => {
          const convert = createOffsetConverter(any, unit);
          const boundaries = [0, ...Array.from(any.matchAll(/./gsu), (match) => match.index + match[0].length)];
          for (const place of places) {
            const offset = boundaries[place % boundaries.length] as number;
            const before = any.slice(0, offset);
            const size = { 'utf-8': Buffer.byteLength(before), 'utf-16': offset, codepoints: [...before].length }[unit];
            expect(convert(offset)).toBe(size);
          }
        },
      ),
    );
  });
});
