import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createSystemClock, createSystemRandom, silentLog } from '@lagoon/base';
import { parseSettings } from '../config/parse-config.ts';
import { toServerConfig } from '../config/server-config.ts';
import { type RunningServer, startServer } from './start-server.ts';

const deps = { clock: createSystemClock(), random: createSystemRandom(), log: silentLog };
let directory: string;
let servers: RunningServer[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lagoon-server-'));
  servers = [];
});

afterEach(async () => {
  for (const server of servers.reverse()) await server.close();
  await rm(directory, { recursive: true, force: true });
});

async function start(flags: Record<string, string> = {}): Promise<RunningServer> {
  const base = {
    'data-dir': join(directory, 'data'),
    'http-port': '0',
    'grpc-port': '0',
    fsync: 'false',
    'worker-count': '1',
  };
  const settings = parseSettings({ environment: {}, flags: { ...base, ...flags } });
  const server = await startServer(toServerConfig(settings), deps);
  servers.push(server);
  return server;
}

async function call(server: RunningServer, method: string, path: string, body?: object) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const sent = request({ host: '127.0.0.1', port: server.httpPort, method, path, headers }, (response) => {
      let received = '';
      response.on('data', (chunk) => {
        received += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: received }));
    });
    sent.on('error', reject);
    sent.end(text);
  });
}

const rows = {
  upsert_rows: [
    { id: 1, vector: [1, 2] },
    { id: 2, vector: [2, 1] },
  ],
  distance_metric: 'cosine_distance',
};
const nearestTo = { rank_by: ['vector', 'ANN', [1, 2]], top_k: 1 };

async function expectWriteAndQuery(server: RunningServer): Promise<void> {
  const written = await call(server, 'POST', '/v2/namespaces/films', rows);
  expect(written).toMatchObject({ status: 200 });
  const found = await call(server, 'POST', '/v2/namespaces/films/query', nearestTo);
  expect(found).toMatchObject({ status: 200 });
  expect(JSON.parse(found.text).rows).toMatchObject([{ id: 1 }]);
}

describe('server', () => {
  test('all roles in one process: write, query, health, metrics', async () => {
    const server = await start();
    await expectWriteAndQuery(server);
    expect(await call(server, 'GET', '/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect(await call(server, 'GET', '/readyz')).toEqual({ status: 200, text: 'ready\n' });
    expect((await call(server, 'GET', '/metrics')).text).toContain(
      'lagoon_rpc_calls_total{method="lagoon.v1.IngesterService/Append"',
    );
  });

  test('every role in a server of its own, over gRPC', async () => {
    const query = await start({ roles: 'query' });
    const queryAddress = `127.0.0.1:${query.grpcPort}`;
    const ingester = await start({ roles: 'ingester', 'query-addresses': queryAddress });
    const ingesterAddress = `127.0.0.1:${ingester.grpcPort}`;
    await start({ roles: 'compactor', 'query-addresses': queryAddress, 'ingester-addresses': ingesterAddress });
    const gateway = await start({
      roles: 'gateway',
      'query-addresses': queryAddress,
      'ingester-addresses': ingesterAddress,
    });
    await expectWriteAndQuery(gateway);
    expect((await call(query, 'GET', '/readyz')).status).toBe(200);
    expect((await call(query, 'POST', '/v2/namespaces/films/query', nearestTo)).status).toBe(404);
    const notFound = await call(gateway, 'POST', '/v2/namespaces/absent/query', nearestTo);
    expect(notFound.status).toBe(404);
  });

  test('what was acknowledged is there after a restart, and the store is not checked again', async () => {
    const first = await start();
    await call(first, 'POST', '/v2/namespaces/films', rows);
    await first.close();
    const second = await start();
    const found = await call(second, 'POST', '/v2/namespaces/films/query', nearestTo);
    expect(JSON.parse(found.text).rows).toMatchObject([{ id: 1 }]);
  });

  test('a role whose needed role is nowhere is refused by name', async () => {
    await expect(start({ roles: 'gateway,query' })).rejects.toThrow(
      'role gateway needs ingester: add it to --roles or give --ingester-addresses',
    );
  });

  test('a taken port is named, and the failed start leaves nothing open', async () => {
    const first = await start();
    await expect(start({ 'http-port': String(first.httpPort) })).rejects.toThrow(
      `port is taken (host=127.0.0.1, port=${first.httpPort})`,
    );
    await expect(start({ 'grpc-port': String(first.grpcPort) })).rejects.toThrow(
      `port is taken (host=127.0.0.1, port=${first.grpcPort})`,
    );
  });

  test('a directory that cannot be made is refused', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    await expect(start({ 'data-dir': join(file, 'data') })).rejects.toThrow(file);
  });

  test('a store that cannot be reached is given up after the start timeout', async () => {
    const flags = {
      'object-store': 's3://bucket',
      's3-endpoint': 'http://127.0.0.1:1',
      's3-access-key-id': 'a',
      's3-secret-access-key': 'b',
    };
    const settings = parseSettings({
      environment: {},
      flags: { ...flags, 'http-port': '0', 'grpc-port': '0', 'start-timeout-ms': '100' },
    });
    await expect(startServer(toServerConfig(settings), deps)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('closing twice is closing once', async () => {
    const server = await start();
    await Promise.all([server.close(), server.close()]);
    await expect(call(server, 'GET', '/healthz')).rejects.toThrow();
  });
});
