import { afterEach, describe, expect, test } from '@jest/globals';
import { silentLog } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import type { Arena } from '@lagoon/vector';
import type { ConsistencySpec, QuerySpec } from './query-spec.ts';
import type { SearchPool, SearchRequest } from './search-pool.ts';
import { createTestEngine, createTestNamespace } from './testing.ts';
import { createWorkerPool } from './worker-pool.ts';

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map([
    [
      'v',
      {
        type: { kind: 'vector', element: 'f32', dims: 64 },
        filterable: false,
        ann: { distanceMetric: 'euclidean_squared' },
      },
    ],
  ]),
};
const eventual: ConsistencySpec = { level: 'eventual', stalenessMsMax: 60_000, generationMin: 0 };
const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };
const nearest = (x: number): QuerySpec => ({
  rankBy: { kind: 'vector', attribute: 'v', query: new Float32Array(64).fill(x), exact: true },
  limit: 1,
  projection: { kind: 'none' },
});
const document = (x: number) => ({ id: BigInt(x), values: { v: Array.from({ length: 64 }, () => x) } });
const documents = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => document(from + i));

const pools: SearchPool[] = [];
const makePool = (options: { workerCount?: number; queueCountMax?: number; workerUrl?: URL }) => (arena: Arena) => {
  const pool = createWorkerPool({ arena, log: silentLog }, { workerCount: 2, textIndexBytesMax: 1 << 20, ...options });
  pools.push(pool);
  return pool;
};
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

/** A worker that never answers, or that dies of its first job. */
const scripted = (source: string) => new URL(`data:text/javascript,${encodeURIComponent(source)}`);
const silentWorker = scripted("import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => {});");
const dyingWorker = scripted(
  "import { parentPort } from 'node:worker_threads'; parentPort.on('message', (m) => { if (m.kind === 'job') process.exit(3); });",
);

function request(snapshotId: number): SearchRequest {
  const rank = { kind: 'order', keys: [{ attribute: 'id', scalar: undefined, descending: false }] } as const;
  return {
    ...{ snapshotId, rank, filter: undefined, indexed: [], known: [], limit: 1 },
    ...{ traced: false, blocks: [], affinity: undefined },
  };
}

function countedHold() {
  const hold = { disposeCount: 0, [Symbol.dispose]: () => void hold.disposeCount++ };
  return hold;
}

describe('search workers', () => {
  test('answer from shared memory, also from what was written after they started', async () => {
    const namespace = createTestNamespace(schema);
    const { engine, arena } = createTestEngine(namespace, { makePool: makePool({}) });
    const bytesOfRounds: number[] = [];
    for (let round = 0; round < 6; round++) {
      await namespace.write(documents(round * 2000, (round + 1) * 2000)); // half a MiB each: the memory grows on the way
      if (round % 3 === 2) await namespace.index();
      const answers = await Promise.all(
        [0, 1, round * 2000 + 1999].map((x) => engine.query('docs', nearest(x), strong)),
      );
      expect(answers.map(({ rows }) => rows[0]?.id)).toEqual([0n, 1n, BigInt(round * 2000 + 1999)]);
      bytesOfRounds.push(arena.usage.reservedBytes);
    }
    expect(new Set(bytesOfRounds).size).toBeGreaterThan(3);
    await engine.close();
  });

  test('a worker that cannot even be started fails its job and gives the blocks back', async () => {
    const { arena } = createTestEngine(createTestNamespace(schema));
    const pool = makePool({ workerUrl: new URL('http://nowhere.invalid/worker.js') })(arena);
    const holds = [countedHold(), countedHold()];
    for (const [i, hold] of holds.entries()) await expect(pool.run(request(i), hold)).rejects.toThrow();
    expect(holds.map(({ disposeCount }) => disposeCount)).toEqual([1, 1]);
  });

  test('a worker that dies fails its job as unavailable, gives the blocks back, and is replaced', async () => {
    const namespace = createTestNamespace(schema);
    await namespace.write(documents(0, 10));
    const { engine } = createTestEngine(namespace, { makePool: makePool({ workerCount: 1, workerUrl: dyingWorker }) });
    for (let i = 0; i < 2; i++) {
      await expect(engine.query('docs', nearest(1), eventual)).rejects.toMatchObject({ code: 'unavailable' });
    }
    await engine.close();
  });

  test('a caller that goes away leaves its place in the queue; a job that runs keeps its blocks until it is over', async () => {
    const { pool } = createTestEngine(createTestNamespace(schema), {
      makePool: makePool({ workerCount: 1, workerUrl: silentWorker, queueCountMax: 1 }),
    });
    const [running, queued] = [countedHold(), countedHold()];
    const [first, second] = [new AbortController(), new AbortController()];
    const run = pool.run(request(1), running, first.signal);
    const wait = pool.run(request(1), queued, second.signal);
    first.abort(new Error('left'));
    second.abort(new Error('left too'));
    await expect(run).rejects.toThrow('left');
    await expect(wait).rejects.toThrow('left too');
    expect([running.disposeCount, queued.disposeCount]).toEqual([0, 1]);
    await pool.close();
    await Promise.resolve();
    expect(running.disposeCount).toBe(1);
  });

  test('a job whose caller goes away learns so while it runs, and gives its blocks back', async () => {
    const workerUrl = scripted(`
      import { parentPort, workerData } from 'node:worker_threads';
      const error = { code: 'cancelled', message: 'left', reason: undefined, context: {} };
      parentPort.on('message', (message) => {
        if (message.kind !== 'job') return;
        while (Atomics.load(workerData.cancelled, 0) !== message.number);
        parentPort.postMessage({ kind: 'failed', error });
      });`);
    const { pool } = createTestEngine(createTestNamespace(schema), {
      makePool: makePool({ workerCount: 1, workerUrl }),
    });
    for (let i = 0; i < 3; i++) {
      const caller = new AbortController();
      const { promise: released, resolve } = Promise.withResolvers<void>();
      const run = pool.run(request(1), { [Symbol.dispose]: resolve }, caller.signal);
      caller.abort(new Error('left'));
      await expect(run).rejects.toThrow('left');
      await released;
    }
  });

  test('past the bound of the queue a request is refused, and lets its blocks go', async () => {
    const { pool } = createTestEngine(createTestNamespace(schema), {
      makePool: makePool({ workerCount: 1, workerUrl: silentWorker, queueCountMax: 1 }),
    });
    const refused = countedHold();
    const runs = Promise.allSettled([pool.run(request(1), countedHold()), pool.run(request(1), countedHold())]);
    await expect(pool.run(request(1), refused)).rejects.toMatchObject({
      code: 'resource_exhausted',
      reason: 'backpressure',
    });
    expect(refused.disposeCount).toBe(1);
    await pool.close();
    expect(await runs).toMatchObject([{ reason: { code: 'unavailable' } }, { reason: { code: 'unavailable' } }]);
  });
});
