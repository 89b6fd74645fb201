import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createSystemClock, LagoonError, silentLog } from '@lagoon/base';
import { createBitmap, encodeBlock, type Schema, setBit } from '@lagoon/format';
import type { BuildPool, MergeTask } from './build-pool.ts';
import { createInlineBuildPool } from './build-pool.ts';
import { createWorkerBuildPool, type WorkerBuildPoolOptions } from './worker-build-pool.ts';

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map([['title', { type: { kind: 'scalar', scalar: 'string' }, filterable: true }]]),
};
const identity = { incarnation: 'inc', generationFirst: 1, generationLast: 2 };
const dyingWorker = new URL(
  'data:text/javascript,import{parentPort}from"node:worker_threads";parentPort.on("message",()=>process.exit(3))',
);

function blockOf(ids: readonly number[]): Uint8Array {
  return encodeBlock({
    idKind: 'u64',
    ids: ids.map(BigInt),
    deletes: [],
    columns: [
      {
        name: 'title',
        type: { kind: 'scalar', scalar: 'string' },
        values: ids.map((id) => `row ${id} ${'x'.repeat(50)}`),
      },
    ],
  });
}

describe('build pool of worker threads', () => {
  let directory: string;
  const pools: BuildPool[] = [];
  const open = (options: Partial<WorkerBuildPoolOptions> = {}): BuildPool => {
    const defaults = { workerCount: 2, scratchDirectory: directory, scratchBytesMax: 64 << 20 };
    const pool = createWorkerBuildPool(silentLog, { ...defaults, ...options });
    pools.push(pool);
    return pool;
  };
  const inline = createInlineBuildPool(createSystemClock(), { computeSliceMs: 8, scratchBytesMax: 64 << 20 });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lagoon-build-'));
  });
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
    expect(readdirSync(directory)).toEqual([]);
    rmSync(directory, { recursive: true });
  });

  async function mergeTask(rowCount: number): Promise<MergeTask> {
    const segments = [];
    for (const part of [0, 1, 2]) {
      const ids = Array.from({ length: rowCount }, (_, row) => 3 * row + part);
      const { bytes, footer } = await inline.buildSegment({
        block: blockOf(ids),
        schema,
        identity,
        clusterRowCountMin: 4_096,
      });
      const dead = createBitmap(rowCount);
      setBit(dead, part);
      const read = async (start: number, end: number) => bytes.subarray(start, end);
      segments.push({ key: `segment ${part}`, size: bytes.length, footer, dead, read });
    }
    return { segments, schema, identity, clusterRowCountMin: 4_096, windowBytesMax: 20_000 };
  }
  async function bytesOf(pool: BuildPool, task: MergeTask) {
    await using merged = await pool.mergeSegments(task);
    if (merged === undefined) throw new Error('rows are live');
    const { sha256, footer, rowCount, logicalBytes, rows } = merged;
    const bytes = await merged.read(0, merged.byteLength);
    return {
      sha256: [...sha256],
      footer,
      rowCount,
      logicalBytes,
      rows: rows.map((own) => [...own]),
      bytes: [...bytes],
    };
  }

  test('gives what is built on the own thread, byte for byte', async () => {
    const pool = open();
    const live = createBitmap(3);
    setBit(live, 1);
    const shared = new Uint8Array(4_096);
    const block = blockOf([1, 2, 3]);
    shared.set(block, 64);
    const sources = [
      { bytes: shared.subarray(64, 64 + block.length), live },
      { bytes: blockOf([7, 8]), live: undefined },
    ];
    const built = await pool.buildBlock({ sources, schema });
    expect(built).toEqual(await inline.buildBlock({ sources, schema }));
    const task = { block: built, schema, identity, clusterRowCountMin: 4_096 };
    expect(await pool.buildSegment(task)).toEqual(await inline.buildSegment(task));
    const merge = await mergeTask(2_000);
    expect(await bytesOf(pool, merge)).toEqual(await bytesOf(inline, merge));
  });

  test('builds while a merge runs, as many at a time as there are workers', async () => {
    const pool = open();
    await using merged = await pool.mergeSegments(await mergeTask(100));
    const sources = [{ bytes: blockOf([1]), live: undefined }];
    await Promise.all([1, 2, 3].map(() => pool.buildBlock({ sources, schema })));
    expect(merged?.rowCount).toBe(297);
  });

  test('where scratch space is used up the merge fails, and the next one has it all', async () => {
    const pool = open({ workerCount: 1, scratchBytesMax: 500_000 });
    await expect(pool.mergeSegments(await mergeTask(5_000))).rejects.toMatchObject({ code: 'resource_exhausted' });
    expect((await bytesOf(pool, await mergeTask(100))).rowCount).toBe(297);
  });

  test('a directory that cannot be made is a typed error', async () => {
    const pool = open({ scratchDirectory: '/dev/null/below' });
    await expect(pool.mergeSegments(await mergeTask(5_000))).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('a segment that cannot be read fails the merge with the same code', async () => {
    const pool = open();
    const task = await mergeTask(100);
    const read = async () => {
      throw new LagoonError('not_found', 'object is missing', { reason: 'gone' });
    };
    const segments = task.segments.map((segment, index) => (index === 1 ? { ...segment, read } : segment));
    await expect(pool.mergeSegments({ ...task, segments })).rejects.toMatchObject({
      code: 'not_found',
      reason: 'gone',
    });
  });

  test('a worker that dies fails its task; the next task has a new one', async () => {
    const pool = open({ workerUrl: dyingWorker, workerCount: 1 });
    const task = { sources: [{ bytes: blockOf([1]), live: undefined }], schema };
    for (let turn = 0; turn < 2; turn++) {
      await expect(pool.buildBlock(task)).rejects.toMatchObject({ code: 'unavailable' });
    }
  });

  test('an abort ends the merge at once, with its reason, and the pool goes on', async () => {
    const pool = open({ workerCount: 1 });
    const task = await mergeTask(100);
    const controller = new AbortController();
    const read = async (_start: number, _end: number, signal?: AbortSignal) => {
      controller.abort(new Error('closing'));
      return await new Promise<Uint8Array>((_, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('read aborted')));
      });
    };
    const stuck = { ...task, segments: task.segments.map((segment) => ({ ...segment, read })) };
    await expect(pool.mergeSegments(stuck, controller.signal)).rejects.toThrow('closing');
    expect((await bytesOf(pool, task)).rowCount).toBe(297);
  });
});
