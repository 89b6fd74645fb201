import { afterEach, describe, expect, test } from '@jest/globals';
import {
  createSystemClock,
  type ErrorReason,
  errorCodes,
  errorReasons,
  isLagoonError,
  LagoonError,
  noMetrics,
  silentLog,
} from '@lagoon/base';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { noTracer, type Tracer } from '@lagoon/telemetry';
import { createLocalClient } from './local-client.ts';
import { createRemoteClient } from './remote-client.ts';
import { createRpcServer } from './rpc-server.ts';
import type { CallContext, ServiceClient, ServiceImplementation } from './service.ts';

type Ingester = ServiceImplementation<typeof IngesterService>;

const deps = { clock: createSystemClock(), log: silentLog, metrics: noMetrics, tracer: noTracer };
const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Connect = (implementation: Ingester, tracer?: Tracer) => Promise<ServiceClient<typeof IngesterService>>;

const connectLocal: Connect = async (implementation, tracer = noTracer) =>
  createLocalClient(IngesterService, implementation, { ...deps, tracer });

const connectRemote: Connect = async (implementation, tracer = noTracer) => {
  const server = createRpcServer({ ...deps, tracer });
  server.add(IngesterService, implementation);
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  closers.push(() => server.close(0));
  const remote = createRemoteClient(IngesterService, `127.0.0.1:${port}`, { ...deps, tracer });
  closers.push(() => remote.close());
  return remote.client;
};

function ingester(parts: Partial<Ingester>): Ingester {
  const missing = async (): Promise<never> => {
    throw new LagoonError('unimplemented', 'not in this test');
  };
  const snapshots = { createSnapshot: missing, listSnapshots: missing, deleteSnapshot: missing };
  const lineage = { ...snapshots, branch: missing, startCopy: missing, getOperation: missing };
  const writes = {
    append: missing,
    updateSchema: missing,
    updateSettings: missing,
    deleteNamespace: missing,
    appendManifest: missing,
  };
  return { ...writes, ...lineage, ...parts };
}

async function errorOf(call: Promise<unknown>): Promise<LagoonError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isLagoonError(error)) throw new Error(`expected a LagoonError, got ${String(error)}`);
  return error;
}

/** A method that begins, waits for its signal, and says what it saw. */
function waiting() {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<unknown>();
  const append = (_request: unknown, context: CallContext): Promise<never> => {
    begun.resolve();
    return new Promise((_, reject) => {
      context.signal.addEventListener('abort', () => {
        ended.resolve(context.signal.reason);
        reject(context.signal.reason);
      });
    });
  };
  return { append, begun: begun.promise, ended: ended.promise };
}

