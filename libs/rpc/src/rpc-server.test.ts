import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createSystemClock, isLagoonError, LagoonError, noMetrics, silentLog } from '@lagoon/base';
import { CompactorService } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import { noTracer } from '@lagoon/telemetry';
import { service as healthService } from 'grpc-health-check';
import { isConnectFailure, isTransportFailure } from './error-wire.ts';
import { createRemoteClient, type RemoteClientOptions } from './remote-client.ts';
import { createRpcServer, type RpcServerOptions } from './rpc-server.ts';
import type { ServiceImplementation } from './service.ts';

const deps = { clock: createSystemClock(), log: silentLog, metrics: noMetrics, tracer: noTracer };
const timeoutMs = 5_000;
const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Notify = ServiceImplementation<typeof CompactorService>['notify'];

async function start(notify: Notify, port = 0, options: RpcServerOptions = {}) {
  const server = createRpcServer(deps, options);
  server.add(CompactorService, { notify });
  const boundPort = await server.listen({ host: '127.0.0.1', port });
  closers.push(() => server.close(0));
  return { server, port: boundPort };
}

function connect(port: number, options: RemoteClientOptions = {}) {
  const remote = createRemoteClient(CompactorService, `127.0.0.1:${port}`, deps, options);
  closers.push(() => remote.close());
  return remote;
}

async function errorOf(call: Promise<unknown>): Promise<LagoonError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isLagoonError(error)) throw new Error(`expected a LagoonError, got ${String(error)}`);
  return error;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function healthOf(port: number, service: string): Promise<unknown> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = healthService.Check as never as {
    path: string;
    requestSerialize: (value: object) => Buffer;
    responseDeserialize: (bytes: Buffer) => { status: string };
  };
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, answer) => {
      client.close();
      resolve(error === null ? answer?.status : error.code);
    });
  });
}

describe('rpc server', () => {
  test('a taken port is named in the error', async () => {
    const { port } = await start(async () => ({}));
    const second = createRpcServer(deps);
    const error = await errorOf(second.listen({ host: '127.0.0.1', port }));
    expect(error.message).toBe(`port is taken (host=127.0.0.1, port=${port})`);
  });

  test('a host that is not ours is a clear error too', async () => {
    const error = await errorOf(createRpcServer(deps).listen({ host: '203.0.113.7', port: 0 }));
    expect(error.message).toContain('cannot listen (host=203.0.113.7');
  });

  test('health is serving per service until the server says otherwise', async () => {
    const { server, port } = await start(async () => ({}));
    expect(await healthOf(port, '')).toBe('SERVING');
    expect(await healthOf(port, 'lagoon.v1.CompactorService')).toBe('SERVING');
    expect(await healthOf(port, 'lagoon.v1.Unknown')).toBe(5);
    server.setServing(false);
    expect(await healthOf(port, 'lagoon.v1.CompactorService')).toBe('NOT_SERVING');
  });

  test('close lets a running call finish and takes no new one', async () => {
    const begun = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const { server, port } = await start(async () => {
      begun.resolve();
      await release.promise;
      return {};
    });
    const call = connect(port).client.notify({}, { timeoutMs });
    await begun.promise;
    const closed = server.close(timeoutMs);
    const refused = await errorOf(connect(port).client.notify({}, { timeoutMs }));
    expect(isConnectFailure(refused)).toBe(true);
    release.resolve();
    await expect(call).resolves.toMatchObject({ $typeName: 'lagoon.v1.CompactorNotifyResponse' });
    await closed;
  });

  test('close cuts off what runs past the grace: aborted here, outcome unknown there', async () => {
    const begun = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const { server, port } = await start((_request, { signal }) => {
      signal.addEventListener('abort', () => aborted.resolve());
      begun.resolve();
      return new Promise(() => {});
    });
    const call = errorOf(connect(port).client.notify({}, { timeoutMs }));
    await begun.promise;
    await server.close(20);
    await aborted.promise;
    const error = await call;
    expect([error.code, error.reason]).toEqual(['unavailable', 'outcome_unknown']);
    expect(isTransportFailure(error)).toBe(true);
    expect(isConnectFailure(error)).toBe(false);
  });

  test('calls past the bound are refused with backpressure', async () => {
    const begun = Promise.withResolvers<void>();
    const { port } = await start(
      () => {
        begun.resolve();
        return new Promise(() => {});
      },
      0,
      { callCountMax: 1 },
    );
    const { client } = connect(port);
    const first = errorOf(client.notify({}, { timeoutMs: 300 }));
    await begun.promise;
    const error = await errorOf(client.notify({}, { timeoutMs }));
    expect([error.code, error.reason, error.retryAfterMs]).toEqual(['resource_exhausted', 'backpressure', 100]);
    await first;
  });

  test('bytes that are no message are the caller’s fault and leave the server alive', async () => {
    const { port } = await start(async () => ({}));
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const same = (bytes: Buffer) => bytes;
    const code = await new Promise((resolve) => {
      const path = '/lagoon.v1.CompactorService/Notify';
      client.makeUnaryRequest(path, same, same, Buffer.from([0x0a, 0xff]), (error) => resolve(error?.code));
    });
    client.close();
    expect(code).toBe(3);
    await connect(port).client.notify({}, { timeoutMs });
  });

  test('a stranger who speaks no gRPC does not stop it', async () => {
    const { port } = await start(async () => ({}));
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = session.request({ ':path': '/', ':method': 'POST' });
    stream.end('hello');
    const [headers] = await once(stream, 'response');
    expect(headers[':status']).toBe(415);
    session.destroy();
    await connect(port).client.notify({}, { timeoutMs });
  });
});

