import { create, type DescService, type Message } from '@bufbuild/protobuf';
import { deadlineSignal } from '@lagoon/base';
import { abortedError, checkBeforeCall } from './call-limits.ts';
import { createInvoker, type InitFields, type RpcDeps } from './invoker.ts';
import type { CallOptions, ServiceClient, ServiceImplementation } from './service.ts';
import { methodPath, unaryMethods } from './service-definition.ts';

/**
 * A client of a role in this process. Messages are handed over as they are, not copied: neither side may change one
 * after it has been sent. Everything else is as over gRPC: shapes, deadline, cancellation, errors, trace context.
 */
export function createLocalClient<S extends DescService>(
  desc: S,
  implementation: ServiceImplementation<S>,
  deps: RpcDeps,
): ServiceClient<S> {
  const invoker = createInvoker(desc, implementation, 'local', deps);
  const client: Record<string, (request: InitFields, options: CallOptions) => Promise<Message>> = {};
  for (const method of unaryMethods(desc)) {
    const path = methodPath(method);
    client[method.localName] = async (request, options) => {
      checkBeforeCall(path, options.timeoutMs, options.signal);
      const message = create(method.input, request);
      using deadline = deadlineSignal(deps.clock, options.timeoutMs, options.signal);
      const { signal } = deadline;
      const context = options.traceparent === undefined ? { signal } : { signal, traceparent: options.traceparent };
      return await untilAborted(invoker.invoke(method, message, context), signal, path);
    };
  }
  return client as unknown as ServiceClient<S>;
}

/** The caller gets its answer when its time is up, also when the role does not look at the signal. */
async function untilAborted<R>(running: Promise<R>, signal: AbortSignal, path: string): Promise<R> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(abortedError(signal.reason, path));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([running, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
