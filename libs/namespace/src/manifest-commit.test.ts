import { readFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, sha256, silentLog } from '@lagoon/base';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { AbortedEntrySchema, EntrySchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { encodeEntry } from './entry.v1.ts';
import { decodeHint } from './hint.ts';
import { findIdempotent, recordsLeavingTail, writeIdempotencyPart } from './idempotency.ts';
import { floorKey, headKey, logKey } from './keys.ts';
import { createNamespaceLog } from './log.ts';
import { applyIndexEdit } from './manifest.ts';
import { createManifestCommitter, type ManifestCommitter, type PreparedManifest } from './manifest-commit.ts';
import type { NamespaceLog } from './namespace-log.ts';
import {
  batchDraft,
  birthDraft,
  createScriptedStore,
  createTestClock,
  partsOf,
  type ScriptedStore,
  type TestClock,
} from './testing.ts';
import type { IdempotencyPartReference, Manifest, NamespaceView } from './view.ts';

let clock: TestClock;
let memory: ObjectStore;
let store: ScriptedStore;
let log: NamespaceLog;
let other: NamespaceLog;
let committer: ManifestCommitter;

const deps = (seed: number) => ({ store, clock, random: createSeededRandom(seed), log: silentLog, metrics: noMetrics });
const handed = (prepared: PreparedManifest): PreparedManifest => ({ ...prepared }); // as it comes over the wire
const job = () => ({ job: 'job1', startedAtMs: log.storeTimeMs() });
const comparable = (view: NamespaceView) => ({ ...view, proof: undefined });

beforeEach(() => {
  clock = createTestClock();
  memory = createMemoryStore({ clock: { wallMs: clock.worldMs } });
  store = createScriptedStore(memory);
  log = createNamespaceLog(deps(1));
  other = createNamespaceLog(deps(2));
  committer = createManifestCommitter(deps(3));
});

async function grown(count: number): Promise<NamespaceView> {
  const { view } = await log.open('docs');
  let current = (await log.append(view, () => birthDraft('a', [1]))).view;
  for (let value = 2; value <= count; value++) {
    current = (await log.append(current, () => batchDraft([value]))).view;
  }
  return current;
}

/** An index job over the whole tail: each batch was one row. */
function indexed(view: NamespaceView, part?: IdempotencyPartReference): Manifest {
  const { live } = view;
  if (live === undefined) throw new Error('nothing lives');
  const rowCount = live.tail.length;
  const first = live.tail[0]?.generation ?? 0;
  const last = live.tail.at(-1)?.generation ?? 0;
  const object = {
    key: `data/${live.family}/${live.incarnation}/job1-${last}.seg`,
    size: 1,
    sha256: sha256(new Uint8Array(1)),
  };
  const counts = { rowCount, liveRowCount: rowCount, logicalBytes: 8 * rowCount, deleteVector: undefined };
  return applyIndexEdit(live.manifest, {
    indexedThrough: last,
    schema: live.schema,
    settings: live.settings,
    segmentsAdded: [{ object, ...counts, generationFirst: first, generationLast: last }],
    deleted: new Map(),
    rows: { added: rowCount, superseded: 0, deleted: 0 },
    ...(part === undefined ? {} : { idempotencyPart: part }),
    lastWriteAtMs: live.tail.at(-1)?.writtenAtMs ?? 0,
  });
}

async function commitIndexed(view: NamespaceView): Promise<NamespaceView> {
  const prepared = await committer.prepare(view, indexed(view), job());
  const result = await committer.append(log, view, prepared);
  expect(result.outcome).toBe('committed');
  return result.view;
}

describe('committing a manifest', () => {
  test('moves the tail into it, and the head is found through it with and without the hint', async () => {
    const view = await commitIndexed(await grown(5));
    expect(view).toMatchObject({ generation: 6, newestManifestGeneration: 6, live: { tail: [] } });
    const later = (await log.append(view, () => batchDraft([9]))).view;
    const cold = await other.open('docs');
    expect(comparable(cold.view)).toEqual(comparable(later));
    expect(partsOf(cold.events)).toEqual(['9']);
    await log.writeHint(view);
    store.takeRequests();
    const hinted = await createNamespaceLog(deps(8)).open('docs');
    expect(comparable(hinted.view)).toEqual(comparable(later));
    expect(store.takeRequests().toSorted()).toEqual(
      ['get ns/docs/head', 'list ns/docs/', `get ${logKey('docs', 7)}`, `get ${logKey('docs', 8)}`].toSorted(),
    );
  });

  test('batches that came while it was made stay in the tail', async () => {
    const before = await grown(3);
    const prepared = await committer.prepare(before, indexed(before), job());
    await other.append(before, () => batchDraft([7]));
    const result = await committer.append(log, before, handed(prepared));
    expect(result).toMatchObject({ outcome: 'committed', generation: 5 });
    expect(result.view.live?.tail.map((batch) => batch.generation)).toEqual([4]);
    const cold = await other.open('docs');
    expect(comparable(cold.view)).toEqual(comparable(result.view));
    expect(partsOf(cold.events)).toEqual(['7']);
    const followed = await other.advance(before, {});
    expect(followed.events.map((event) => event.kind)).toEqual(['batch', 'manifest']);
  });

  test('two appenders of one handed entry make one manifest', async () => {
    const view = await grown(3);
    const prepared = await committer.prepare(view, indexed(view), job());
    const [one, two] = await Promise.all([
      committer.append(log, view, prepared),
      createManifestCommitter(deps(4)).append(other, view, handed(prepared)),
    ]);
    expect([one.outcome, two.outcome]).toEqual(['committed', 'committed']);
    // Only one of them wrote the entry; the other chains to what lies there, not to the bytes that it would have written.
    const stored = await memory.get(logKey('docs', 4));
    expect(two.view.tip?.hash).toEqual(sha256(stored?.bytes ?? new Uint8Array(0)));
    expect(one.view.tip?.hash).toEqual(two.view.tip?.hash);
    expect(comparable(two.view)).toEqual(comparable(one.view)); // the chain goes on from the bytes that lie there
    const moved = (await log.append(one.view, () => batchDraft([9]))).view;
    const again = await commitIndexed(moved);
    expect(await committer.append(other, view, handed(prepared))).toMatchObject({ outcome: 'committed' });
    expect((await other.open('docs')).view.generation).toBe(again.generation);
  });

  test('an entry that edits an older manifest is superseded', async () => {
    const view = await grown(3);
    const slow = await committer.prepare(view, indexed(view), job());
    await commitIndexed(view);
    expect(await committer.append(other, view, handed(slow))).toMatchObject({ outcome: 'superseded' });
    await expect(committer.prepare((await other.open('docs')).view, indexed(view), job())).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('an index job in flight while the name is deleted and born again is refused', async () => {
    const view = await grown(3);
    const prepared = await committer.prepare(view, indexed(view), job());
    const ended = await log.append(view, () => ({ kind: 'truncate' }));
    await log.append(ended.view, () => birthDraft('b', [8]));
    expect(await committer.append(other, view, handed(prepared))).toMatchObject({ outcome: 'refused' });
    expect(partsOf((await other.open('docs')).events)).toEqual(['8']);
  });

  test('a job older than half a day is refused, also when only the store has seen the time pass', async () => {
    const view = await grown(3);
    const prepared = await committer.prepare(view, indexed(view), job());
    clock.suspend(13 * 3_600_000);
    await log.advance(view, {});
    expect(await committer.append(log, view, prepared)).toMatchObject({ outcome: 'refused' });
  });

  test('a job that an aborted number revoked is refused, and the next manifest copies the revocation', async () => {
    const view = await grown(3);
    const prepared = await committer.prepare(view, indexed(view), job());
    await burn(view, ['job1']);
    const refused = await committer.append(log, view, handed(prepared));
    expect(refused).toMatchObject({ outcome: 'refused', view: { generation: 4, live: { revokedJobs: ['job1'] } } });
    const next = await committer.prepare(refused.view, indexed(refused.view), { ...job(), job: 'job2' });
    const result = await committer.append(log, refused.view, next);
    expect(result.view.live).toMatchObject({ revokedJobs: [], manifest: { revocations: [{ job: 'job1' }] } });
  });

  test('below the floor, a hint is not used and old manifests need no body', async () => {
    const first = await commitIndexed(await grown(3));
    await log.writeHint(first);
    const second = await commitIndexed((await log.append(first, () => batchDraft([5]))).view);
    await memory.put(floorKey('docs', second.generation - 1), new Uint8Array(0));
    const bodies = await memory.list({ prefix: 'ns/docs/body/' });
    const used = second.live?.manifest;
    expect(bodies.objects).toHaveLength(2);
    await memory.delete([1, 2, 3, 4].map((generation) => logKey('docs', generation)));
    const found = await other.open('docs');
    expect(found.view.live?.manifest).toEqual(used);
    await memory.delete([headKey('docs')]);
    expect(comparable((await other.open('docs')).view)).toEqual(comparable(found.view));
  });

  test('a manifest that breaks an invariant is not written', async () => {
    const view = await grown(3);
    const manifest = indexed(view);
    const broken = { ...manifest, rows: { ...manifest.rows, live: 1 } };
    store.takeRequests();
    await expect(committer.prepare(view, broken, job())).rejects.toMatchObject({ code: 'corrupt' });
    expect(store.takeRequests()).toEqual([]);
  });
});

describe('the head hint', () => {
  test('whatever bit of it flips, the same head is found', async () => {
    const view = await commitIndexed(await grown(3));
    await log.writeHint(view);
    const later = comparable((await log.append(view, () => batchDraft([9]))).view);
    const hint = (await memory.get(headKey('docs')))?.bytes ?? new Uint8Array(0);
    expect(decodeHint('docs', hint).manifestEntry?.manifest).toEqual(view.live?.manifest);
    for (let bit = 0; bit < hint.length * 8; bit += 3) {
      const flipped = hint.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await memory.put(headKey('docs'), flipped);
      expect(comparable((await other.open('docs')).view)).toEqual(later);
    }
  });

  test('the golden hint still reads', () => {
    const stored = new Uint8Array(readFileSync(new URL('./golden/head.v1.bin', import.meta.url)));
    const hint = decodeHint('docs', stored);
    expect(hint).toMatchObject({ generation: 4, manifestGeneration: 4 });
    expect(hint.manifestEntry?.manifest).toMatchObject({ incarnation: 'a', indexedThrough: 3, rows: { live: 3 } });
    expect(() => decodeHint('another', stored)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });
});

describe('an open that is overtaken by garbage collection', () => {
  test.each(['body', 'log entry'])(
    'starts over where the %s of the manifest that it was about to read is gone',
    async (what) => {
      const first = await commitIndexed(await grown(3));
      const reference = (await memory.list({ prefix: 'ns/docs/body/' })).objects[0]?.key ?? '';
      const second = await commitIndexed((await log.append(first, () => batchDraft([7]))).view);
      const expected = comparable(second);
      await memory.delete([headKey('docs')]);
      // The log as it was listed: its head the first manifest. What comes behind is appended, and collected at, while the reader sleeps.
      const later = [logKey('docs', 5), logKey('docs', 6)];
      const bytes = await Promise.all(later.map(async (key) => (await memory.get(key))?.bytes ?? new Uint8Array(0)));
      await memory.delete(later);
      const overtake = async () => {
        for (const [index, key] of later.entries()) await memory.create(key, bytes[index] ?? new Uint8Array(0));
        await memory.put(floorKey('docs', 5), new Uint8Array(0));
        const gone = [1, 2, 3].map((generation) => logKey('docs', generation));
        await memory.delete([...gone, reference, ...(what === 'body' ? [] : [logKey('docs', 4)])]);
      };
      store.expectNext('get', what === 'body' ? reference : logKey('docs', 4), { before: overtake });
      expect(comparable((await other.open('docs')).view)).toEqual(expected);
    },
  );

  test('a body that is missing without a floor to explain it is corrupt', async () => {
    await commitIndexed(await grown(3));
    await memory.delete([headKey('docs'), (await memory.list({ prefix: 'ns/docs/body/' })).objects[0]?.key ?? '']);
    await expect(other.open('docs')).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('missing'),
    });
  });
});

describe('idempotency records', () => {
  test('are found in the tail, then in the part that the manifest names, and not in the next life', async () => {
    const view = await grown(1);
    const record = {
      key: 'k',
      bodyHash: new Uint8Array(32).fill(3),
      rowsUpserted: 1,
      rowsDeleted: 0,
      rowsPatched: 0,
      rowsRemaining: false,
    };
    const times = { logicalBytesWritten: 8, writtenAtMs: 100 };
    const keyed = await log.append(view, () => ({
      kind: 'batch',
      parts: [Uint8Array.from([5])],
      upsertedRowCount: 1,
      deletedRowCount: 0,
      idempotency: [{ ...record, ...times }],
    }));
    const expected = { ...record, ...times, generation: 2 };
    expect(findIdempotent(keyed.view, new Map(), 'k')).toEqual(expected);
    const { live } = keyed.view;
    if (live === undefined) throw new Error('nothing lives');
    const place = { name: 'docs', incarnation: 'a', job: 'job1' };
    const part = await writeIdempotencyPart(deps(5), place, recordsLeavingTail(live, 2));
    const prepared = await committer.prepare(keyed.view, indexed(keyed.view, part), job());
    const { view: after } = await committer.append(log, keyed.view, prepared);
    expect(after.live?.tail).toEqual([]);
    const table = await other.readIdempotencyParts(after);
    expect(findIdempotent(after, table, 'k')).toEqual(expected);
    const ended = await log.append(after, () => ({ kind: 'truncate' }));
    const again = await log.append(ended.view, () => birthDraft('b', [8]));
    expect(findIdempotent(again.view, await other.readIdempotencyParts(again.view), 'k')).toBeUndefined();
  });
});

/** Garbage collection's part: the next number, burnt, with revocations. */
async function burn(view: NamespaceView, revokedJobs: string[]): Promise<void> {
  const header = create(EntrySchema, {
    commitId: 'gc1',
    writerId: 'gc',
    incarnation: view.live?.incarnation ?? '',
    previousHash: view.tip?.hash ?? new Uint8Array(0),
    previousCommitId: view.tip?.commitId ?? '',
    newestManifestGeneration: BigInt(view.newestManifestGeneration),
    kind: { case: 'aborted', value: create(AbortedEntrySchema, { revokedJobs }) },
  });
  await memory.create(logKey(view.name, view.generation + 1), encodeEntry(header, []));
}
