import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, sha256, silentLog } from '@lagoon/base';
import { createMemoryStore, type MeteredStore, metered, type ObjectStore } from '@lagoon/object-store';
import { createFactReader } from './gc-facts.ts';
import { createLineage } from './lineage.ts';
import { createNamespaceLog } from './log.ts';
import { applyIndexEdit, namedKeys } from './manifest.ts';
import { decodeStoredPart, encodeManifest, encodePart, partFromStored } from './manifest-codec.ts';
import { createManifestCommitter } from './manifest-commit.ts';
import { batchDraft, birthDraft, createTestClock, type TestClock } from './testing.ts';
import type { Manifest, NamespaceView, SegmentReference } from './view.ts';

const golden = new URL('./golden/manifest-part.v1.bin', import.meta.url);
const segmentCount = 20_000;

let clock: TestClock;
let memory: ObjectStore;
let store: MeteredStore;
let jobCount: number;

beforeEach(() => {
  clock = createTestClock();
  memory = createMemoryStore({ clock: { wallMs: clock.worldMs } });
  store = metered(memory, { clock });
  jobCount = 0;
});

const deps = (seed: number) => ({ store, clock, random: createSeededRandom(seed), log: silentLog, metrics: noMetrics });

function segments(count: number, generation: number): SegmentReference[] {
  return Array.from({ length: count }, (_, index) => ({
    object: {
      key: `data/fa/a/job${generation}-${index}.seg`,
      size: 1_000,
      sha256: sha256(Uint8Array.of(index & 255, index >> 8, generation)),
    },
    footer: { offset: 900, size: 100 },
    rowCount: 8,
    liveRowCount: 8,
    logicalBytes: 64,
    deleteVector: undefined,
    generationFirst: generation,
    generationLast: generation,
  }));
}

/** One more batch, and an index job that finds so many segments in it and deletes a row of each named one. */
async function grow(view: NamespaceView, count: number, dead: readonly string[] = []): Promise<NamespaceView> {
  const log = createNamespaceLog(deps(100 + jobCount));
  const committer = createManifestCommitter(deps(200 + jobCount));
  const build = (at: NamespaceView) => (at.live === undefined ? birthDraft('a', [1]) : batchDraft([1]));
  const written = (await log.append(view, build)).view;
  const { live } = written;
  if (live === undefined) throw new Error('nothing lives');
  const bitmap = Uint8Array.of(1);
  const edited = applyIndexEdit(live.manifest, {
    indexedThrough: written.generation,
    schema: live.schema,
    settings: live.settings,
    segmentsAdded: segments(count, written.generation),
    deleted: new Map(
      dead.map((key) => [key, { deleteVector: { kind: 'inline', bitmap }, liveRowCount: 7, logicalBytes: 56 }]),
    ),
    rows: { added: count * 8, superseded: 0, deleted: dead.length },
    lastWriteAtMs: 1,
  });
  store.reset();
  const job = { job: `job${jobCount++}`, startedAtMs: log.storeTimeMs() };
  const prepared = await committer.prepare(written, edited, job);
  const result = await committer.append(log, written, prepared);
  expect(result.outcome).toBe('committed');
  return result.view;
}

const manifestOf = (view: NamespaceView): Manifest => {
  if (view.live === undefined) throw new Error('nothing lives');
  return view.live.manifest;
};

/** Compared as bytes: there are too many for a matcher. */
function expectSame(found: Manifest, expected: Manifest): void {
  const bytesOf = (manifest: Manifest) => Buffer.concat([encodeManifest(manifest), encodePart(manifest.segments)]);
  expect(bytesOf(found).equals(bytesOf(expected))).toBe(true);
}

async function openNew(name = 'docs'): Promise<NamespaceView> {
  return (await createNamespaceLog(deps(5)).open(name)).view;
}