describe.each([
  ['local', connectLocal],
  ['grpc', connectRemote],
] as const)('%s transport', (_name, connect) => {
  test('a request of init shape arrives as a whole message, and so does the answer', async () => {
    let seen: unknown;
    const client = await connect(
      ingester({
        append: async (request) => {
          seen = [request.$typeName, request.namespace, request.idempotencyKey, request.block, request.schema];
          return { manifestGeneration: 2n ** 63n };
        },
      }),
    );
    const block = new Uint8Array([1, 2, 3]);
    const answer = await client.append({ namespace: 'films', block }, { timeoutMs: 5_000 });
    expect(seen).toEqual(['lagoon.v1.AppendRequest', 'films', '', expect.anything(), undefined]);
    expect(Array.from((seen as [0, 0, 0, Uint8Array])[3])).toEqual([1, 2, 3]);
    expect(answer.$typeName).toBe('lagoon.v1.AppendResponse');
    expect(answer.manifestGeneration).toBe(2n ** 63n);
    expect(answer.rowsUpserted).toBe(0n);
  });

  test.each(errorCodes)('%s keeps its code, message and retry-after', async (code) => {
    const thrown = new LagoonError(code, 'größe 100% — "no"\nline two', {
      context: { key: 'a#b' },
      retryAfterMs: 1_250,
    });
    const client = await connect(
      ingester({
        append: async () => {
          throw thrown;
        },
      }),
    );
    const error = await errorOf(client.append({}, { timeoutMs: 5_000 }));
    expect(error.code).toBe(code);
    expect(error.message).toBe(thrown.message);
    expect(error.retryAfterMs).toBe(1_250);
    expect(error.reason).toBeUndefined();
  });

  test.each(errorReasons)('reason %s survives', async (reason: ErrorReason) => {
    const client = await connect(
      ingester({
        append: async () => {
          throw new LagoonError('unavailable', 'no', { reason });
        },
      }),
    );
    expect((await errorOf(client.append({}, { timeoutMs: 5_000 }))).reason).toBe(reason);
  });

  test('an unknown error is internal and tells neither its words nor its stack', async () => {
    const client = await connect(
      ingester({
        append: async () => {
          throw new TypeError('secret is undefined');
        },
      }),
    );
    const error = await errorOf(client.append({}, { timeoutMs: 5_000 }));
    expect(error.code).toBe('internal');
    expect(error.message).toBe('internal error in lagoon.v1.IngesterService/Append');
  });

  test('a very long message with half a character in it is cut, not lost', async () => {
    const client = await connect(
      ingester({
        append: async () => {
          throw new LagoonError('conflict', `\ud800${'é'.repeat(100_000)}`);
        },
      }),
    );
    const error = await errorOf(client.append({}, { timeoutMs: 5_000 }));
    expect(error.code).toBe('conflict');
    expect(error.message).toHaveLength(2_048);
  });

  test('the deadline ends the call on both sides', async () => {
    const method = waiting();
    const client = await connect(ingester({ append: method.append }));
    const error = await errorOf(client.append({}, { timeoutMs: 60 }));
    expect(error.code).toBe('deadline_exceeded');
    expect(error.message).toBe('no answer in time (method=/lagoon.v1.IngesterService/Append)');
    expect(await method.ended).toMatchObject({ name: 'TimeoutError' });
  });

  test('a deadline holds also when the role does not look at its signal', async () => {
    const client = await connect(ingester({ append: () => new Promise(() => {}) }));
    expect((await errorOf(client.append({}, { timeoutMs: 30 }))).code).toBe('deadline_exceeded');
  });

  test('no time left is a deadline that has passed', async () => {
    const client = await connect(ingester({ append: async () => ({}) }));
    expect((await errorOf(client.append({}, { timeoutMs: 0 }))).code).toBe('deadline_exceeded');
  });

  test('a caller that goes away aborts the role', async () => {
    const method = waiting();
    const client = await connect(ingester({ append: method.append }));
    const controller = new AbortController();
    const call = errorOf(client.append({}, { timeoutMs: 5_000, signal: controller.signal }));
    await method.begun;
    controller.abort();
    expect((await call).code).toBe('cancelled');
    expect(await method.ended).toMatchObject({ name: 'AbortError' });
  });

  test('a caller that ran out of its own time gets deadline_exceeded', async () => {
    const method = waiting();
    const client = await connect(ingester({ append: method.append }));
    const controller = new AbortController();
    const call = errorOf(client.append({}, { timeoutMs: 5_000, signal: controller.signal }));
    await method.begun;
    controller.abort(new DOMException('over', 'TimeoutError'));
    expect((await call).code).toBe('deadline_exceeded');
  });

  test('a role that cancels itself is seen as cancelled', async () => {
    const client = await connect(
      ingester({
        append: async () => {
          throw new DOMException('stopping', 'AbortError');
        },
      }),
    );
    expect((await errorOf(client.append({}, { timeoutMs: 5_000 }))).code).toBe('cancelled');
  });

  test('an aborted signal stops the call before it begins', async () => {
    let calls = 0;
    const client = await connect(
      ingester({
        append: async () => {
          calls++;
          return {};
        },
      }),
    );
    const error = await errorOf(client.append({}, { timeoutMs: 5_000, signal: AbortSignal.abort() }));
    expect([error.code, calls]).toEqual(['cancelled', 0]);
  });

  test('20 MiB go and come whole', async () => {
    const client = await connect(
      ingester({
        append: async (request) => ({ rowsUpserted: BigInt(request.block.length + (request.block.at(-1) ?? 0)) }),
      }),
    );
    const block = new Uint8Array(20 * 1024 * 1024).fill(7);
    const answer = await client.append({ block }, { timeoutMs: 20_000 });
    expect(answer.rowsUpserted).toBe(BigInt(block.length + 7));
  });

  test('the trace context reaches the role', async () => {
    const client = await connect(
      ingester({
        append: async (_request, context) => {
          throw new LagoonError('conflict', context.traceparent ?? 'none');
        },
      }),
    );
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect((await errorOf(client.append({}, { timeoutMs: 5_000, traceparent }))).message).toBe(traceparent);
    expect((await errorOf(client.append({}, { timeoutMs: 5_000 }))).message).toBe('none');
  });
});
