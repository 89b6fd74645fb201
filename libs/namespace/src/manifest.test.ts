import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { applyIndexEdit, checkManifest, emptyManifest, expireIdempotencyParts, withCommitId } from './manifest.ts';
import { decodeManifest, encodeManifest } from './manifest-codec.ts';
import { defaultSettings } from './settings.ts';
import { testSchema } from './testing.ts';
import type { Manifest, SegmentReference } from './view.ts';

const golden = new URL('./golden/manifest.v1.bin', import.meta.url);

const reference = (key: string) => ({ key, size: 10, sha256: new Uint8Array(32).fill(1) });

function segment(key: string, rows: number, first: number, last: number): SegmentReference {
  const counts = { rowCount: rows, liveRowCount: rows, logicalBytes: rows * 8 };
  return { object: reference(key), ...counts, deleteVector: undefined, generationFirst: first, generationLast: last };
}

const fresh = emptyManifest({
  incarnation: 'i1',
  family: 'f1',
  birthGeneration: 1,
  schema: testSchema,
  createdAtMs: 5,
});

const range = {
  name: 'n',
  type: { kind: 'scalar', scalar: 'string' },
  min: Uint8Array.of(),
  max: Uint8Array.of(7, 8),
  nullCount: 3,
} as const;

/** Two index jobs: 10 rows, then 4 rows of which 2 supersede, and one delete. */
function example(): Manifest {
  const one = applyIndexEdit(fresh, {
    indexedThrough: 3,
    schema: testSchema,
    settings: defaultSettings,
    segmentsAdded: [segment('s1', 10, 1, 3)],
    deleted: new Map(),
    rows: { added: 10, superseded: 0, deleted: 0 },
    idempotencyPart: { object: reference('p1'), writtenAtMsMax: 7 },
    lastWriteAtMs: 9,
  });
  const bitmap = Uint8Array.from([0b00000111, 0]);
  return applyIndexEdit(withCommitId({ ...one, generation: 4 }, 'c1'), {
    indexedThrough: 6,
    schema: testSchema,
    settings: defaultSettings,
    segmentsAdded: [segment('s2', 4, 5, 6)],
    deleted: new Map([['s1', { deleteVector: { kind: 'inline', bitmap }, liveRowCount: 7, logicalBytes: 56 }]]),
    rows: { added: 4, superseded: 2, deleted: 1 },
    lastWriteAtMs: 11,
  });
}

