import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';

describe('traceparent', () => {
  test('what is formatted parses to the same', () => {
    const hex = (length: number) =>
      fc
        .array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length })
        .map((digits) => digits.map((digit) => digit.toString(16)).join(''))
        .filter((text) => !/^0+$/.test(text));
    fc.assert(
      fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 255 }), (trace, span, flags) => {
        const context = { traceId: trace, spanId: span, flags };
        expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
      }),
    );
  });

  test.each([
    ['', 'empty'],
    [`00-${traceId}-${spanId}`, 'no flags'],
    [`00-${traceId.toUpperCase()}-${spanId}-01`, 'upper case'],
    [`00-${'0'.repeat(32)}-${spanId}-01`, 'zero trace'],
    [`00-${traceId}-${'0'.repeat(16)}-01`, 'zero span'],
    [`ff-${traceId}-${spanId}-01`, 'version ff'],
    [`00-${traceId}-${spanId}-01-more`, 'more in version 00'],
    [`01-${traceId}-${spanId}-01-${'x'.repeat(300)}`, 'over-long'],
  ])('%s is no trace context: %s', (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });

  test('a later version with more fields is read', () => {
    expect(parseTraceparent(`01-${traceId}-${spanId}-01-more`)).toEqual({ traceId, spanId, flags: 1 });
  });
});
