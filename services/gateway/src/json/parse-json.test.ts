import { describe, expect, test } from '@jest/globals';
import { LagoonError, utf8Encode } from '@lagoon/base';
import fc from 'fast-check';
import { jsonInteger } from './json-integer.ts';
import { holdsLongInteger, parseJson } from './parse-json.ts';

const parse = (text: string) => parseJson(utf8Encode(text));

const failure = (text: string | Uint8Array): LagoonError => {
  try {
    parseJson(typeof text === 'string' ? utf8Encode(text) : text);
  } catch (error) {
    if (error instanceof LagoonError) return error;
  }
  throw new Error('expected a LagoonError');
};

describe('parseJson', () => {
  test('any integer of 64 bits and beyond survives parsing and printing, wherever it stands', () => {
    const integer = fc.bigInt({ min: -(1n << 66n), max: 1n << 66n });
    fc.assert(
      fc.property(fc.array(integer, { maxLength: 8 }), fc.string(), fc.nat(40), (integers, text, padding) => {
        const source = `${' '.repeat(padding)}{"a":[${integers.join(',')}],"t":${JSON.stringify(text)}}`;
        const value = parse(source) as { a: (number | bigint)[]; t: string };
        expect(value.a.map((element) => BigInt(element))).toEqual(integers);
        expect(value.t).toBe(text);
        const printed = JSON.stringify(value.a.map((element) => jsonInteger(BigInt(element))));
        expect(printed).toBe(`[${integers.join(',')}]`);
      }),
    );
  });

  test('everything else is what JSON.parse gives, with and without a long integer beside it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, withLongInteger) => {
        const text = JSON.stringify(value);
        const read = withLongInteger ? (parse(`[9007199254740993,${text}]`) as unknown[])[1] : parse(text);
        const asNumbers = JSON.stringify(read, (_key, part) => (typeof part === 'bigint' ? Number(part) : part));
        expect(asNumbers).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  test('long fractions and exponents stay floats beside long integers', () => {
    expect(parse('[0.1234567890123456789, 9007199254740993, 1e20, 12345678901234567.0]')).toEqual([
      0.12345678901234568,
      9007199254740993n,
      1e20,
      12345678901234568,
    ]);
  });

  test('a run of 16 digits is found at any place, and never within a fraction', () => {
    fc.assert(
      fc.property(fc.nat(70), fc.integer({ min: 16, max: 60 }), fc.nat(70), (before, digits, after) => {
        const run = `${'x'.repeat(before)},${'7'.repeat(digits)},${'y'.repeat(after)}`;
        expect(holdsLongInteger(utf8Encode(run))).toBe(true);
        expect(holdsLongInteger(utf8Encode(run.replace(',7', '.7')))).toBe(false);
        expect(holdsLongInteger(utf8Encode(run.replace(/7{15,}/, '7'.repeat(15))))).toBe(false);
      }),
    );
  });

  test('a long integer behind a long fraction is still found', () => {
    expect(parse('[0.11111111111111111111111111111111111111,9007199254740993]')).toEqual([
      0.1111111111111111,
      9007199254740993n,
    ]);
  });

  test('quotes, backslashes and escapes around a long integer do not hide or make one', () => {
    const integer = 18446744073709551615n;
    const cases: readonly [string, unknown][] = [
      [`["\\\\",${integer},"\\"${integer}"]`, ['\\', integer, `"${integer}`]],
      [`["${integer}",${integer}]`, [`${integer}`, integer]],
      [`["L${integer}","LL",${integer}]`, [`L${integer}`, 'LL', integer]],
      [`["\\u004c12",${integer}]`, ['L12', integer]],
      [`{"__proto__":${integer},"a":[{"b":${integer}}]}`, JSON.parse('{"__proto__":0,"a":[{"b":0}]}')],
    ];
    for (const [text, expected] of cases.slice(0, 4)) expect(parse(text)).toEqual(expected);
    const own = parse(cases[4]?.[0] ?? '') as Record<string, unknown>;
    expect(Object.getOwnPropertyDescriptor(own, '__proto__')?.value).toBe(integer);
    expect(own.a).toEqual([{ b: integer }]);
  });

  test.each([
    '{18446744073709551615:1}',
    '{18446744073709551615 :1}',
    '[018446744073709551615]',
    '[18446744073709551615 18446744073709551615]',
    '[18446744073709551615',
    '["x,18446744073709551615]',
    '[+18446744073709551615]',
  ])('%s is no json, long integer or not', (text) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(failure(text).message).toMatch(/not json/);
  });

  test('text that is no json says where it breaks', () => {
    expect(failure('{"a":1,}').message).toMatch(/not json.*position 7/);
    expect(failure('').message).toMatch(/not json/);
    expect(failure('{"a":1,}')).toMatchObject({ code: 'invalid_argument', reason: undefined });
  });

  test('bytes that are no utf-8 are refused', () => {
    expect(failure(Uint8Array.of(0x22, 0xff, 0xfe, 0x22)).message).toMatch(/utf-8/);
  });

  test('nesting without end does not overflow', () => {
    const nested = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    expect(parse(`[9007199254740993,${nested}]`)).toHaveLength(2);
    expect(failure(`[9007199254740993,"\\u0041",${nested}]`).message).toMatch(/nested too deeply/);
  });
});
