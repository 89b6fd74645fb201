import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBytesLru } from './bytes-lru.ts';

describe('values bounded by bytes', () => {
  test('hold what was used last and never more than fits', () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), bytes: fc.option(fc.nat(6)) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const lru = createBytesLru<number>(10);
        let model: { key: string; bytes: number; value: number }[] = []; // least recently used first
        for (const [value, { key, bytes }] of steps.entries()) {
          const present = model.find((entry) => entry.key === key);
          const others = model.filter((entry) => entry.key !== key);
          if (bytes === null) {
            expect(lru.get(key)).toBe(present?.value);
            if (present !== undefined) model = [...others, present];
            continue;
          }
          lru.set(key, value, bytes);
          model = [...others, { key, bytes, value }];
          while (model.reduce((sum, entry) => sum + entry.bytes, 0) > 10) model.shift();
        }
        for (const entry of model) expect(lru.get(entry.key)).toBe(entry.value);
      }),
    );
  });

  test('a value that is larger than the bound is not kept, nor the one before it', () => {
    const lru = createBytesLru<number>(10);
    lru.set('a', 1, 5);
    lru.set('a', 2, 11);
    expect(lru.get('a')).toBeUndefined();
  });
});
