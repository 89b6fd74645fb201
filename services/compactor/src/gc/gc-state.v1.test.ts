import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeGcState, encodeGcState, type GcState } from './gc-state.v1.ts';

const golden = new URL('./golden/gc-state.v1.bin', import.meta.url);
const isCorrupt = expect.objectContaining({ code: 'corrupt' });

const example: GcState = {
  sweptAtMs: 1_700_000_000_000,
  settled: new Map([
    ['books', { print: 0xdeadbeef, families: new Map([['f1', 7]]) }],
    ['Past', { print: 1, families: new Map() }],
  ]),
  openNames: ['busy'],
  openFamilies: ['f2', 'f3'],
};

describe('gc state v1', () => {
  test('round trip', () => {
    const prints = fc.integer({ min: 0, max: 0xffffffff });
    const settled = fc.dictionary(
      fc.string(),
      fc.record({ print: prints, families: fc.dictionary(fc.string(), prints) }),
    );
    fc.assert(
      fc.property(settled, fc.array(fc.string()), fc.nat(), (names, openNames, sweptAtMs) => {
        const state: GcState = {
          sweptAtMs,
          settled: new Map(
            Object.entries(names).map(([name, { print, families }]) => [
              name,
              { print, families: new Map(Object.entries(families)) },
            ]),
          ),
          openNames,
          openFamilies: [],
        };
        expect(decodeGcState(encodeGcState(state))).toEqual(state);
      }),
    );
  });

  test('every flipped bit and every truncation is corrupt', () => {
    const bytes = encodeGcState(example);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeGcState(flipped)).toThrow(isCorrupt);
    }
    for (let size = 0; size < bytes.length; size++) {
      expect(() => decodeGcState(bytes.subarray(0, size))).toThrow(isCorrupt);
    }
  });

  test('the golden state still reads, and is still written so', () => {
    const stored = new Uint8Array(readFileSync(golden));
    expect(decodeGcState(stored)).toEqual(example);
    expect(Buffer.from(encodeGcState(example)).equals(Buffer.from(stored))).toBe(true);
  });
});
