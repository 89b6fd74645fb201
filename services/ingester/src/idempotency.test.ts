import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import {
  applyIndexEdit,
  createManifestCommitter,
  createNamespaceLog,
  recordsLeavingTail,
  writeIdempotencyPart,
} from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { createTestClock, createTestIngester, type TestClock, type TestIngester } from './testing.ts';

function pair(): { first: TestIngester; second: TestIngester; store: ObjectStore; clock: TestClock } {
  const clock = createTestClock();
  const store = createMemoryStore({ clock });
  const first = createTestIngester({ store, clock, seed: 1 });
  const second = createTestIngester({ store, clock, seed: 2 });
  return { first, second, store, clock };
}

describe('idempotency keys', () => {
  test('a retry after the answer gets the first outcome and commits nothing', async () => {
    const ingester = createTestIngester();
    const write = { key: 'k', rows: [[1, 'one']] as const };
    const first = await ingester.write(write);
    const other = await ingester.write({ rows: [[2, 'two']] });
    expect(await ingester.write(write)).toEqual(first);
    expect(other.generation).toBe(2);
    expect(ingester.store.entryCreateCount).toBe(2);
  });

  test('a retry joins the write that is still in flight', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[0, 'zero']] });
    ingester.store.hold('after');
    const write = { key: 'k', rows: [[1, 'one']] as const };
    const first = ingester.write(write);
    const retry = ingester.write(write);
    ingester.store.release();
    expect(await retry).toEqual(await first);
    expect(ingester.store.entryCreateCount).toBe(2);
  });

  test('the same key twice in one group is applied once', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[0, 'zero']] });
    ingester.store.hold('before');
    const blocking = ingester.write({ rows: [[9, 'nine']] });
    const write = { key: 'k', rows: [[1, 'one']] as const };
    const both = [ingester.write(write), ingester.write(write)];
    ingester.store.release();
    await blocking;
    const [a, b] = await Promise.all(both);
    expect(a).toEqual(b);
    expect(ingester.store.entryCreateCount).toBe(3);
    const { view } = await logOn(ingester.store, ingester.clock).log.open('words');
    expect(view.live?.tail.at(-1)).toMatchObject({ generation: 3, upsertedRowCount: 1 });
  });

  test('a retry at another ingester, while the first PUT hangs, is applied once', async () => {
    const { first, second } = pair();
    await first.write({ rows: [[0, 'zero']] });
    const write = { key: 'k', rows: [[1, 'one']] as const };
    first.store.hold('before');
    const slow = first.write(write);
    const fast = await second.write(write);
    first.store.release();
    expect(await slow).toEqual(fast);
    expect(fast.generation).toBe(2);
    const after = await second.write({ rows: [[5, 'five']] });
    expect(after.generation).toBe(3);
  });

  test('another body under the same key is refused, and a failed write does not take its key', async () => {
    const ingester = createTestIngester();
    await ingester.write({ key: 'k', rows: [[1, 'one']] });
    await expect(ingester.write({ key: 'k', rows: [[1, 'eins']] })).rejects.toMatchObject({
      code: 'conflict',
      reason: 'idempotency_mismatch',
    });
    await expect(ingester.write({ key: 'bad', rows: [[2, 2]] })).rejects.toMatchObject({ code: 'invalid_argument' });
    expect((await ingester.write({ key: 'bad', rows: [[2, 'two']] })).generation).toBe(2);
  });

  test('a keyed write that changes nothing commits its key', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[1, 'one']] });
    const first = await ingester.write({ key: 'k' });
    expect(first).toEqual({ generation: 2, rowsUpserted: 0, rowsDeleted: 0 });
    await ingester.write({ rows: [[2, 'two']] });
    expect(await ingester.write({ key: 'k' })).toEqual(first);
    await expect(ingester.write({ key: 'k', rows: [[3, 'x']] })).rejects.toMatchObject({
      reason: 'idempotency_mismatch',
    });
  });

  test('a new incarnation starts with an empty table', async () => {
    const ingester = createTestIngester();
    const write = { key: 'k', rows: [[1, 'one']] as const };
    await ingester.write(write);
    await ingester.role.service.deleteNamespace({ namespace: 'words' } as never, {
      signal: new AbortController().signal,
    });
    expect((await ingester.write(write)).generation).toBe(3);
  });

  test('records that left the tail are found by an ingester that never saw them', async () => {
    const { first, store, clock } = pair();
    const write = { key: 'k', rows: [[1, 'one']] as const };
    const answer = await first.write(write);
    await moveRecords(store, clock, 1);
    const third = createTestIngester({ store, clock, seed: 3 });
    expect(await third.write(write)).toEqual(answer);
    // and by one whose view is older than the manifest that moved them
    expect(await first.write(write)).toEqual(answer);
    expect(third.store.entryCreateCount).toBe(0);
  });

  test('wall clocks that are two days apart expire nothing', async () => {
    const clock = createTestClock();
    const store = createMemoryStore({ clock });
    const skewed = (byMs: number): TestClock => ({ ...clock, wallMs: () => clock.wallMs() + byMs });
    const dayMs = 86_400_000;
    const behind = createTestIngester({ store, clock: skewed(-dayMs), seed: 1 });
    const ahead = createTestIngester({ store, clock: skewed(dayMs), seed: 2 });
    const write = { key: 'k', rows: [[1, 'one']] as const };
    const answer = await behind.write(write);
    await ahead.write({ rows: [[2, 'two']] });
    expect(await ahead.write(write)).toEqual(answer);
    await moveRecords(store, clock, 2);
    expect(await ahead.write(write)).toEqual(answer);
    expect(await behind.write(write)).toEqual(answer);
  });

  test('a record is kept for its time after this process saw it, then forgotten', async () => {
    const ingester = createTestIngester({ config: { idempotencyKeepMs: 3_600_000, writerIdleMs: 36_000_000 } });
    const write = { key: 'k', rows: [[1, 'one']] as const };
    const answer = await ingester.write(write);
    ingester.clock.advance(3_600_000);
    await ingester.write({ rows: [[2, 'two']] });
    expect(await ingester.write(write)).toEqual(answer);
    ingester.clock.advance(1);
    expect((await ingester.write(write)).generation).toBe(3);
  });

  test('a view that jumps over the manifest that moved a record reads it before it decides', async () => {
    const clock = createTestClock();
    const store = createMemoryStore({ clock });
    const first = createTestIngester({ store, clock, seed: 1 });
    const second = createTestIngester({ store, clock, seed: 2, config: { unindexedEntryCountMax: 1 } });
    await first.write({ rows: [[0, 'zero']] });
    await second.write({ createNamespace: true });
    const write = { key: 'k', rows: [[1, 'one']] as const };
    const answer = await first.write(write);
    await moveRecords(store, clock, 2);
    expect(await second.write(write)).toEqual(answer);
    expect(second.store.entryCreateCount).toBe(0);
  });
});

