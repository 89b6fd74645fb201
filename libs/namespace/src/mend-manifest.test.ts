import { beforeEach, describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, sha256, silentLog } from '@lagoon/base';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { headKey, logKey } from './keys.ts';
import { createLineage } from './lineage.ts';
import { createNamespaceLog } from './log.ts';
import { applyIndexEdit } from './manifest.ts';
import { createManifestCommitter } from './manifest-commit.ts';
import { mendManifest } from './mend-manifest.ts';
import { batchDraft, birthDraft, createTestClock, partsOf, type TestClock } from './testing.ts';

let clock: TestClock;
let store: ObjectStore;
let seed: number;

beforeEach(() => {
  clock = createTestClock();
  store = createMemoryStore({ clock: { wallMs: clock.worldMs } });
  seed = 1;
});

const deps = () => ({ store, clock, random: createSeededRandom(seed++), log: silentLog, metrics: noMetrics });

async function write(value: number, name = 'docs'): Promise<void> {
  const log = createNamespaceLog(deps());
  const { view } = await log.open(name);
  await log.append(view, (at) => (at.live === undefined ? birthDraft('a', [value]) : batchDraft([value])));
}

/** One index job over the whole tail: a segment whose bytes are what the tail held. */
async function index(name = 'docs'): Promise<void> {
  const log = createNamespaceLog(deps());
  const { view, events } = await log.open(name);
  const { live } = view;
  if (live === undefined) throw new Error('nothing lives');
  const bytes = Uint8Array.from(partsOf(events).flatMap((part) => part.split(',').map(Number)));
  const key = `data/${live.family}/${live.incarnation}/job${view.generation}-0.seg`;
  await store.create(key, bytes);
  const object = { key, size: bytes.length, sha256: sha256(bytes) };
  const counts = { rowCount: bytes.length, liveRowCount: bytes.length, logicalBytes: 8, deleteVector: undefined };
  const edited = applyIndexEdit(live.manifest, {
    indexedThrough: view.generation,
    schema: live.schema,
    settings: live.settings,
    segmentsAdded: [{ object, ...counts, generationFirst: live.birthGeneration, generationLast: view.generation }],
    deleted: new Map(),
    rows: { added: bytes.length, superseded: 0, deleted: 0 },
    lastWriteAtMs: 1,
  });
  const committer = createManifestCommitter(deps());
  const prepared = await committer.prepare(view, edited, {
    job: `job${view.generation}`,
    startedAtMs: log.storeTimeMs(),
  });
  const { view: after } = await committer.append(log, view, prepared);
  await log.writeHint(after);
}

/** Everything that a reader that knows nothing finds, in order. */
async function content(name = 'docs'): Promise<number[]> {
  const { view, events } = await createNamespaceLog(deps()).open(name);
  const segments = view.live?.manifest.segments ?? [];
  const indexed = await Promise.all(
    segments.map(async ({ object }) => [...((await store.get(object.key))?.bytes ?? [])]),
  );
  return [...indexed.flat(), ...partsOf(events).flatMap((part) => part.split(',').map(Number))];
}

/** Bodies of manifests, oldest first. */
async function bodies(name = 'docs'): Promise<string[]> {
  const { objects } = await store.list({ prefix: `ns/${name}/body/` });
  return objects
    .map(({ key }) => key)
    .sort((a, b) => Number(/job(\d+)/.exec(a)?.[1]) - Number(/job(\d+)/.exec(b)?.[1]));
}

async function keys(): Promise<string[]> {
  return (await store.list({ prefix: '' })).objects.map(({ key }) => key);
}

describe('a lost manifest', () => {
  test.each(['missing', 'damaged'])('that is %s is written again from the hint, by its hash', async (damage) => {
    await write(1);
    await index();
    await write(2);
    const [body = ''] = await bodies();
    const bytes = (await store.get(body))?.bytes ?? new Uint8Array(0);
    if (damage === 'missing') await store.delete([body]);
    else await store.put(body, bytes.with(3, (bytes[3] ?? 0) ^ 1));
    expect(await mendManifest(deps(), 'docs')).toEqual({ how: 'from_hint', key: body });
    expect((await store.get(body))?.bytes).toEqual(bytes);
    expect(await content()).toEqual([1, 2]);
    expect(await mendManifest(deps(), 'docs')).toEqual({ how: 'nothing_lost' });
  });

  test.each([
    ['the manifest before', false, 3],
    ['the birth', true, 0],
  ])('is made again from %s and the log behind it; work goes on', async (_, isOlderLost, base) => {
    for (const value of [1, 2]) await write(value);
    await index();
    await write(3);
    await index();
    await write(4);
    const all = await bodies();
    await store.delete([headKey('docs'), ...(isOlderLost ? all : all.slice(1))]);
    await expect(content()).rejects.toMatchObject({ code: 'corrupt' });
    expect(await mendManifest(deps(), 'docs')).toEqual({ how: 'from_log', generation: 7, base });
    expect(await content()).toEqual([1, 2, 3, 4]);
    await write(5);
    await index();
    await write(6);
    expect(await content()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await mendManifest(deps(), 'docs')).toEqual({ how: 'nothing_lost' });
  });

  test('of a branch is made again from what it began as', async () => {
    await write(1);
    await index();
    await write(2);
    await createLineage(deps()).branch({ name: 'child', view: undefined, idempotency: [] }, 'docs', undefined);
    await write(3, 'child');
    const before = await content('child');
    await index('child');
    await store.delete([headKey('child'), ...(await bodies('child'))]);
    expect(await mendManifest(deps(), 'child')).toMatchObject({ how: 'from_log', base: 0 });
    expect(await content('child')).toEqual(before);
  });

  test.each(['an entry', 'a segment'])(
    'is refused where %s that is needed is gone, and nothing is changed',
    async (what) => {
      for (const value of [1, 2]) await write(value);
      await index();
      await write(3);
      await index();
      const [, newest = ''] = await bodies();
      const gone =
        what === 'an entry' ? [logKey('docs', 1), logKey('docs', 4)] : [logKey('docs', 1), 'data/familya/a/job2-0.seg'];
      await store.delete([headKey('docs'), newest, ...gone]);
      const before = await keys();
      await expect(mendManifest(deps(), 'docs')).rejects.toMatchObject({
        code: 'corrupt',
        message: expect.stringContaining('cannot be made again'),
      });
      expect(await keys()).toEqual(before);
    },
  );
});
