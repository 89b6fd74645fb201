import { describe, expect, test } from '@jest/globals';
import { isLagoonError, utf8Encode } from '@lagoon/base';
import { queryLimits } from '@lagoon/format';
import fc from 'fast-check';
import type { TextTest } from './query-plan.ts';
import { compileTextTest } from './text-test.ts';

/** The text lies in the middle of others, as it does in a column. */
function passes(test: TextTest, text: string): boolean {
  const [before, bytes, after] = [utf8Encode('ab/é'), utf8Encode(text), utf8Encode('*ab')];
  const column = Buffer.concat([before, bytes, after]);
  return compileTextTest(test)(column, before.length, before.length + bytes.length);
}
const glob = (pattern: string, ignoresCase = false): TextTest => ({ kind: 'glob', pattern, ignoresCase });
const regex = (pattern: string): TextTest => ({ kind: 'regex', pattern });

function refusal(test: TextTest): string {
  try {
    compileTextTest(test);
  } catch (error) {
    if (isLagoonError(error, 'invalid_argument')) return error.message;
    throw error;
  }
  throw new Error('it compiled');
}

describe('globs', () => {
  test.each<readonly [pattern: string, matching: readonly string[], others: readonly string[]]>([
    ['', [''], ['a']],
    ['a', ['a'], ['', 'A', 'aa']],
    ['*', ['', 'a', 'a/b', 'é\n'], []],
    ['*a', ['a', 'ba', 'b/a'], ['ab', '']],
    ['a*', ['a', 'ab', 'a/b'], ['ba', '']],
    ['*a*', ['a', 'bab', 'b/a/b'], ['b', '']],
    ['a*b', ['ab', 'a/b', 'aab'], ['a', 'b', 'ba']],
    ['ab*ab', ['abab', 'abxab'], ['ab', 'aba']],
    ['a*b*c', ['abc', 'a1b2c', 'abcbc'], ['acb', 'ab']],
    ['?', ['a', 'é', '\u{1f600}', '/'], ['', 'ab']],
    ['a?c', ['abc', 'a\u{10000}c'], ['ac', 'abbc']],
    ['[ab]', ['a', 'b'], ['c', 'ab', '']],
    ['[a-c]x', ['ax', 'cx'], ['dx']],
    ['[!ab]', ['c', 'é'], ['a', '']],
    ['[^ab]', ['c'], ['a']],
    ['[]a]', [']', 'a'], ['b']],
    ['[!]a]', ['b'], [']', 'a']],
    ['[a-]', ['a', '-'], ['b']],
    ['[é-ü]', ['é', 'ö'], ['e']],
    ['[\\]]', ['\\]'], [']']],
    ['{a,b}c', ['ac', 'bc'], ['c', 'abc']],
    ['{a,{b,c}d}', ['a', 'bd', 'cd'], ['b', 'd']],
    ['{*.ts,*.md}', ['x.ts', '.md'], ['ts']],
    ['x{}y', ['xy'], ['x{}y']],
    ['x{,a}', ['xa'], ['x']],
    ['a,b', ['a,b'], ['a', 'b']],
    ['\\*', ['*'], ['a']],
    ['a\\', [], []],
    ['.+(a)|$^', ['.+(a)|$^'], ['xa']],
    ['**', ['', 'a/b'], []],
    ['**/a', ['a', '/a', 'b/a', 'c/b/a'], ['ba', 'a/b']],
    ['a/**', ['a/', 'a/b', 'a/b/c'], ['a', 'b/a']],
    ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['ab', 'a/xb', 'a/x']],
    ['a/**/**/b', ['a/b', 'a/x/b'], ['ab']],
    ['**/a/**', ['a/', 'x/a/y'], ['a', 'xa/y']],
    ['a**b', ['ab', 'a/b'], ['a']],
    ['a/**b', ['a/b', 'a/x/yb'], ['ab']],
    ['{**/a,b/**}', ['a', 'x/a', 'b/c'], ['xa', 'b']],
  ])('%s', (pattern, matching, others) => {
    if (pattern.endsWith('\\')) {
      expect(refusal(glob(pattern))).toMatch(/ends within an escape/);
      return;
    }
    for (const text of matching) expect([text, passes(glob(pattern), text)]).toEqual([text, true]);
    for (const text of others) expect([text, passes(glob(pattern), text)]).toEqual([text, false]);
  });

  test('may ignore case, also of letters that are not ASCII', () => {
    expect(passes(glob('*.TXT', true), 'a.txt')).toBe(true);
    expect(passes(glob('É[x-z]', true), 'éY')).toBe(true);
    expect(passes(glob('*.TXT'), 'a.txt')).toBe(false);
  });

  test.each([
    ['[a', /class is not closed.*offset=0/],
    ['x[]', /class is not closed.*offset=1/],
    ['[b-a]', /upside down/],
    ['{a', /\{ without its \}/],
    ['a}', /\} without its \{.*offset=1/],
    [`${'{a,'.repeat(17)}${'}'.repeat(17)}`, /nested too deeply/],
    ['?'.repeat(3_000), /too large/],
  ])('%s is refused', (pattern, message) => {
    expect(refusal(glob(pattern))).toMatch(message);
  });

  test('what is read in place says the same as the engine', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'é', '/'), { maxLength: 6 }).map((list) => list.join(''));
    const parts = fc.array(fc.constantFrom('a', 'ab', 'é', '*'), { maxLength: 3 }).map((list) => list.join(''));
    fc.assert(
      fc.property(parts, text, (pattern, one) => {
        const slow = glob(pattern.replace('a', '[a]').replace('é', '{é}'));
        expect(passes(glob(pattern), one)).toBe(passes(slow, one));
      }),
      { numRuns: 300 },
    );
  });
});

