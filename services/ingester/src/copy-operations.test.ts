import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, LagoonError, noMetrics, silentLog } from '@lagoon/base';
import { createNamespaceLog } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { GetOperationRequestSchema, StartCopyRequestSchema } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import { createTestClock, createTestIngester, liveIds, type TestIngester } from './testing.ts';

const signal = new AbortController().signal;

const start = ({ role }: TestIngester, namespace: string, source: string, idempotencyKey = '') =>
  role.service.startCopy(create(StartCopyRequestSchema, { namespace, source, idempotencyKey }), { signal });

const ask = ({ role }: TestIngester, namespace: string, token = '') =>
  role.service.getOperation(create(GetOperationRequestSchema, { namespace, token }), { signal });

async function idsOf({ store, clock }: TestIngester, name: string): Promise<number[]> {
  const log = createNamespaceLog({ store, clock, random: createSeededRandom(9), log: silentLog, metrics: noMetrics });
  return liveIds((await log.open(name)).events);
}

async function withParent(options: Parameters<typeof createTestIngester>[0] = {}): Promise<TestIngester> {
  const ingester = createTestIngester(options);
  await ingester.write({
    namespace: 'parent',
    rows: [
      [1, 'one'],
      [2, 'two'],
    ],
  });
  return ingester;
}

describe('a copy with a token', () => {
  test('is made, and its outcome is found by any process', async () => {
    const clock = createTestClock();
    const store = createMemoryStore({ clock });
    const ingester = await withParent({ clock, store });
    const { token } = await start(ingester, 'child', 'parent');
    const other = createTestIngester({ clock, store, seed: 5 });
    const operation = await ask(other, 'child', token);
    expect(operation).toMatchObject({
      startedAtMs: BigInt(clock.wallMs()),
      finishedAtMs: BigInt(clock.wallMs()),
      outcome: { case: 'copied', value: { manifestGeneration: 1n, sourceGeneration: 1n } },
    });
    expect(await idsOf(ingester, 'child')).toEqual([1, 2]);
  });

  test('that cannot be made says why, in its operation', async () => {
    const ingester = await withParent();
    const { token } = await start(ingester, 'child', 'nowhere');
    expect(await ask(ingester, 'child', token)).toMatchObject({
      outcome: { case: 'failed', value: { code: 'not_found' } },
    });
    const second = await start(ingester, 'parent', 'parent');
    expect(await ask(ingester, 'parent', second.token)).toMatchObject({
      outcome: { case: 'failed', value: { code: 'conflict' } },
    });
  });

  test('with a key has one token and one application, and another source under it is refused', async () => {
    const ingester = await withParent();
    const first = await start(ingester, 'child', 'parent', 'key');
    expect(await start(ingester, 'child', 'parent', 'key')).toEqual(first);
    await expect(start(ingester, 'child', 'nowhere', 'key')).rejects.toMatchObject({ reason: 'idempotency_mismatch' });
    expect(await ask(ingester, 'child', first.token)).toMatchObject({ outcome: { case: 'copied' } });
  });

  test('a token that nobody gave is not found', async () => {
    const ingester = await withParent();
    for (const token of ['x', '', '../head', 'a'.repeat(65)]) {
      await expect(ask(ingester, 'child', token)).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  test('cut off at any store call is finished by whoever asks, and applied once', async () => {
    for (let point = 0; ; point++) {
      const clock = createTestClock();
      const memory = createMemoryStore({ clock });
      await withParent({ clock, store: memory });
      let callCount = -1;
      const dying = <R>(call: () => Promise<R>): Promise<R> =>
        callCount < 0 || callCount++ < point ? call() : Promise.reject(new LagoonError('unavailable', 'cut off'));
      const store: ObjectStore = {
        ...memory,
        get: (key, options, inner) => dying(() => memory.get(key, options, inner)),
        put: (key, bytes, inner) => dying(() => memory.put(key, bytes, inner)),
        create: (key, bytes, inner) => dying(() => memory.create(key, bytes, inner)),
        list: (options, inner) => dying(() => memory.list(options, inner)),
        delete: (keys, inner) => dying(() => memory.delete(keys, inner)),
      };
      const victim = createTestIngester({ clock, store, seed: 7 });
      callCount = 0;
      const started = await start(victim, 'child', 'parent', 'key').catch(() => undefined);
      const isCutOff = callCount > point;
      const heir = createTestIngester({ clock, store: memory, seed: 8 });
      const { token } = started ?? (await start(heir, 'child', 'parent', 'key'));
      expect(await ask(heir, 'child', token)).toMatchObject({
        outcome: { case: 'copied', value: { manifestGeneration: 1n } },
      });
      expect(await idsOf(heir, 'child')).toEqual([1, 2]);
      if (!isCutOff) {
        expect(point).toBeGreaterThan(8);
        return;
      }
    }
  });

  test('that nobody asks for until its key is forgotten may or may not have been made', async () => {
    const clock = createTestClock();
    const memory = createMemoryStore({ clock });
    await withParent({ clock, store: memory });
    const store: ObjectStore = {
      ...memory,
      create: () => Promise.resolve({ outcome: 'unknown', cause: new Error('no answer'), storeTimeMs: undefined }),
    };
    const { token } = await start(createTestIngester({ clock, store, seed: 3 }), 'child', 'parent');
    clock.advance(3 * 3_600_000);
    expect(await ask(createTestIngester({ clock, store: memory, seed: 4 }), 'child', token)).toMatchObject({
      outcome: { case: 'failed', value: { code: 'unavailable', reason: 'outcome_unknown' } },
    });
  });
});
