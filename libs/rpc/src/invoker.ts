import { create, type DescMethodUnary, type DescService, type Message } from '@bufbuild/protobuf';
import { type Clock, LagoonError, type Log, type Metrics } from '@lagoon/base';
import type { Tracer } from '@lagoon/telemetry';
import { toCallerError } from './error-wire.ts';
import type { CallContext, ServiceImplementation } from './service.ts';

/** What both transports need. */
export interface RpcDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
}

/** Runs a method of an implementation the same way whoever transports the call; rejects with what the caller may know. */
export interface Invoker {
  invoke(method: DescMethodUnary, request: Message, context: CallContext): Promise<Message>;
}

/** What `create` takes where the message's type is known by its descriptor only. */
export type InitFields = Record<string, unknown>;

type Handler = (request: Message, context: CallContext) => Promise<InitFields>;

const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createInvoker<S extends DescService>(
  desc: S,
  implementation: ServiceImplementation<S>,
  transport: 'local' | 'grpc',
  deps: RpcDeps,
): Invoker {
  const calls = deps.metrics.counter('lagoon_rpc_calls_total', 'Calls served, by outcome', [
    'method',
    'transport',
    'code',
  ]);
  const durations = deps.metrics.histogram('lagoon_rpc_duration_seconds', 'Time to serve a call', durationBuckets, [
    'method',
    'transport',
  ]);
  // The mapped type is exact for callers and implementers; by name it is only a table of functions.
  const handlers = implementation as unknown as Readonly<Record<string, Handler | undefined>>;

  return {
    invoke: async (method, request, context) => {
      const name = `${desc.typeName}/${method.name}`;
      const span = deps.tracer.startSpan(
        name,
        { 'rpc.system': 'lagoon', 'rpc.transport': transport },
        context.traceparent,
      );
      const startedMs = deps.clock.monotonicMs();
      let code = 'ok';
      try {
        const handler = handlers[method.localName];
        if (handler === undefined) throw new LagoonError('unimplemented', `${name} is not implemented yet`);
        const inner: CallContext =
          span.traceparent === undefined
            ? { signal: context.signal }
            : { signal: context.signal, traceparent: span.traceparent };
        return create(method.output, await handler.call(implementation, request, inner));
      } catch (error) {
        const shown = toCallerError(error, name);
        code = shown.code;
        span.recordError(shown);
        if (code === 'internal') deps.log.error('call failed', { method: name, error });
        throw shown;
      } finally {
        calls.add(1, { method: name, transport, code });
        durations.observe((deps.clock.monotonicMs() - startedMs) / 1_000, { method: name, transport });
        span.end();
      }
    },
  };
}