describe('manifest edits', () => {
  test('index jobs keep every invariant', () => {
    checkManifest(fresh);
    const manifest = example();
    checkManifest(manifest);
    expect(manifest.rows).toEqual({ added: 14, superseded: 2, deleted: 1, live: 11 });
    expect(manifest.lastWriteAtMs).toBe(11);
  });

  test('a segment without a live row becomes obsolete, with its delete vector', () => {
    const manifest = example();
    const emptied = applyIndexEdit(manifest, {
      indexedThrough: 8,
      schema: testSchema,
      settings: defaultSettings,
      segmentsAdded: [],
      deleted: new Map([
        [
          's1',
          { deleteVector: { kind: 'inline', bitmap: Uint8Array.from([255, 3]) }, liveRowCount: 0, logicalBytes: 0 },
        ],
      ]),
      rows: { added: 0, superseded: 0, deleted: 7 },
      lastWriteAtMs: 12,
    });
    checkManifest(emptied);
    expect(emptied.segments.map(({ object }) => object.key)).toEqual(['s2']);
    expect(emptied.obsolete).toEqual([{ key: 's1', obsoleteSinceGeneration: 4 }]);
  });

  test('parts of the idempotency table that have expired leave, and are obsolete from then on', () => {
    const manifest = example();
    expect(expireIdempotencyParts(manifest, () => false)).toBe(manifest);
    const expired = expireIdempotencyParts(manifest, ({ object }) => object.key === 'p1');
    expect(expired.idempotencyParts).toHaveLength(0);
    expect(expired.obsolete.map(({ key }) => key)).toEqual(['p1']);
  });

  test.each<[string, (manifest: Manifest) => Manifest]>([
    ['row accounting', (m) => ({ ...m, rows: { ...m.rows, added: 15 } })],
    ['live rows of the segments', (m) => ({ ...m, rows: { ...m.rows, added: 15, live: 12 } })],
    ['negative', (m) => ({ ...m, rows: { ...m.rows, deleted: -1 } })],
    ['do not ascend', (m) => ({ ...m, segments: m.segments.toReversed() })],
    ['behind indexed_through', (m) => ({ ...m, indexedThrough: 5 })],
    ['named twice', (m) => ({ ...m, idempotencyParts: [...m.idempotencyParts, ...m.idempotencyParts] })],
    ['obsolete object is named', (m) => ({ ...m, obsolete: [{ key: 's2', obsoleteSinceGeneration: 1 }] })],
    ['before the birth', (m) => ({ ...m, birthGeneration: 2 })],
    [
      'a range of an attribute',
      (m) => ({ ...m, segments: m.segments.map((s) => ({ ...s, attributeRanges: [{ ...range, nullCount: 11 }] })) }),
    ],
    [
      'a range of an attribute',
      (m) => ({ ...m, segments: m.segments.map((s) => ({ ...s, attributeRanges: [{ ...range, max: undefined }] })) }),
    ],
    ['a footer behind', (m) => ({ ...m, segments: m.segments.map((s) => ({ ...s, footer: { offset: 4, size: 7 } })) })],
    [
      'before a footer',
      (m) => ({ ...m, segments: m.segments.map((s) => ({ ...s, footer: { offset: 4, size: 6, lead: 5 } })) }),
    ],
    [
      'before a footer',
      (m) => {
        const [size, footer] = [9 << 20, { offset: 8 << 20, size: 6, lead: (4 << 20) + 1 }];
        return { ...m, segments: m.segments.map((s) => ({ ...s, object: { ...s.object, size }, footer })) };
      },
    ],
    ['delete vector', (m) => ({ ...m, segments: m.segments.map((s) => ({ ...s, deleteVector: undefined })) })],
    [
      'size of a delete vector',
      (m) => {
        const deleteVector = { kind: 'inline' as const, bitmap: Uint8Array.from([7]) };
        return { ...m, segments: m.segments.map((s) => (s.deleteVector ? { ...s, deleteVector } : s)) };
      },
    ],
  ])('%s: a broken manifest is corrupt', (message, breakIt) => {
    const check = () => checkManifest(breakIt(example()));
    expect(check).toThrow(expect.objectContaining({ code: 'corrupt', message: expect.stringContaining(message) }));
  });
});

describe('manifest codec', () => {
  test('round trip', () => {
    const segments = example().segments.map((one, i) =>
      i === 0
        ? { ...one, footer: { offset: 4, size: 6, lead: 3 } }
        : {
            ...one,
            footer: { offset: 4, size: 6 },
            attributeRanges: [range, { ...range, name: 'm', min: undefined, max: undefined }],
          },
    );
    const manifest = { ...example(), segments, revocations: [{ job: 'j1', atMs: 9 }], generation: 12 };
    expect(decodeManifest('k', encodeManifest(manifest), 12)).toEqual(manifest);
  });

  test('the golden manifest still reads, and is still written so', () => {
    const bytes = encodeManifest(example());
    const stored = new Uint8Array(readFileSync(golden));
    expect(decodeManifest('k', stored, 4)).toEqual(example());
    expect(Buffer.from(bytes).equals(Buffer.from(stored))).toBe(true);
  });

  test('hostile bytes are corrupt', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(() => checkManifest(decodeManifest('k', bytes, 1))).toThrow(
          expect.objectContaining({ code: 'corrupt' }),
        );
      }),
    );
  });
});
