import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, LagoonError, noMetrics, silentLog } from '@lagoon/base';
import { applyIndexEdit, createManifestCommitter, createNamespaceLog } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { AppendManifestResponse_Outcome } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { createTestClock, createTestIngester, liveIds, type TestIngester } from './testing.ts';

const call = { signal: new AbortController().signal };

let seed = 77;

function logOf({ store, clock }: TestIngester) {
  const base = { store, clock, random: createSeededRandom(seed++), log: silentLog, metrics: noMetrics };
  return { log: createNamespaceLog(base), committer: createManifestCommitter(base) };
}

async function idsOf(ingester: TestIngester): Promise<number[]> {
  return liveIds((await logOf(ingester).log.open('words')).events);
}

/** A manifest that says nothing new but that everything is indexed as nothing: enough to be appended. */
async function prepareManifest(ingester: TestIngester, job: string) {
  const { log, committer } = logOf(ingester);
  const { view } = await log.open('words');
  const { live } = view;
  if (live === undefined) throw new Error('not born');
  const manifest = applyIndexEdit(live.manifest, {
    indexedThrough: view.generation,
    schema: live.schema,
    settings: live.settings,
    segmentsAdded: [],
    deleted: new Map(),
    rows: { added: 0, superseded: 0, deleted: 0 },
    lastWriteAtMs: live.lastWriteAtMs,
  });
  const { message, commitId } = await committer.prepare(view, manifest, { job, startedAtMs: log.storeTimeMs() });
  return { namespace: 'words', manifestEntry: message, commitId } as never;
}

describe('two ingesters on one namespace', () => {
  test('both commit, in one order, and every reader sees the same', async () => {
    const clock = createTestClock();
    const store = createMemoryStore({ clock });
    const a = createTestIngester({ store, clock, seed: 1 });
    const b = createTestIngester({ store, clock, seed: 2 });
    const writes = [];
    for (let id = 0; id < 20; id++) {
      writes.push(a.write({ rows: [[id, 'a']] }), b.write({ rows: [[100 + id, 'b']] }));
      if (id % 3 === 0) await Promise.resolve();
    }
    const answers = await Promise.all(writes);
    expect(answers.every(({ generation }) => generation > 0)).toBe(true);
    const expected = [...Array(20).keys(), ...Array.from({ length: 20 }, (_, id) => 100 + id)];
    expect(await idsOf(a)).toEqual(expected);
    expect(await idsOf(b)).toEqual(expected);
  });

  test('a write that loses to the end of the namespace is resolved again: it makes a new one, or says not_found', async () => {
    const clock = createTestClock();
    const store = createMemoryStore({ clock });
    const a = createTestIngester({ store, clock, seed: 1 });
    const b = createTestIngester({ store, clock, seed: 2 });
    await a.write({ rows: [[1, 'one']] });
    await b.write({ rows: [[2, 'two']] });
    await b.role.service.deleteNamespace({ namespace: 'words' } as never, call);
    await expect(a.write({ rows: [[3, 'x']], createNamespace: false })).rejects.toMatchObject({ code: 'not_found' });
    expect((await a.write({ rows: [[4, 'four']] })).generation).toBe(4);
    expect(await idsOf(a)).toEqual([4]);
    const { objects } = await store.list({ prefix: 'catalog/' });
    expect(objects.length).toBe(1);
  });
});

describe('outcomes', () => {
  test('a lost answer of a PUT that was applied is success', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[1, 'one']] });
    ingester.store.forget(true, 1);
    expect((await ingester.write({ rows: [[2, 'two']] })).generation).toBe(2);
    expect(await idsOf(ingester)).toEqual([1, 2]);
  });

  test('where the outcome stays unknown all of the group hear so, and the next write starts on a fresh view', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[1, 'one']] });
    ingester.store.forget(false, 100);
    await expect(ingester.write({ rows: [[2, 'two']] })).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'outcome_unknown',
    });
    ingester.store.forget(false, 0);
    expect((await ingester.write({ rows: [[3, 'three']] })).generation).toBe(2);
    expect(await idsOf(ingester)).toEqual([1, 3]);
  });

  test('a write that is cancelled while it waits leaves the queue', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[1, 'one']] });
    ingester.store.hold('before');
    const blocking = ingester.write({ rows: [[2, 'two']] });
    const controller = new AbortController();
    const waiting = ingester.write({ rows: [[3, 'three']] }, controller.signal);
    controller.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    ingester.store.release();
    await blocking;
    expect(await idsOf(ingester)).toEqual([1, 2]);
  });
});

describe('absent namespaces', () => {
  test('create_namespace false and schema updates are not_found, deletes alone change nothing', async () => {
    const ingester = createTestIngester();
    await expect(ingester.write({ rows: [[1, 'x']], createNamespace: false })).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(await ingester.write({ deletes: [1, 2] })).toEqual({ generation: 0, rowsUpserted: 0, rowsDeleted: 0 });
    await expect(ingester.role.service.updateSchema({ namespace: 'words' } as never, call)).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(ingester.role.service.deleteNamespace({ namespace: 'words' } as never, call)).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(ingester.store.entryCreateCount).toBe(0);
  });

  test('create_namespace true makes one without documents', async () => {
    const ingester = createTestIngester();
    expect((await ingester.write({ createNamespace: true })).generation).toBe(1);
    expect((await ingester.write({ createNamespace: true })).generation).toBe(1);
  });
});