describe('remote client', () => {
  test('no server: unavailable, certainly not sent, and soon', async () => {
    const { client } = connect(await freePort());
    const error = await errorOf(client.notify({}, { timeoutMs }));
    expect(error.code).toBe('unavailable');
    expect(error.reason).toBeUndefined();
    expect(isConnectFailure(error)).toBe(true);
  });

  test('a peer that accepts and says nothing: unavailable after the connect timeout', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { client } = connect((silent.address() as AddressInfo).port, { connectTimeoutMs: 50 });
    const error = await errorOf(client.notify({}, { timeoutMs }));
    expect(isConnectFailure(error)).toBe(true);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test('connects again when the server comes back', async () => {
    const { server, port } = await start(async () => ({}));
    const { client } = connect(port);
    await client.notify({}, { timeoutMs });
    await server.close(0);
    expect((await errorOf(client.notify({}, { timeoutMs }))).code).toBe('unavailable');
    await start(async () => ({}), port);
    const deadlineMs = deps.clock.monotonicMs() + timeoutMs;
    for (;;) {
      const error = await client.notify({}, { timeoutMs }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) break;
      if (deps.clock.monotonicMs() > deadlineMs) throw error;
      await deps.clock.sleep(20);
    }
  });

  test('a request past the bound is refused before it is sent', async () => {
    const { port } = await start(async () => ({}));
    const { client } = connect(port, { messageBytesMax: 1_000 });
    const error = await errorOf(client.notify({ namespace: 'n'.repeat(1_001) }, { timeoutMs }));
    expect([error.code, error.reason]).toEqual(['invalid_argument', 'too_large']);
    await client.notify({ namespace: 'n'.repeat(900) }, { timeoutMs });
  });

  test('a request past the server’s smaller bound is refused by it, and the connection lives', async () => {
    const { port } = await start(async () => ({}), 0, { messageBytesMax: 1_000 });
    const { client } = connect(port);
    const error = await errorOf(client.notify({ namespace: 'n'.repeat(2_000) }, { timeoutMs }));
    expect(error.code).toBe('resource_exhausted');
    await client.notify({}, { timeoutMs });
  });

  test('a call past the bound of calls is refused with backpressure', async () => {
    const begun = Promise.withResolvers<void>();
    const { port } = await start(() => {
      begun.resolve();
      return new Promise(() => {});
    });
    const { client } = connect(port, { callCountMax: 1 });
    const first = errorOf(client.notify({}, { timeoutMs: 200 }));
    await begun.promise;
    expect(await errorOf(client.notify({}, { timeoutMs }))).toMatchObject({ reason: 'backpressure' });
    await first;
  });

  test('a closed client is unavailable', async () => {
    const { port } = await start(async () => ({}));
    const remote = connect(port);
    remote.close();
    expect((await errorOf(remote.client.notify({}, { timeoutMs }))).code).toBe('unavailable');
  });

  test('an impossible number is an invalid request', async () => {
    const { port } = await start(async () => {
      throw new LagoonError('internal', 'must not get here');
    });
    const error = await errorOf(connect(port).client.notify({ generation: -1n }, { timeoutMs }));
    expect(error.code).toBe('invalid_argument');
  });
});
