import type { DescMethodUnary, DescService } from '@bufbuild/protobuf';
import {
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServerUnaryCall,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { LagoonError } from '@lagoon/base';
import { HealthImplementation } from 'grpc-health-check';
import { toCallerError, toStatus } from './error-wire.ts';
import { quietGrpc } from './grpc-log.ts';
import { createInvoker, type Invoker, type RpcDeps } from './invoker.ts';
import type { CallContext, ServiceImplementation } from './service.ts';
import {
  decodeRequest,
  encodeResponse,
  messageBytesMaxDefault,
  methodPath,
  toServiceDefinition,
  unaryMethods,
} from './service-definition.ts';

export interface RpcServerOptions {
  /** Default 64 MiB. */
  readonly messageBytesMax?: number;
  /** Calls under way at once, over all connections; one more is `resource_exhausted`. Default 4,096. */
  readonly callCountMax?: number;
}

export interface RpcServer {
  /** Before `listen`. The service is healthy once the server listens, until `setServing` or `close` say otherwise. */
  add<S extends DescService>(desc: S, implementation: ServiceImplementation<S>): void;
  /** Resolves with the port, which is chosen when 0 is given. `unavailable` when the port is taken. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Sets the status of every service, and of the server as a whole, for the gRPC health service. */
  setServing(serving: boolean): void;
  /** Takes no more calls, lets those under way finish for `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

type Call = ServerUnaryCall<Buffer, Buffer>;

export function createRpcServer(deps: RpcDeps, options: RpcServerOptions = {}): RpcServer {
  quietGrpc();
  const bytesMax = options.messageBytesMax ?? messageBytesMaxDefault;
  const calls = createCallTable(options.callCountMax ?? 4_096);
  const server = new Server(serverOptions(bytesMax));
  const health = new HealthImplementation();
  const serviceNames = [''];
  health.addToServer(server);

  const setServing = (serving: boolean) => {
    for (const name of serviceNames) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  };
  setServing(false);

  return {
    add: (desc, implementation) => {
      const invoker = createInvoker(desc, implementation, 'grpc', deps);
      const handlers: UntypedServiceImplementation = {};
      for (const method of unaryMethods(desc)) {
        handlers[method.localName] = (call: Call, callback: sendUnaryData<Buffer>) => {
          void answer(call, callback, method, invoker, calls, { bytesMax, deps });
        };
      }
      server.addService(toServiceDefinition(desc), handlers);
      serviceNames.push(desc.typeName);
    },
    listen: async ({ host, port }) => {
      const boundPort = await bind(server, host, port);
      setServing(true);
      return boundPort;
    },
    setServing,
    close: async (graceMs) => {
      setServing(false);
      const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const graceOver = Promise.withResolvers<void>();
      const timer = deps.clock.setTimer(graceMs, () => graceOver.resolve());
      await Promise.race([closed, graceOver.promise]);
      timer.cancel();
      calls.abortAll();
      server.forceShutdown();
    },
  };
}

async function answer(
  call: Call,
  callback: sendUnaryData<Buffer>,
  method: DescMethodUnary,
  invoker: Invoker,
  calls: CallTable,
  limits: { readonly bytesMax: number; readonly deps: RpcDeps },
): Promise<void> {
  try {
    using entry = calls.begin();
    call.on('cancelled', () => entry.abort(cancelReason(call, limits.deps)));
    const request = decodeRequest(method.input, call.request);
    const response = await invoker.invoke(method, request, contextOf(call, entry.signal));
    callback(null, encodeResponse(method.output, response, limits.bytesMax));
  } catch (error) {
    callback(toStatus(toCallerError(error, methodPath(method).slice(1))));
  }
}

function contextOf(call: Call, signal: AbortSignal): CallContext {
  const traceparent = call.metadata.get('traceparent')[0];
  return typeof traceparent === 'string' ? { signal, traceparent } : { signal };
}

/** grpc-js says `cancelled` for a deadline too. */
function cancelReason(call: Call, deps: RpcDeps): DOMException {
  const deadlineMs = Number(call.getDeadline()); // a Date or milliseconds
  return deps.clock.wallMs() >= deadlineMs
    ? new DOMException('the deadline of the caller passed', 'TimeoutError')
    : new DOMException('the caller went away', 'AbortError');
}

interface CallTable {
  begin(): CallEntry;
  abortAll(): void;
}

interface CallEntry extends Disposable {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

function createCallTable(countMax: number): CallTable {
  const running = new Set<AbortController>();
  return {
    begin: () => {
      if (running.size >= countMax) {
        throw new LagoonError('resource_exhausted', 'too many calls under way', {
          reason: 'backpressure',
          retryAfterMs: 100,
          context: { callCountMax: countMax },
        });
      }
      const controller = new AbortController();
      running.add(controller);
      return {
        signal: controller.signal,
        abort: (reason) => controller.abort(reason),
        [Symbol.dispose]: () => {
          running.delete(controller);
        },
      };
    },
    abortAll: () => {
      for (const controller of running) controller.abort(new DOMException('the server is stopping', 'AbortError'));
    },
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, boundPort) => {
      if (error === null) resolve(boundPort);
      else reject(bindError(error, host, port));
    });
  });
}

function bindError(error: Error, host: string, port: number): LagoonError {
  const taken =
    /EADDRINUSE|No address added/.test(error.message) && !/EACCES|EADDRNOTAVAIL|ENOTFOUND/.test(error.message);
  const message = taken ? 'port is taken' : 'cannot listen';
  return new LagoonError('unavailable', message, {
    cause: error,
    context: taken ? { host, port } : { host, port, detail: error.message },
  });
}

function serverOptions(bytesMax: number): ServerOptions {
  return {
    'grpc.max_receive_message_length': bytesMax,
    'grpc.max_send_message_length': bytesMax,
    'grpc.max_concurrent_streams': 1_024,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  };
}
