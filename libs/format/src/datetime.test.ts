import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatDatetime, parseDatetime } from './datetime.ts';

const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe('datetime', () => {
  test('agrees with the platform on every instant that it knows', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        const ms = BigInt(date.getTime());
        expect(parseDatetime(date.toISOString())).toBe(ms);
        expect(formatDatetime(ms)).toBe(date.toISOString().replace('.000Z', 'Z'));
      }),
    );
  });

  test('every i64 has a form', () => {
    fc.assert(fc.property(i64, (ms) => expect(formatDatetime(ms)).toMatch(/^[+-]?\d{4,9}-\d\d-\d\dT[\d:.]+Z$/)));
  });

  test.each([
    ['2024-02-29', 1_709_164_800_000n],
    ['2024-02-29T12:30', 1_709_209_800_000n],
    ['2024-02-29 12:30:01', 1_709_209_801_000n],
    ['2024-02-29T12:30:01.5Z', 1_709_209_801_500n],
    ['2024-02-29T12:30:01.123456789Z', 1_709_209_801_123n],
    ['2024-02-29T12:30:01+02:00', 1_709_202_601_000n],
    ['2024-02-29T12:30:01-0230', 1_709_218_801_000n],
    ['2024-02-29T12:30:01+02', 1_709_202_601_000n],
    ['1969-12-31T23:59:59.999Z', -1n],
  ])('%s is %s', (text, ms) => {
    expect(parseDatetime(text)).toBe(ms);
  });

  test.each([
    '',
    '2023-02-29',
    '1900-02-29',
    '2024-13-01',
    '2024-00-01',
    '2024-04-31',
    '2024-01-01T24:00',
    '2024-01-01T00:60',
    '2024-01-01T00:00:60',
    '2024-01-01T00',
    '2024-1-1',
    '2024-01-01X00:00',
    '2024-01-01T00:00:00+24:00',
    '1700000000000',
    ' 2024-01-01',
    '2024-01-01T00:00:00Zz',
  ])('%p is no datetime', (text) => {
    expect(parseDatetime(text)).toBeUndefined();
  });
});
