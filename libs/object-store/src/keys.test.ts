import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseHttpDate } from './http-date.ts';
import { compareKeys, resolveRange } from './keys.ts';

describe('keys', () => {
  test('are ordered as the bytes of their UTF-8', () => {
    const key = fc.string({ unit: 'binary', maxLength: 4 });
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  test('a range cuts as slice does', () => {
    const size = fc.nat(20);
    fc.assert(
      fc.property(size, size, size, (objectSize, start, more) => {
        const bytes = Array.from({ length: objectSize }, (_, i) => i);
        const slice = ({ offset, length }: { offset: number; length: number }) => bytes.slice(offset, offset + length);
        expect(slice(resolveRange({ start, end: start + more }, objectSize))).toEqual(bytes.slice(start, start + more));
        expect(slice(resolveRange({ suffix: more }, objectSize))).toEqual(more === 0 ? [] : bytes.slice(-more));
      }),
    );
  });
});

describe('http date', () => {
  test('reads what servers send', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(parseHttpDate(new Date(seconds * 1000).toUTCString())).toBe(seconds * 1000);
      }),
    );
  });

  test('other text is no time', () => {
    for (const text of [
      undefined,
      '',
      'yesterday',
      'Sun, 06 Foo 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
    ]) {
      expect(parseHttpDate(text)).toBeUndefined();
    }
  });
});