describe('regular expressions', () => {
  test.each<readonly [pattern: string, matching: readonly string[], others: readonly string[]]>([
    ['', ['', 'a'], []],
    ['b', ['abc'], ['ac']],
    ['^ab$', ['ab'], ['ab\n', 'xab']],
    ['(?m)^b$', ['a\nb\nc'], ['ab']],
    ['a.c', ['abc', 'aéc'], ['a\nc']],
    ['(?s)a.c', ['a\nc'], []],
    ['(?i)éa', ['ÉA'], ['ea']],
    ['(?i:a)b', ['Ab'], ['AB']],
    ['a(?-i)b', ['ab'], ['aB']],
    ['(?u)a(?u:b)', ['ab'], []],
    ['(?P<x>a)(?<y>b)', ['ab'], []],
    [String.raw`^\d+$`, ['12', '١٢'], ['a', '']],
    [String.raw`^\D+$`, ['ab'], ['1', '١']],
    [String.raw`^\w+$`, ['aé_1', 'ﬁⓐ'], ['a b', '-']],
    [String.raw`^\W$`, ['-', ' '], ['é', 'a']],
    [String.raw`^[\w-]+$`, ['a-é'], ['a b']],
    [String.raw`^[^\w]$`, ['-'], ['é']],
    [String.raw`^\s$`, [' ', '\u00a0', '\u3000', '\u0085', '\v'], ['a']],
    [String.raw`^[\S]$`, ['a', 'é', '\u200b'], [' ', '\u2003', '\u0085']],
    [String.raw`^[^\s]$`, ['a'], ['\u2028']],
    [String.raw`\bb\b`, ['a b c'], ['abc']],
    [String.raw`\p{Greek}\pL`, ['αa'], ['a1']],
    [String.raw`^\x41\x{e9}\u00e9\u{1F600}\U0001F600$`, ['Aéé\u{1f600}\u{1f600}'], []],
    [String.raw`^\.\*\[\]\-\/\_$`, ['.*[]-/_'], []],
    ['^[]a]+$', [']a'], ['b']],
    ['^[^]a]$', ['b'], [']']],
    ['^[[:digit:]x]+$', ['1x'], ['y']],
    ['^[a-c.]{2,3}$', ['a.', 'abc'], ['a', 'abca', 'd.']],
    ['^a{2}b{1,}$', ['aab', 'aabbb'], ['ab']],
    ['^(?:a|b)*?c+?$', ['abcc'], ['ab']],
    ['a}|]', ['a}', ']'], ['a']],
    ['^\u{10000}$', ['\u{10000}'], ['\u{10001}']],
  ])('%s', (pattern, matching, others) => {
    for (const text of matching) expect([text, passes(regex(pattern), text)]).toEqual([text, true]);
    for (const text of others) expect([text, passes(regex(pattern), text)]).toEqual([text, false]);
  });

  test.each([
    ['a(?=b)', /look-around is not supported.*offset=1/],
    ['a(?!b)', /look-around/],
    ['(?<=a)b', /look-around/],
    ['(?<!a)b', /look-around/],
    [String.raw`(a)\1`, /back-references are not supported.*offset=3/],
    [String.raw`(?P<x>a)(?P=x)`, /back-references/],
    [String.raw`(?<x>a)\k<x>`, /back-references/],
    ['(?>a)', /atomic/],
    ['(?#a)', /unknown group or flag/],
    ['(?x) a', /unknown group or flag/],
    ['(?-u)a', /unknown group or flag/],
    ['[a-z&&[^b]]', /set operations.*&&/],
    ['[a--b]', /set operations/],
    ['[a[b]]', /classes within classes/],
    ['[a', /class is not closed.*offset=0/],
    ['a{', /a literal brace is escaped/],
    ['a{x}', /a literal brace is escaped/],
    [String.raw`\q`, /unknown escape \\q/],
    [String.raw`\Qa\E`, /unknown escape/],
    [String.raw`\<a`, /not supported/],
    [String.raw`[\W]`, /within a class/],
    [String.raw`[\b]`, /within a class/],
    [String.raw`\u{110000}`, /code point/],
    [String.raw`\x4`, /code point/],
    [String.raw`\ud800`, /code point/],
    [String.raw`\p{Nonsense}`, /does not compile/],
    [String.raw`\p`, /name of a class/],
    ['a\\', /ends within an escape/],
    ['(a', /does not compile.*missing closing/],
    ['a)', /does not compile/],
    ['*a', /does not compile/],
    ['a**', /does not compile/],
    ['[b-a]', /does not compile/],
    ['a{2,1}', /does not compile/],
    ['a{1001}', /does not compile|too large/],
    ['(a{100}){100}', /too large/],
    ['((a{50}){50}){50}', /too large/],
    ['(?:a?){2000}b{2000}', /too large|does not compile/],
    [`${'('.repeat(1_900)}${')'.repeat(1_900)}`, /does not compile|too large/],
    ['\\w'.repeat(2_048), /too large/],
  ])('%s is refused', (pattern, message) => {
    expect(refusal(regex(pattern))).toMatch(message);
  });

  test('any text as a pattern compiles or is refused as an argument', () => {
    const parts = [
      'a',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '2',
      ',',
      '*',
      '?',
      '\\',
      '^',
      '-',
      ':',
      '<',
      'd',
      '|',
      'é',
      '&&',
      '!',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 12 }), (list) => {
        for (const one of [regex(list.join('')), glob(list.join('')), glob(list.join(''), true)]) {
          try {
            compileTextTest(one);
          } catch (error) {
            expect(isLagoonError(error, 'invalid_argument')).toBe(true);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('a text that would take too many steps is refused', () => {
    const matches = compileTextTest(regex('^[ab]*a[ab]{900}[cd]$'));
    const bytes = new Uint8Array(queryLimits.regexStepsMax / 900).fill(97);
    expect(() => matches(bytes, 0, bytes.length)).toThrow(/too long for an expression of this size/);
  });
});

/** A view that counts the bytes that are read of it. */
function counting(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly count: () => number } {
  let count = 0;
  const handler: ProxyHandler<Uint8Array> = {
    get: (target, key) => {
      if (typeof key === 'string' && /^\d+$/.test(key)) count++;
      const value: unknown = Reflect.get(target, key, target);
      if (key === 'subarray') return (from: number, to: number) => new Proxy(target.subarray(from, to), handler);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  };
  return { bytes: new Proxy(bytes, handler), count: () => count };
}

describe('time is linear in the text', () => {
  test.each<readonly [string, TextTest, string]>([
    ['a glob of many stars', glob(`${'a*'.repeat(40)}b`), 'a'],
    ['a glob that is searched', glob(`*${'a'.repeat(200)}b*`), 'a'],
    ['nested repetition', regex('^(a+)+$'), 'a'],
    ['nested alternatives', regex('^(a|aa|a?)+[bc]'), 'a'],
    ['a wide window', regex('^[ab]*a[ab]{30}[cd]$'), 'ab'],
    ['many gaps', regex('.*.*.*.*.*[=!].*'), 'a'],
    [
      'a fuzzy text of one letter',
      { kind: 'fuzzy', query: `${'a'.repeat(100)}bbb`, distance: 2, ignoresCase: false },
      'a',
    ],
  ])('%s reads each byte a bounded number of times', (_title, test, unit) => {
    const reads = [1_000, 2_000, 4_000].map((length) => {
      const text = counting(utf8Encode(unit.repeat(length)));
      compileTextTest(test)(text.bytes, 0, length * unit.length);
      return text.count() / (length * unit.length);
    });
    for (const perByte of reads) expect(perByte).toBeGreaterThan(0);
    for (const perByte of reads) expect(perByte).toBeLessThan(16);
    expect(reads[2] as number).toBeLessThan(1.5 * (reads[0] as number) + 0.1);
  });
});
