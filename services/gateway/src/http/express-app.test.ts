import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { GatewayConfig } from '../config.ts';
import { createTestGateway, type TestGateway } from '../testing/recording-backends.ts';
import { acceptsGzip } from './write-response.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

interface Running extends TestGateway {
  readonly url: string;
  send(path: string, body: Uint8Array | string, headers?: Record<string, string>): Promise<Answer>;
}

const servers: Server[] = [];

async function start(config: Partial<GatewayConfig> = {}): Promise<Running> {
  const gateway = createTestGateway(config);
  const server = createServer(gateway.role.app);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const send = (path: string, body: Uint8Array | string, headers: Record<string, string> = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const request = httpRequest(`${url}${path}`, { method: 'POST', headers, agent: false }, (response) => {
        const chunks: Uint8Array[] = [];
        response.on('data', (chunk: Uint8Array) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
      });
      request.on('error', reject);
      request.end(body);
    });
  return { ...gateway, url, send };
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const path = '/v2/namespaces/a';
const write = JSON.stringify({ upsert_rows: [{ id: 1, text: 'x'.repeat(100) }] });

describe('bodies over HTTP', () => {
  test('plain and gzipped bodies are the same', async () => {
    const { send, backends } = await start();
    expect((await send(path, write)).status).toBe(200);
    expect((await send(path, gzipSync(write), { 'content-encoding': 'gzip' })).status).toBe(200);
    expect((await send(`/region-1${path}?x=1`, write, { prefer: 'respond-async' })).status).toBe(200);
    expect(backends.appends).toHaveLength(3);
    expect(backends.appends[1]).toEqual(backends.appends[0]);
  });

  test('a gzip bomb is 413 long before it is inflated', async () => {
    const { send, backends } = await start({ bodyBytesMax: 1 << 20 });
    const bomb = gzipSync(new Uint8Array(256 << 20), { level: 9 });
    expect(bomb.length).toBeLessThan(1 << 20);
    const before = process.memoryUsage.rss();
    const answer = await send(path, bomb, { 'content-encoding': 'gzip' });
    expect(answer.status).toBe(413);
    expect(answer.body.toString()).toMatch(/too large/);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 << 20);
    expect(backends.appends).toHaveLength(0);
    expect((await send(path, write)).status).toBe(200);
  });

  test('a body past the bound is 413, with its length stated and without', async () => {
    const { send } = await start({ bodyBytesMax: 1_000 });
    const long = JSON.stringify({ deletes: [1], padding: 'x'.repeat(5_000) });
    expect((await send(path, long)).status).toBe(413);
    expect((await send(path, long, { 'transfer-encoding': 'chunked' })).status).toBe(413);
    expect((await send(path, write)).status).toBe(200);
  });

  test('bytes that are no gzip, or half of one, are 400', async () => {
    const { send } = await start();
    expect((await send(path, write, { 'content-encoding': 'gzip' })).status).toBe(400);
    const whole = gzipSync(write);
    const half = await send(path, whole.subarray(0, whole.length - 12), { 'content-encoding': 'gzip' });
    expect(half.status).toBe(400);
    expect(half.body.toString()).toMatch(/not gzip/);
  });

  test('another content encoding is 415', async () => {
    const { send } = await start();
    expect((await send(path, write, { 'content-encoding': 'br' })).status).toBe(415);
    expect((await send(path, write, { 'content-encoding': 'identity' })).status).toBe(200);
  });

  test('all bodies together are bounded: 429 and then free again', async () => {
    const { send } = await start({ bodyBytesInFlightMax: 500 });
    const answer = await send(path, JSON.stringify({ deletes: Array.from({ length: 400 }, (_, index) => index) }));
    expect(answer.status).toBe(429);
    expect(answer.headers['retry-after-ms']).toBe('250');
    expect((await send(path, write)).status).toBe(200);
  });

  test('a page in a browser cannot write without a preflight', async () => {
    const { send, backends } = await start();
    const origin = 'https://example.com';
    expect((await send(path, write, { origin, 'content-type': 'text/plain' })).status).toBe(403);
    expect((await send(path, write, { origin })).status).toBe(403);
    expect(backends.appends).toHaveLength(0);
    expect((await send(path, write, { origin, 'content-type': 'application/json' })).status).toBe(200);
    expect((await send(path, write, { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(200);
  });

  test('closing waits for the requests that were let in', async () => {
    const { send, backends, role } = await start();
    let release = () => {};
    const entered = new Promise<void>((resolve) => {
      backends.before = () => {
        resolve();
        return new Promise((done) => {
          release = () => done();
        });
      };
    });
    const first = send(path, write);
    await entered;
    let isClosed = false;
    const closing = role.close().then(() => {
      isClosed = true;
    });
    await Promise.resolve();
    expect(isClosed).toBe(false);
    release();
    expect((await first).status).toBe(200);
    await closing;
  });

  test('requests at one time are bounded', async () => {
    const { send, backends } = await start({ requestCountInFlightMax: 1 });
    let release = () => {};
    const entered = new Promise<void>((resolve) => {
      backends.before = () => {
        resolve();
        return new Promise((done) => {
          release = () => done();
        });
      };
    });
    const first = send(path, write);
    await entered;
    expect((await send(path, write)).status).toBe(429);
    backends.before = async () => {};
    release();
    expect((await first).status).toBe(200);
    expect((await send(path, write)).status).toBe(200);
  });
});

describe('answers over HTTP', () => {
  test('are gzipped only when asked for and worth it', async () => {
    const { send, backends } = await start();
    backends.queryResponse = {
      rows: Array.from({ length: 200 }, (_, index) => ({ id: { kind: { case: 'u64', value: BigInt(index) } } })),
    };
    const query = JSON.stringify({ rank_by: ['id', 'asc'] });
    const plain = await send(`${path}/query`, query);
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.headers['content-type']).toBe('application/json');
    const packed = await send(`${path}/query`, query, { 'accept-encoding': 'gzip' });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(packed.body.length).toBeLessThan(plain.body.length);
    expect(JSON.parse(gunzipSync(packed.body).toString()).rows).toEqual(JSON.parse(plain.body.toString()).rows);
    const small = await send(path, write, { 'accept-encoding': 'gzip' });
    expect(small.headers['content-encoding']).toBeUndefined();
  });

  test.each([
    ['gzip', true],
    ['gzip, deflate, br', true],
    ['br;q=1.0, GZIP;q=0.5', true],
    ['*', true],
    ['identity', false],
    ['gzip;q=0', false],
    ['gzip;q=0, *', false],
    ['', false],
    [undefined, false],
  ])('accept-encoding %j is read as %j', (header, expected) => {
    expect(acceptsGzip(header)).toBe(expected);
  });

  test('a client that goes away cancels the call to the backend', async () => {
    const { url, backends } = await start();
    const aborted = new Promise<unknown>((resolve) => {
      backends.before = (options) =>
        new Promise((_, reject) => {
          options.signal?.addEventListener('abort', () => {
            resolve(options.signal?.reason);
            reject(options.signal?.reason as Error);
          });
          client.destroy();
        });
    });
    const client = httpRequest(`${url}${path}`, { method: 'POST', agent: false });
    client.on('error', () => {});
    client.end(write);
    expect(await aborted).toMatchObject({ name: 'AbortError' });
  });

  test.each([{}, { 'content-encoding': 'gzip' }])(
    'a client that goes away in its body frees what it held (%j)',
    async (headers) => {
      const { url, send } = await start({ requestCountInFlightMax: 1 });
      const client = httpRequest(`${url}${path}`, {
        method: 'POST',
        agent: false,
        headers: { ...headers, 'content-length': '5000' },
      });
      client.on('error', () => {});
      client.write(Buffer.alloc(0));
      client.flushHeaders();
      let status = 0;
      while (status !== 429) status = (await send(path, write)).status;
      client.destroy();
      while (status !== 200) status = (await send(path, write)).status;
      expect(status).toBe(200);
    },
  );
});
