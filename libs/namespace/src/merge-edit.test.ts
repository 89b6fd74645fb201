import { describe, expect, test } from '@jest/globals';
import { applyIndexEdit, checkManifest, emptyManifest } from './manifest.ts';
import { applyMergeEdit, findSegments } from './merge-edit.ts';
import { defaultSettings } from './settings.ts';
import { testSchema } from './testing.ts';
import type { Manifest, SegmentReference } from './view.ts';

function segment(key: string, rows: number, first: number, last: number): SegmentReference {
  const object = { key, size: 10, sha256: new Uint8Array(32) };
  const counts = { rowCount: rows, liveRowCount: rows, logicalBytes: rows * 8 };
  return { object, ...counts, deleteVector: undefined, generationFirst: first, generationLast: last };
}

/** Segments a, b and c of 10 rows; two rows of a are dead, by a delete vector in an object. */
function example(): Manifest {
  const birth = { incarnation: 'i', family: 'f', birthGeneration: 1, schema: testSchema, createdAtMs: 5 };
  let manifest = emptyManifest(birth);
  for (const [index, key] of ['a', 'b', 'c'].entries()) {
    const edited = applyIndexEdit(manifest, {
      indexedThrough: 2 * index + 1,
      schema: testSchema,
      settings: defaultSettings,
      segmentsAdded: [segment(key, 10, 2 * index + 1, 2 * index + 1)],
      deleted: index < 2 ? new Map() : new Map([['a', deletesOfA]]),
      rows: { added: 10, superseded: index < 2 ? 0 : 2, deleted: 0 },
      lastWriteAtMs: 9,
    });
    manifest = { ...edited, generation: 2 * index + 2 };
  }
  return manifest;
}
const deletesOfA = {
  deleteVector: { kind: 'object', object: { key: 'd', size: 2, sha256: new Uint8Array(32) } },
  liveRowCount: 8,
  logicalBytes: 64,
} as const;

describe('merge edit', () => {
  test('one segment takes the place of several, in the order of generations; rows stay accounted for', () => {
    const merged = applyMergeEdit(example(), { mergedKeys: ['a', 'b'], segment: segment('m', 18, 1, 3) });
    checkManifest(merged);
    expect(merged.segments.map(({ object }) => object.key)).toEqual(['m', 'c']);
    expect(merged.rows).toEqual(example().rows);
    expect(merged.indexedThrough).toBe(5);
    expect(merged.obsolete.map(({ key, obsoleteSinceGeneration }) => [key, obsoleteSinceGeneration])).toEqual([
      ['a', 6],
      ['d', 6],
      ['b', 6],
    ]);
  });

  test('segments need not be neighbours', () => {
    const merged = applyMergeEdit(example(), { mergedKeys: ['a', 'c'], segment: segment('m', 18, 1, 5) });
    checkManifest(merged);
    expect(merged.segments.map(({ object }) => object.key)).toEqual(['b', 'm']);
  });

  test('a merge that loses, invents or forgets rows, or merges what is not named, fails', () => {
    const manifest = example();
    for (const rows of [17, 19]) {
      expect(() => applyMergeEdit(manifest, { mergedKeys: ['a', 'b'], segment: segment('m', rows, 1, 3) })).toThrow();
    }
    expect(() => applyMergeEdit(manifest, { mergedKeys: ['b'], segment: undefined })).toThrow();
    expect(() => applyMergeEdit(manifest, { mergedKeys: ['z'], segment: undefined })).toThrow();
  });

  test('segments are found by their keys, all or none', () => {
    expect(findSegments(example(), ['c', 'a'])?.map(({ object }) => object.key)).toEqual(['c', 'a']);
    expect(findSegments(example(), ['c', 'z'])).toBeUndefined();
  });
});