describe('backpressure', () => {
  test('past the bound of unindexed entries writes are refused until a manifest is there, unless they ask not to be', async () => {
    const ingester = createTestIngester({ config: { unindexedEntryCountMax: 2 } });
    await ingester.write({ rows: [[1, 'x']] });
    await ingester.write({ rows: [[2, 'x']] });
    await expect(ingester.write({ rows: [[3, 'x']] })).rejects.toMatchObject({
      code: 'resource_exhausted',
      reason: 'backpressure',
      retryAfterMs: 1000,
    });
    expect((await ingester.write({ rows: [[4, 'x']], disableBackpressure: true })).generation).toBe(3);
    const manifest = await prepareManifest(ingester, 'job');
    const { log, committer } = logOf(ingester);
    // appended by somebody else: the refused write finds out by its probe
    const { view } = await log.open('words');
    const { manifestEntry, commitId } = manifest as { manifestEntry: Uint8Array; commitId: string };
    await committer.append(log, view, { message: manifestEntry, commitId });
    expect((await ingester.write({ rows: [[5, 'x']] })).generation).toBe(5);
  });

  test('past the bound of queued bytes writes are refused at once', async () => {
    const ingester = createTestIngester({ config: { queueWriteCountMax: 3 } });
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, id) => ingester.write({ rows: [[id, 'x']] })),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBe(4);
    expect(refused[0]).toMatchObject({ reason: { code: 'resource_exhausted', reason: 'backpressure' } });
  });
});

describe('manifests', () => {
  test('a handed manifest comes between two groups of saturated writes, after at most one more', async () => {
    const ingester = createTestIngester({ config: { groupWriteCountMax: 1 } });
    await ingester.write({ rows: [[0, 'x']] });
    const request = await prepareManifest(ingester, 'job');
    ingester.store.hold('before');
    const writes = Array.from({ length: 20 }, (_, id) => ingester.write({ rows: [[id + 1, 'x']] }));
    const handed = ingester.role.service.appendManifest(request, call);
    ingester.store.release();
    const answer = await handed;
    expect(answer.outcome).toBe(AppendManifestResponse_Outcome.COMMITTED);
    expect(Number(answer.manifestGeneration)).toBe(3);
    await Promise.all(writes);
    const { view } = await logOf(ingester).log.open('words');
    expect(view.live?.manifest.generation).toBe(3);
  });

  test('the same entry twice is one manifest; one that another overtook is superseded; of an ended incarnation refused', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[0, 'x']] });
    const one = await prepareManifest(ingester, 'one');
    const two = await prepareManifest(ingester, 'two');
    const answers = await Promise.all([
      ingester.role.service.appendManifest(one, call),
      ingester.role.service.appendManifest(one, call),
      ingester.role.service.appendManifest(two, call),
    ]);
    expect(answers.map(({ outcome }) => outcome)).toEqual([
      AppendManifestResponse_Outcome.COMMITTED,
      AppendManifestResponse_Outcome.COMMITTED,
      AppendManifestResponse_Outcome.SUPERSEDED,
    ]);
    await ingester.role.service.deleteNamespace({ namespace: 'words' } as never, call);
    expect((await ingester.role.service.appendManifest(two, call)).outcome).toBe(
      AppendManifestResponse_Outcome.REFUSED,
    );
  });
});

describe('dirty markers', () => {
  test('one that the store did not take is written again', async () => {
    const clock = createTestClock();
    const inner = createMemoryStore({ clock });
    let failureCount = 2;
    const store: ObjectStore = {
      ...inner,
      put: async (key, bytes, signal) => {
        if (key.startsWith('dirty/') && failureCount-- > 0) throw new LagoonError('unavailable', 'store is down');
        return await inner.put(key, bytes, signal);
      },
    };
    const ingester = createTestIngester({ store, clock });
    await ingester.write({ rows: [[0, 'x']] });
    for (const count of [0, 0, 1]) {
      clock.advance(10_000);
      await new Promise((resolve) => setImmediate(resolve));
      expect((await inner.list({ prefix: 'dirty/' })).objects).toHaveLength(count);
    }
  });

  test('are written when a tail waits, and not where it was indexed in time', async () => {
    const ingester = createTestIngester();
    const markers = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return (await ingester.store.list({ prefix: 'dirty/' })).objects.map(({ key }) => key.slice(-2));
    };
    await ingester.write({ rows: [[0, 'x']] });
    await ingester.role.service.appendManifest(await prepareManifest(ingester, 'one'), call);
    ingester.clock.advance(10_000);
    expect(await markers()).toEqual([]);
    await ingester.write({ rows: [[1, 'x']] });
    await ingester.write({ rows: [[2, 'x']] });
    expect(await markers()).toEqual([]);
    ingester.clock.advance(10_000);
    expect(await markers()).toEqual(['03']);
    await ingester.write({ rows: [[3, 'x']] });
    await ingester.role.close();
    expect(await markers()).toEqual(['03']);
  });
});
