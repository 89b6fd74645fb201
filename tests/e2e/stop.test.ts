import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { send } from '../support/http.ts';
import { type Flags, type LagoonProcess, startLagoon } from '../support/lagoon-process.ts';
import { idsOf } from '../support/namespace-state.ts';
import { printingLogs } from '../support/printing-logs.ts';
import { s3Flags, startFourOnS3 } from '../support/process-target.ts';
import { waitUntil } from '../support/wait-until.ts';
import { type LoadResult, rowsPerBatch, startWriters } from '../support/writers.ts';

/** Ends of processes, asked for and not, while writes and queries come as fast as they can. */
const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const stores: readonly (readonly [string, () => Promise<Flags>])[] = [
  ['a directory', directoryFlags],
  ['S3', () => s3Flags()],
];

async function directoryFlags(): Promise<Flags> {
  const directory = await mkdtemp(join(tmpdir(), 'lagoon-e2e-'));
  cleanUps.push(() => rm(directory, { recursive: true, force: true }));
  return { 'data-dir': directory };
}

async function start(flags: Flags): Promise<LagoonProcess> {
  const started = await startLagoon(flags);
  cleanUps.push(() => started.close());
  return started;
}

const concurrency = 32;

/** Queries one after the other; ends with what each was answered, undefined where there was no answer. */
function startReader(url: string) {
  const statuses: (number | undefined)[] = [];
  const run = async () => {
    for (;;) {
      const body = { rank_by: ['vector', 'ANN', [1, 1]], limit: 5 };
      const status = await send(url, 'POST', '/v2/namespaces/load/query', { body }).then(
        (answer) => answer.status,
        () => undefined,
      );
      statuses.push(status);
      if (status === undefined) return statuses;
    }
  };
  return run();
}

/** Acknowledged rows are there, batches are whole, and nothing that was turned away is there. */
function expectKept(found: readonly number[], load: LoadResult, mayHaveOpenOutcomes: boolean): void {
  const present = new Set(found);
  expect(load.acknowledged.flat().filter((id) => !present.has(id))).toEqual([]);
  expect(load.unconnected.flat().filter((id) => present.has(id))).toEqual([]);
  if (!mayHaveOpenOutcomes) {
    expect(load.unanswered.flat().filter((id) => present.has(id))).toEqual([]);
    expect(load.refused.flatMap(({ ids }) => ids).filter((id) => present.has(id))).toEqual([]);
  }
  const batches = new Map<number, number>();
  for (const id of found) {
    const batch = Math.floor(id / rowsPerBatch);
    batches.set(batch, (batches.get(batch) ?? 0) + 1);
  }
  expect([...batches.values()].filter((count) => count !== rowsPerBatch)).toEqual([]);
}

describe.each(stores)('on %s', (_name, flagsOf) => {
  test('SIGTERM under full load: what was let in is answered, what was acknowledged is there, and it ends with 0', async () => {
    const flags = await flagsOf();
    const first = await start(flags);
    await printingLogs(
      () => first,
      async () => {
        const load = startWriters(first.url, 'load', concurrency);
        await waitUntil('writes flow', 20_000, () => load.acknowledgedCount() >= 200);
        const reader = startReader(first.url);
        await waitUntil('more writes flow', 20_000, () => load.acknowledgedCount() >= 400);
        const startMs = Date.now();
        first.signal('SIGTERM');
        expect(await first.ended()).toBe(0);
        expect(Date.now() - startMs).toBeLessThan(10_000);
        const result = await load.finish();
        expect(result.refused).toEqual([]);
        expect((await reader).filter((status) => status !== undefined && status !== 200)).toEqual([]);
        const again = await start(flags);
        expectKept(await idsOf(again.url, 'load'), result, false);
      },
    );
  });

  test('kill -9 under full load: what was acknowledged is there, whole', async () => {
    const flags = await flagsOf();
    const first = await start(flags);
    await printingLogs(
      () => first,
      async () => {
        const load = startWriters(first.url, 'load', concurrency);
        await waitUntil('writes flow', 20_000, () => load.acknowledgedCount() >= 400);
        first.signal('SIGKILL');
        expect(await first.ended()).toBe('SIGKILL');
        const result = await load.finish();
        expect(result.refused).toEqual([]);
        const again = await start(flags);
        expectKept(await idsOf(again.url, 'load'), result, true);
        const more = { body: { upsert_rows: [{ id: 900_000, vector: [1, 2] }] } };
        expect(await send(again.url, 'POST', '/v2/namespaces/load', more)).toMatchObject({ status: 200 });
      },
    );
  });
});

