import { describe, expect, test } from '@jest/globals';
import { isLagoonError } from '@lagoon/base';
import fc from 'fast-check';
import { createAnalyzer } from './analyzer.ts';
import type { AnalyzerConfig } from './analyzer-config.ts';
import { nextWordStart, wordEnd, wordsOf } from './words.ts';

const plain: AnalyzerConfig = {
  tokenizer: 'word_v4',
  language: 'english',
  stemming: false,
  removeStopwords: false,
  caseSensitive: false,
  asciiFolding: false,
  maxTokenLength: 39,
};

function terms(text: string, change: Partial<AnalyzerConfig> = {}): string[] {
  return createAnalyzer({ ...plain, ...change }).tokenize(text);
}

function errorCode(change: Partial<AnalyzerConfig>): string | undefined {
  try {
    createAnalyzer({ ...plain, ...change });
  } catch (error) {
    if (isLagoonError(error)) return error.code;
  }
  return undefined;
}

function asciiWords(text: string): string[] {
  const bytes = new TextEncoder().encode(text);
  const words: string[] = [];
  let at = nextWordStart(bytes, 0, bytes.length);
  while (at < bytes.length) {
    const end = wordEnd(bytes, at, bytes.length);
    words.push(text.slice(at, end));
    at = nextWordStart(bytes, end, bytes.length);
  }
  return words;
}

describe('words', () => {
  test('the two implementations agree on ASCII', () => {
    const tricky = fc.string({
      unit: fc.constantFrom('a', 'Z', '0', '9', '_', "'", '.', ',', ' ', '-', ':'),
      maxLength: 24,
    });
    const ascii = fc.string({ unit: 'binary-ascii', maxLength: 40 });
    fc.assert(
      fc.property(fc.oneof(tricky, ascii), (text) => expect(asciiWords(text)).toEqual([...wordsOf(text)])),
      { numRuns: 3000 },
    );
  });

  test.each([
    ["Don't e-mail: it's 3.14 or 1,000.", ["Don't", 'e', 'mail', "it's", '3.14', 'or', '1,000']],
    ['foo.bar x.5 5.x a..b', ['foo.bar', 'x', '5', '5', 'x', 'a', 'b']],
    ['snake_case __init__ _ 1_000', ['snake_case', '__init__', '1_000']],
    ['日本語テスト ひらがな', ['日', '本', '語', 'テスト', 'ひ', 'ら', 'が', 'な']],
    ['สวัสดี', ['ส', 'วั', 'ส', 'ดี']],
    ['cafe\u0301 l’eau col·legi', ['cafe\u0301', 'l’eau', 'col·legi']],
    ['हिन्दी العربية Ελληνικά русский', ['हिन्दी', 'العربية', 'Ελληνικά', 'русский']],
    ['🎉 – … !', []],
  ])('%s', (text, words) => {
    expect([...wordsOf(text)]).toEqual(words);
  });
});

describe('analyzer', () => {
  test('case, canonical form and the apostrophe do not matter by default', () => {
    expect(terms('CAFE\u0301 Don’t ÉTÉ')).toEqual(['café', "don't", 'été']);
    expect(terms('Apple', { caseSensitive: true })).toEqual(['Apple']);
    expect(terms('ISPARTA İzmir', { language: 'turkish' })).toEqual(['ısparta', 'izmir']);
  });

  test('ascii folding, stopwords and stemming', () => {
    expect(terms('Crème Brûlée straße Ægir Łódź', { asciiFolding: true })).toEqual([
      'creme',
      'brulee',
      'strasse',
      'aegir',
      'lodz',
    ]);
    expect(terms('the cat is on the mat', { removeStopwords: true })).toEqual(['cat', 'mat']);
    expect(terms('running runs easily', { stemming: true })).toEqual(['run', 'run', 'easili']);
    expect(terms('les chevaux étaient fatigués', { language: 'french', stemming: true, asciiFolding: true })).toEqual(
      terms('LES CHEVAUX ÉTAIENT FATIGUÉS', { language: 'french', stemming: true, asciiFolding: true }),
    );
    expect(terms('και η θάλασσα', { language: 'greek', removeStopwords: true })).toEqual(['θάλασσα']);
  });

  test('words beyond the length are dropped, in bytes', () => {
    expect(terms(`${'x'.repeat(39)} ${'x'.repeat(40)}`)).toEqual(['x'.repeat(39)]);
    expect(terms('ééé éé', { maxTokenLength: 5 })).toEqual(['éé']);
  });

  test('dropped words keep their positions', () => {
    const seen: [string, number][] = [];
    const analyzer = createAnalyzer({ ...plain, removeStopwords: true });
    analyzer.forEachTerm('the cat on the mat', (term, position) => seen.push([term, position]));
    expect(seen).toEqual([
      ['cat', 1],
      ['mat', 4],
    ]);
  });

  test('pre-tokenized texts are terms as they are', () => {
    const analyzer = createAnalyzer({ ...plain, tokenizer: 'pre_tokenized_array', stemming: true });
    expect(analyzer.tokenizeAll(['New York', 'Running', '', 'x'.repeat(40)])).toEqual(['New York', 'Running']);
  });

  test('every language of the dialect stems and has stopwords', () => {
    const languages =
      'arabic danish dutch english finnish french german greek hungarian italian norwegian portuguese romanian russian spanish swedish tamil turkish';
    for (const language of languages.split(' ')) {
      expect(errorCode({ language, stemming: true })).toBeUndefined();
      expect(errorCode({ language, removeStopwords: true })).toBeUndefined();
      expect(errorCode({ language })).toBeUndefined();
    }
    expect(errorCode({ tokenizer: 'word_v5' })).toBe('invalid_argument');
  });

  test('Greek words meet in their stem, whatever their accents and their final sigma', () => {
    const stems = terms('σκύλος σκύλου ΣΚΥΛΟΙ σκυλων άνθρωπος ανθρώπων', { language: 'greek', stemming: true });
    expect(stems).toEqual(['σκυλ', 'σκυλ', 'σκυλ', 'σκυλ', 'ανθρωπ', 'ανθρωπ']);
    const analyzer = createAnalyzer({ ...plain, language: 'greek', stemming: true });
    const { prefix } = analyzer.splitPrefix(['σκύ']);
    expect(stems[0]?.startsWith(prefix?.start ?? '-')).toBe(true);
  });

  test('Tamil has stopwords', () => {
    expect(terms('நாய் மற்றும் பூனை', { language: 'tamil', removeStopwords: true })).toEqual(['நாய்', 'பூனை']);
  });

  test('an analysis repeated on its own result of lower-case words changes nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
        const once = terms(text);
        expect(terms(once.join(' '))).toEqual(once);
      }),
    );
  });
});
