import { readFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { crc32 } from '@lagoon/base';
import { BatchEntrySchema, EntrySchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import fc from 'fast-check';
import { decodeEntry, encodeEntry } from './entry.v1.ts';

const golden = new URL('./golden/entry.v1.bin', import.meta.url);

function batchEntry(parts: readonly Uint8Array[], commitId = 'commit1') {
  return create(EntrySchema, {
    commitId,
    writerId: 'writer1',
    incarnation: 'incarnation1',
    previousHash: new Uint8Array(32).fill(7),
    previousCommitId: 'commit0',
    newestManifestGeneration: 3n,
    writtenAtMs: 1_700_000_000_000n,
    kind: {
      case: 'batch',
      value: create(BatchEntrySchema, { partSizes: parts.map((part) => BigInt(part.length)), upsertedRowCount: 2n }),
    },
  });
}

const exampleParts = [Uint8Array.from([1, 2, 3]), Uint8Array.from([]), Uint8Array.from({ length: 40 }, (_, i) => i)];

describe('entry v1', () => {
  test('round trip: header and parts come back, each part at a multiple of 16', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 5 }), fc.string(), (parts, commitId) => {
        const header = batchEntry(parts, commitId);
        const object = encodeEntry(header, parts);
        const decoded = decodeEntry('k', object);
        expect(decoded.header).toEqual(header);
        expect(decoded.parts.map((part) => [...part])).toEqual(parts.map((part) => [...part]));
        for (const part of decoded.parts) expect((part.byteOffset - object.byteOffset) % 16).toBe(0);
      }),
    );
  });

  test('every flipped bit and every truncation is corrupt, and says which key', () => {
    const object = encodeEntry(batchEntry(exampleParts), exampleParts);
    const isCorrupt = expect.objectContaining({ code: 'corrupt', context: expect.objectContaining({ key: 'k' }) });
    for (let bit = 0; bit < object.length * 8; bit++) {
      const flipped = object.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeEntry('k', flipped)).toThrow(isCorrupt);
    }
    for (let size = 0; size < object.length; size++) {
      expect(() => decodeEntry('k', object.slice(0, size))).toThrow(isCorrupt);
    }
    expect(() => decodeEntry('k', new Uint8Array([...object, 0]))).toThrow(isCorrupt);
  });

  test('hostile bytes never crash the decoder', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => decodeEntry('k', bytes)).toThrow(expect.objectContaining({ code: 'corrupt' }));
      }),
    );
  });

  test('an intact entry of a newer version is refused as such', () => {
    const object = encodeEntry(batchEntry([]), []);
    const view = new DataView(object.buffer);
    view.setUint16(4, 2, true);
    view.setUint32(28, crc32(object.subarray(32), crc32(object.subarray(0, 28))), true);
    expect(() => decodeEntry('k', object)).toThrow(/newer format: upgrade/);
  });

  test('the golden entry still reads, and is still written so', () => {
    const object = encodeEntry(batchEntry(exampleParts), exampleParts);
    const stored = new Uint8Array(readFileSync(golden));
    expect(decodeEntry('k', stored).header).toEqual(batchEntry(exampleParts));
    expect(Buffer.from(object).equals(Buffer.from(stored))).toBe(true);
  });
});