function logOn(store: ObjectStore, clock: TestClock) {
  const base = { store, clock, random: createSeededRandom(5), log: silentLog, metrics: noMetrics };
  return { base, log: createNamespaceLog(base), committer: createManifestCommitter(base) };
}

/** What an index job does to the keys: they leave the tail for a part that the manifest names. */
async function moveRecords(store: ObjectStore, clock: TestClock, indexedThrough: number): Promise<void> {
  const { base, log, committer } = logOn(store, clock);
  const { view } = await log.open('words');
  const { live } = view;
  if (live === undefined) throw new Error('not born');
  const place = { name: 'words', incarnation: live.incarnation, job: 'job' };
  const part = await writeIdempotencyPart(base, place, recordsLeavingTail(live, indexedThrough));
  const manifest = applyIndexEdit(live.manifest, {
    indexedThrough,
    schema: live.schema,
    settings: live.settings,
    segmentsAdded: [],
    deleted: new Map(),
    rows: { added: 0, superseded: 0, deleted: 0 },
    ...(part === undefined ? {} : { idempotencyPart: part }),
    lastWriteAtMs: live.lastWriteAtMs,
  });
  const prepared = await committer.prepare(view, manifest, { job: 'job', startedAtMs: log.storeTimeMs() });
  const result = await committer.append(log, view, prepared);
  if (result.outcome !== 'committed') throw new Error(result.outcome);
}
