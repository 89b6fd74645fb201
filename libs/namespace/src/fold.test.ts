import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import {
  BatchEntrySchema,
  BirthEntrySchema,
  type Entry,
  EntrySchema,
  ManifestEntrySchema,
  TruncateEntrySchema,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { fold } from './fold.ts';
import { emptyView } from './open.ts';
import { schemaToStored } from './schema-codec.ts';
import { testSchema } from './testing.ts';
import type { Manifest, NamespaceView } from './view.ts';

const kinds = {
  birth: (): Entry['kind'] => {
    const batch = create(BatchEntrySchema, { schema: schemaToStored(testSchema), upsertedRowCount: 1n });
    return { case: 'birth', value: create(BirthEntrySchema, { family: 'f1', batch }) };
  },
  batch: (): Entry['kind'] => ({ case: 'batch', value: create(BatchEntrySchema, { deletedRowCount: 2n }) }),
  truncate: (): Entry['kind'] => ({ case: 'truncate', value: create(TruncateEntrySchema, {}) }),
  manifest: (incarnation: string, edits = 0n): Entry['kind'] => {
    return { case: 'manifest', value: create(ManifestEntrySchema, { incarnation, editsManifestGeneration: edits }) };
  },
};

type ChainFields = Partial<Pick<Entry, 'previousHash' | 'previousCommitId' | 'incarnation'>>;

/** The entry that chains to the view. */
function entryAfter(view: NamespaceView, kind: Entry['kind'], more: ChainFields = {}, manifest?: Manifest) {
  const generation = view.generation + 1;
  const header = create(EntrySchema, {
    commitId: `c${generation}`,
    incarnation: view.live?.incarnation ?? 'i1',
    previousHash: view.tip?.hash ?? new Uint8Array(0),
    previousCommitId: view.tip?.commitId ?? '',
    newestManifestGeneration: BigInt(view.newestManifestGeneration),
    writtenAtMs: BigInt(1_000 * generation),
    kind,
    ...more,
  });
  const entry = { generation, header, hash: new Uint8Array(32).fill(generation), sizeBytes: 10 };
  return manifest === undefined ? entry : { ...entry, manifest };
}

const born = (): NamespaceView => fold(emptyView('docs'), entryAfter(emptyView('docs'), kinds.birth())).view;
const corrupt = expect.objectContaining({ code: 'corrupt' });

describe('folding', () => {
  test('a birth with its batch, and batches, make the tail', () => {
    const first = born();
    const { view } = fold(first, entryAfter(first, kinds.batch()));
    expect(view.live).toMatchObject({ incarnation: 'i1', family: 'f1', birthGeneration: 1, createdAtMs: 1_000 });
    expect(view.live?.lastWriteAtMs).toBe(2_000);
    expect(view.live?.tail.map(({ generation }) => generation)).toEqual([1, 2]);
    expect(view.live?.manifest).toMatchObject({ generation: 0, indexedThrough: 0 });
    expect(first.live?.tail).toHaveLength(1); // folding is pure
  });

  test.each<[string, ChainFields]>([
    ['hash', { previousHash: new Uint8Array(32).fill(99) }],
    ['commit id', { previousCommitId: 'c0' }],
    ['incarnation', { incarnation: 'i2' }],
  ])('another %s than the view’s is corrupt', (_, more) => {
    const view = born();
    expect(() => fold(view, entryAfter(view, kinds.batch(), more))).toThrow(corrupt);
  });

  test('births, batches and truncates are corrupt where the rules of incarnations forbid them', () => {
    const view = born();
    expect(() => fold(view, entryAfter(view, kinds.birth()))).toThrow(corrupt);
    const ended = fold(view, entryAfter(view, kinds.truncate())).view;
    expect(ended.live).toBeUndefined();
    expect(() => fold(ended, entryAfter(ended, kinds.batch()))).toThrow(corrupt);
    expect(() => fold(ended, entryAfter(ended, kinds.truncate()))).toThrow(corrupt);
    expect(() => fold(emptyView('docs'), entryAfter(ended, kinds.birth()))).toThrow(corrupt);
  });

  test('a manifest of another incarnation is ignored and reported, and does not become the newest', () => {
    const view = born();
    const folded = fold(view, entryAfter(view, kinds.manifest('i0')));
    expect(folded.ignored).toBe(true);
    expect(folded.view).toMatchObject({ generation: 2, newestManifestGeneration: 0, live: view.live });
  });

  test('a manifest must edit the newest, go on from it, and have its body', () => {
    const view = born();
    const base = view.live?.manifest;
    if (base === undefined) throw new Error('nothing lives');
    const next = { ...base, generation: 2, indexedThrough: 1 };
    const folded = fold(view, entryAfter(view, kinds.manifest('i1'), {}, next)).view;
    expect(folded).toMatchObject({ newestManifestGeneration: 2, live: { tail: [], manifest: { indexedThrough: 1 } } });
    expect(() => fold(view, entryAfter(view, kinds.manifest('i1')))).toThrow(corrupt);
    expect(() => fold(view, entryAfter(view, kinds.manifest('i1', 7n), {}, next))).toThrow(corrupt);
    for (const wrong of [
      { ...next, indexedThrough: 2 },
      { ...next, birthGeneration: 2 },
      { ...next, incarnation: 'i2' },
    ]) {
      expect(() => fold(view, entryAfter(view, kinds.manifest('i1'), {}, wrong))).toThrow(corrupt);
    }
  });
});