test('a body that is still coming in at SIGTERM is waited for, answered and kept; new connections are not', async () => {
  const flags = await directoryFlags();
  const first = await start(flags);
  const path = '/v2/namespaces/load';
  expect(await send(first.url, 'POST', path, { body: { upsert_rows: [{ id: 1 }] } })).toMatchObject({ status: 200 });
  const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
  const { hostname, port } = new URL(first.url);
  const slow = request({ host: hostname, port, method: 'POST', path, headers, agent: false });
  const answered = once(slow, 'response');
  slow.write('{"upsert_rows":[{"id":2},');
  await waitUntil('the request is let in', 5_000, async () => {
    const { text } = await send(first.url, 'GET', '/metrics');
    return /^lagoon_gateway_requests_in_flight 1$/m.test(text);
  });
  first.signal('SIGTERM');
  const isClosed = () =>
    send(first.url, 'GET', '/healthz').then(
      () => false,
      () => true,
    );
  await waitUntil('no new connection is taken', 5_000, isClosed);
  expect(first.isRunning()).toBe(true);
  slow.end('{"id":3}]}');
  const [response] = await answered;
  expect(response).toMatchObject({ statusCode: 200, headers: { connection: 'close' } });
  response.resume();
  expect(await first.ended()).toBe(0);
  const again = await start(flags);
  expect(await idsOf(again.url, 'load')).toEqual([1, 2, 3]);
});

test('a body that never ends does not keep the process longer than the grace period', async () => {
  const first = await start({ ...(await directoryFlags()), 'grace-period-ms': 1_000 });
  const { hostname, port } = new URL(first.url);
  const headers = { 'transfer-encoding': 'chunked' };
  const slow = request({ host: hostname, port, method: 'POST', path: '/v2/namespaces/load', headers, agent: false });
  const failed = once(slow, 'error');
  slow.write('{');
  await waitUntil('the request is let in', 5_000, async () => {
    const { text } = await send(first.url, 'GET', '/metrics');
    return /^lagoon_gateway_requests_in_flight 1$/m.test(text);
  });
  const startMs = Date.now();
  first.signal('SIGTERM');
  expect(await first.ended()).toBe(0);
  expect(Date.now() - startMs).toBeLessThan(5_000);
  await failed;
});

describe('four processes on S3', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)('%s of all of them under full load loses nothing', async (signal) => {
    const flags = await s3Flags();
    const four = await startFourOnS3(flags);
    cleanUps.push(() => four.close());
    await printingLogs(
      () => four,
      async () => {
        const load = startWriters(four.url, 'load', concurrency);
        await waitUntil('writes flow', 20_000, () => load.acknowledgedCount() >= 200);
        for (const one of four.processes) one.signal(signal);
        const codes = await Promise.all(four.processes.map((one) => one.ended()));
        expect(codes).toEqual(codes.map(() => (signal === 'SIGTERM' ? 0 : 'SIGKILL')));
        const result = await load.finish();
        // The ingester may be gone before the gateway: then a write is told so.
        expect(result.refused.filter(({ status }) => status !== 503)).toEqual([]);
        const again = await start(flags);
        expectKept(await idsOf(again.url, 'load'), result, true);
      },
    );
  });
});