describe('a manifest of 20,000 segments', () => {
  test('costs what an edit changes, not what it holds', async () => {
    const large = await grow(await openNew(), segmentCount);
    const wholeBytes = store.snapshot().bytesWritten;
    const parts = manifestOf(large).parts ?? [];
    expect(parts.length).toBeGreaterThan(50);
    const one = await grow(large, 1);
    expect(store.snapshot().bytesWritten).toBeLessThan(wholeBytes / 30);
    expect(store.snapshot()).toMatchObject({ get: 0, create: 2 }); // the root, the entry
    const key = manifestOf(one).segments[9_000]?.object.key ?? '';
    const dead = await grow(one, 1, [key]);
    expect(store.snapshot().bytesWritten).toBeLessThan(wholeBytes / 15);
    expect(store.snapshot()).toMatchObject({ get: 0, create: 3 }); // and one part
    expect(manifestOf(dead).segments.length).toBe(segmentCount + 2);
    expect(manifestOf(dead).segments[9_000]?.liveRowCount).toBe(7);
  });

  test('is read whole by whoever opens it, with and without the hint; who reads on reads what changed', async () => {
    const large = await grow(await openNew(), segmentCount);
    const reader = createNamespaceLog(deps(7));
    const cold = (await reader.open('docs')).view;
    expectSame(manifestOf(cold), manifestOf(large));
    const later = await grow(large, 1, [manifestOf(large).segments[0]?.object.key ?? '']);
    store.reset();
    const { view } = await reader.advance(cold, {});
    expectSame(manifestOf(view), manifestOf(later));
    expect(store.snapshot().get).toBeLessThanOrEqual(6); // batch, manifest, body, part, what is not there
    await createNamespaceLog(deps(9)).writeHint(later);
    store.reset();
    expectSame(manifestOf(await openNew()), manifestOf(later));
    const partCount = manifestOf(later).parts?.length ?? 0;
    expect(store.snapshot().get).toBeLessThanOrEqual(partCount + 2); // the hint, the parts, what is not there
  });

  test('is branched at the usual cost, and the child makes parts of its own', async () => {
    await grow(await openNew(), segmentCount);
    store.reset();
    const lineage = createLineage(deps(11));
    const outcome = await lineage.branch({ name: 'child', view: undefined, idempotency: [] }, 'docs', undefined);
    expect(outcome.outcome).toBe('born');
    const { get, put, create, list } = store.snapshot();
    expect(get + put + create + list).toBeLessThanOrEqual(8);
    const child = await openNew('child');
    expect(manifestOf(child).segments.length).toBe(segmentCount);
    const grown = await grow(child, 1);
    expect(manifestOf(grown).parts?.every(({ object }) => object.key.startsWith('ns/child/'))).toBe(true);
    expectSame(manifestOf(await openNew('child')), manifestOf(grown));
  });

  test('garbage collection knows its parts', async () => {
    const large = await grow(await openNew(), segmentCount);
    const [newest] = (await memory.list({ prefix: 'ns/docs/log/' })).objects.slice(-1);
    const facts = createFactReader(memory);
    const entry = await facts.entry(newest?.key ?? '');
    if (entry?.manifestBody === undefined) throw new Error('no manifest');
    const { named } = await facts.manifest(entry.manifestBody);
    expect(new Set(named)).toEqual(new Set(namedKeys(manifestOf(large))));
    expect(named.filter((key) => key.includes('/body/')).length).toBe(manifestOf(large).parts?.length);
  });

  test.each(['flipped', 'truncated', 'missing', 'another'])(
    'a part that is %s is corrupt, and named',
    async (damage) => {
      const large = await grow(await openNew(), 3_000);
      const [first, second] = manifestOf(large).parts ?? [];
      const key = first?.object.key ?? '';
      const bytes = (await memory.get(key))?.bytes ?? new Uint8Array(0);
      const other = (await memory.get(second?.object.key ?? ''))?.bytes ?? new Uint8Array(0);
      if (damage === 'missing') await memory.delete([key]);
      if (damage === 'truncated') await memory.put(key, bytes.subarray(0, -1));
      if (damage === 'flipped')
        await memory.put(key, bytes.with(bytes.length >> 1, (bytes[bytes.length >> 1] ?? 0) ^ 1));
      if (damage === 'another') await memory.put(key, other);
      await expect(openNew()).rejects.toMatchObject({ code: 'corrupt', context: { key } });
    },
  );
});

describe('a part', () => {
  const object = { key: 'k', size: 1, sha256: new Uint8Array(32) };
  const example = segments(3, 4).map((segment, index) =>
    index === 1
      ? { ...segment, liveRowCount: 6, deleteVector: { kind: 'inline' as const, bitmap: Uint8Array.of(3) } }
      : segment,
  );

  test('comes back as it was', () => {
    expect(partFromStored(object, decodeStoredPart('k', encodePart(example))).segments).toEqual(example);
  });

  test('hostile bytes are corrupt, or a part: nothing else', () => {
    const bytes = encodePart(example);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
      try {
        partFromStored(object, decodeStoredPart('k', flipped));
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt' });
      }
    }
  });

  test('the golden part still reads, and is still written so', () => {
    const stored = new Uint8Array(readFileSync(golden));
    expect(partFromStored(object, decodeStoredPart('k', stored)).segments).toEqual(example);
    expect(Buffer.from(encodePart(example)).equals(Buffer.from(stored))).toBe(true);
  });
});
