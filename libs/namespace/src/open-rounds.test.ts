import { beforeEach, describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { createFarStore, type Rounds } from '@lagoon/object-store/testing/far-store';
import { createNamespaceLog } from './log.ts';
import { applyIndexEdit } from './manifest.ts';
import { createManifestCommitter } from './manifest-commit.ts';
import { batchDraft, birthDraft, createTestClock } from './testing.ts';
import type { NamespaceView, SegmentReference } from './view.ts';

/** How often a process that knows nothing waits for a far store until it has the head, and until it knows a manifest. */
const clock = createTestClock();
let near: ObjectStore;

beforeEach(() => {
  near = createMemoryStore({ clock: { wallMs: clock.worldMs } });
});

const deps = (seed: number) => ({
  ...{ store: near, clock, random: createSeededRandom(seed), log: silentLog, metrics: noMetrics },
});

async function write(count: number): Promise<void> {
  const writer = createNamespaceLog(deps(1));
  let { view } = await writer.open('docs');
  for (let n = 0; n < count; n++) {
    const build = (at: NamespaceView) => (at.live === undefined ? birthDraft('a', [1]) : batchDraft([1]));
    view = (await writer.append(view, build)).view;
  }
}

/** Indexes all that there is into so many segments. */
async function index(segmentCount: number): Promise<void> {
  const writer = createNamespaceLog(deps(2));
  const committer = createManifestCommitter(deps(3));
  const { view } = await writer.open('docs');
  const { live } = view;
  if (live === undefined) throw new Error('nothing lives');
  const counts = { rowCount: 1, liveRowCount: 1, logicalBytes: 8, deleteVector: undefined };
  const generations = { generationFirst: view.generation, generationLast: view.generation };
  const edited = applyIndexEdit(live.manifest, {
    indexedThrough: view.generation,
    ...{ schema: live.schema, settings: live.settings, deleted: new Map(), lastWriteAtMs: 1 },
    segmentsAdded: Array.from({ length: segmentCount }, (_, n): SegmentReference => {
      const object = { key: `data/fa/a/job${view.generation}-${n}.seg`, size: 9, sha256: new Uint8Array(32) };
      return { object, ...counts, ...generations };
    }),
    rows: { added: segmentCount, superseded: 0, deleted: 0 },
  });
  const prepared = await committer.prepare(view, edited, {
    job: `job${view.generation}`,
    startedAtMs: writer.storeTimeMs(),
  });
  expect((await committer.append(writer, view, prepared)).outcome).toBe('committed');
}

async function writeHint(): Promise<void> {
  const writer = createNamespaceLog(deps(4));
  await writer.writeHint((await writer.open('docs')).view);
}

async function open(): Promise<Rounds & { readonly generation: number; readonly manifestAfter: readonly number[] }> {
  const far = createFarStore(near);
  const startMs = far.clock.monotonicMs();
  const manifestAfter: number[] = [];
  const reader = createNamespaceLog({ ...deps(5), store: far.store, clock: far.clock });
  const onManifest = () => manifestAfter.push((far.clock.monotonicMs() - startMs) / far.latencyMs);
  const { result, ...rounds } = await far.measure(() => reader.open('docs', { onManifest }));
  return { ...rounds, generation: result.view.generation, manifestAfter };
}

describe('rounds until a namespace is open', () => {
  test('a name that was never used: one', async () => {
    expect(await open()).toMatchObject({ rounds: 1, requestCount: 2, generation: 0 });
  });

  test('a tail without a manifest: two, the listing and all entries', async () => {
    await write(64);
    expect(await open()).toMatchObject({ rounds: 2, requestCount: 2 + 65, generation: 64, manifestAfter: [] });
  });

  test.each([0, 1, 64])(
    'behind a hint with its manifest, and %i entries: two, the manifest known after one',
    async (count) => {
      await write(3);
      await index(2);
      await writeHint();
      await write(count);
      const opened = await open();
      expect(opened).toMatchObject({ rounds: 2, generation: 4 + count, manifestAfter: [1] });
      expect(opened.requestCount).toBe(2 + count + 1);
    },
  );

  test.each([
    [16, 2],
    [17, 3],
    [63, 4],
  ])('a log that is longer than a listing, %i entries behind the hint: %i', async (count, rounds) => {
    await write(300);
    await index(2);
    await writeHint();
    await write(count);
    expect(await open()).toMatchObject({ rounds, generation: 301 + count, manifestAfter: [1] });
  });

  test('a manifest in parts: one more, and the manifest known after two', async () => {
    await write(3);
    await index(3_000);
    await writeHint();
    await write(64);
    expect(await open()).toMatchObject({ rounds: 3, generation: 68, manifestAfter: [2] });
  });

  test('a lost hint: the head, its manifest and the body one after another', async () => {
    await write(300);
    await index(2);
    await write(3);
    expect(await open()).toMatchObject({ generation: 304 });
  });
});
