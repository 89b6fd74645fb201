import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createRendezvous } from './rendezvous.ts';

const membersOf = (count: number) => Array.from({ length: count }, (_, index) => `10.0.0.${index}:7470`);
const rendezvousOf = (members: readonly string[]) => createRendezvous(members, (member) => member);

describe('rendezvous', () => {
  test('the order of the members does not matter', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(membersOf(8), { minLength: 8 }), fc.string(), (members, key) => {
        expect(rendezvousOf(members).rank(key)).toEqual(rendezvousOf(membersOf(8)).rank(key));
      }),
    );
  });

  test('when a member goes, the others keep their order for every key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6 }), fc.string(), (gone, key) => {
        const all = membersOf(7);
        const left = all.filter((_, index) => index !== gone);
        const expected = rendezvousOf(all)
          .rank(key)
          .filter((member) => member !== all[gone]);
        expect(rendezvousOf(left).rank(key)).toEqual(expected);
      }),
    );
  });

  test.each([2, 3, 8])('keys spread evenly over %i members, as first and as second choice', (count) => {
    const rendezvous = rendezvousOf(membersOf(count));
    const keyCount = 20_000;
    for (const place of [0, 1]) {
      const counts = new Map<string, number>();
      for (let key = 0; key < keyCount; key++) {
        const member = rendezvous.rank(`tenant-${key}`)[place] ?? '';
        counts.set(member, (counts.get(member) ?? 0) + 1);
      }
      for (const owned of counts.values()) expect(Math.abs((owned * count) / keyCount - 1)).toBeLessThan(0.1);
      expect(counts.size).toBe(count);
    }
  });
});
