import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestS3 } from '../../libs/object-store/src/testing/test-s3.ts';
import { freePort } from '../support/free-port.ts';
import { type Answer, send } from '../support/http.ts';
import { beginLagoon, type Flags, type LagoonProcess, startLagoon } from '../support/lagoon-process.ts';
import { idsOf, stateOf } from '../support/namespace-state.ts';
import { printingLogs } from '../support/printing-logs.ts';
import { s3Flags } from '../support/process-target.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { waitUntil } from '../support/wait-until.ts';

/** A real S3 server that goes away and comes back, behind a hop of the test's own. */
let proxy: TcpProxy;
let store: Flags;
let server: LagoonProcess | undefined;

beforeEach(async () => {
  const s3 = await startTestS3();
  proxy = await startTcpProxy(new URL(s3.endpoint));
  store = await s3Flags(`http://127.0.0.1:${proxy.port}`);
});

afterEach(async () => {
  await proxy?.restore();
  await server?.close();
  await proxy?.close();
  server = undefined;
});

const write = (url: string, ids: readonly number[], namespace = 'kept') =>
  send(url, 'POST', `/v2/namespaces/${namespace}`, { body: { upsert_rows: ids.map((id) => ({ id, n: id })) } });

const query = (url: string, consistency: object) =>
  send(url, 'POST', '/v2/namespaces/kept/query', { body: { rank_by: ['id', 'asc'], consistency } });

const readiness = async (url: string) => (await send(url, 'GET', '/readyz')).status;

const expectTypedError = (answer: Answer, statuses: readonly number[]) => {
  expect(answer.json).toMatchObject({ status: 'error', error: expect.stringMatching(/\S/) });
  expect(statuses).toContain(answer.status);
};

describe('a store that cannot be reached at start', () => {
  test('the process says so, is alive but not ready, and ends with 1 when its time is over', async () => {
    await proxy.cut();
    const httpPort = await freePort();
    const url = `http://127.0.0.1:${httpPort}`;
    const starting = beginLagoon({ ...store, 'http-port': httpPort, 'start-timeout-ms': 3_000 });
    server = starting;
    await waitUntil('it answers health', 10_000, () =>
      send(url, 'GET', '/healthz').then(
        (answer) => answer.status === 200,
        () => false,
      ),
    );
    expect(await send(url, 'GET', '/readyz')).toMatchObject({ status: 503, text: 'starting\n' });
    expect((await write(url, [1])).status).toBeGreaterThanOrEqual(400);
    expect(await starting.ended()).toBe(1);
    expect(starting.logs()).toMatch(/^lagoon: the store cannot be reached.*ECONNREFUSED/m);
    expect(starting.logs()).toContain('the store cannot be reached, trying again');
  });

  test('one that comes within the time is taken', async () => {
    await proxy.cut();
    const httpPort = await freePort();
    const url = `http://127.0.0.1:${httpPort}`;
    const starting = beginLagoon({ ...store, 'http-port': httpPort });
    server = starting;
    await waitUntil('it tries again', 15_000, () => starting.logs().includes('trying again'));
    await proxy.restore();
    await waitUntil('it is ready', 15_000, () =>
      readiness(url).then(
        (status) => status === 200,
        () => false,
      ),
    );
    expect(await write(url, [1])).toMatchObject({ status: 200 });
  });

  test.each([
    ['a bucket that does not exist', { 'object-store': 's3://no-such-bucket-here' }, /bucket does not exist/],
    ['credentials that are wrong', { 's3-secret-access-key': 'wrong' }, /refuses the credentials/],
  ])('%s ends the start at once', async (_title, flags, message) => {
    const failed = beginLagoon({ ...store, ...flags });
    server = failed;
    expect(await failed.ended()).toBe(1);
    const lines = failed
      .logs()
      .split('\n')
      .filter((line) => line.startsWith('lagoon: '));
    expect(lines).toEqual([expect.stringMatching(message)]);
  });
});

describe('a store that goes away during work', () => {
  test.each([
    ['refuses connections', () => proxy.cut()],
    ['answers nothing any more', async () => proxy.hang()],
  ])(
    'that %s: typed errors, nothing half applied, nothing lost, ready again when it is back',
    async (_title, goAway) => {
      const running = await startLagoon({ ...store, 'write-timeout-ms': 4_000, 'query-timeout-ms': 4_000 });
      server = running;
      const { url } = running;
      await printingLogs(
        () => running,
        async () => {
          expect(await write(url, [1, 2, 3])).toMatchObject({ status: 200 });
          expect(await query(url, { level: 'strong' })).toMatchObject({ status: 200 });
          const acknowledged = [1, 2, 3];
          // Writes of three rows each are under way when it happens.
          const underWay = Array.from({ length: 20 }, async (_, index) => {
            const ids = [0, 1, 2].map((offset) => 100 + index * 3 + offset);
            return { ids, answer: await write(url, ids) };
          });
          await goAway();
          const startMs = Date.now();
          for (const { ids, answer } of await Promise.all(underWay)) {
            if (answer.status === 200) acknowledged.push(...ids);
            else expectTypedError(answer, [503, 504]);
          }
          expectTypedError(await write(url, [900, 901, 902]), [503, 504]);
          expectTypedError(await write(url, [1], 'fresh'), [503, 504]);
          expectTypedError(await query(url, { level: 'strong' }), [503, 504]);
          // What was read before may still be asked for, where a stale answer will do.
          expect(await query(url, { level: 'eventual', max_staleness_seconds: 600 })).toMatchObject({ status: 200 });
          expect(Date.now() - startMs).toBeLessThan(25_000);
          expect(await send(url, 'GET', '/healthz')).toMatchObject({ status: 200 });
          await waitUntil('it is not ready', 25_000, async () => (await readiness(url)) === 503);
          expect(running.isRunning()).toBe(true);

          await proxy.restore();
          await waitUntil('it is ready again', 15_000, async () => (await readiness(url)) === 200);
          expect(await write(url, [2_000])).toMatchObject({ status: 200 });
          acknowledged.push(2_000);
          const found = new Set(await idsOf(url, 'kept'));
          expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
          for (let first = 100; first < 160; first += 3) {
            const present = [first, first + 1, first + 2].filter((id) => found.has(id));
            expect([0, 3]).toContain(present.length);
          }
          expect([200, 404]).toContain((await stateOf(url, 'fresh')).status);
          await running.close();
          const again = await startLagoon(store);
          server = again;
          expect(new Set(await idsOf(again.url, 'kept'))).toEqual(found);
        },
      );
    },
    90_000,
  );
});
