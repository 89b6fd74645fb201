import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { FamilyMemberSchema, PinSchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { decodeFamilyMember } from './family.ts';
import { decodePin, encodePin, type Pin } from './pin-codec.ts';
import { checkSeal, seal } from './record-seal.ts';

const pin: Pin = {
  kind: 'snapshot',
  name: 'monday',
  instant: {
    namespace: 'docs',
    incarnation: 'a',
    family: 'fa',
    birthGeneration: 1,
    generation: 9,
    manifestBody: { key: 'ns/docs/body/a/job-1', size: 7, sha256: new Uint8Array(32).fill(5) },
    tail: [{ namespace: 'docs', generationFirst: 4, generationLast: 9, hashLast: new Uint8Array(32).fill(6) }],
  },
  createdAtMs: 1_700_000_000_000,
};

describe('records with a checksum', () => {
  test('a pin of which any bit has flipped, or that is cut off anywhere, never gives another instant', () => {
    const bytes = encodePin(pin);
    expect(decodePin('k', bytes)).toEqual(pin);
    const damaged = [
      ...Array.from({ length: bytes.length * 8 }, (_, bit) =>
        bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))),
      ),
      ...Array.from({ length: bytes.length }, (_, size) => bytes.subarray(0, size)),
    ];
    let corruptCount = 0;
    for (const one of damaged) {
      try {
        // Cut off right behind the instant, or hit in the checksum's own tag, it looks like an old one.
        expect(decodePin('k', one).instant).toEqual(pin.instant);
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt' });
        corruptCount++;
      }
    }
    expect(corruptCount).toBeGreaterThan(damaged.length - 16);
  });

  test('of before there was one still read, and what this version writes reads without looking at it', () => {
    const record = create(FamilyMemberSchema, { namespace: 'docs', incarnation: 'a', birthGeneration: 3n });
    const old = toBinary(FamilyMemberSchema, record);
    expect(decodeFamilyMember('k', old)).toMatchObject({ namespace: 'docs', birthGeneration: 3 });
    expect(decodeFamilyMember('k', seal(old))).toEqual(decodeFamilyMember('k', old));
    const stored = fromBinary(PinSchema, encodePin(pin));
    expect(stored.$unknown).toBeUndefined();
    expect(() => checkSeal('k', Uint8Array.of(1, 2, 3, 4, 5, 6), 7)).toThrow(
      expect.objectContaining({ code: 'corrupt' }),
    );
  });
});
