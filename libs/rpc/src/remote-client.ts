import { create, type DescMethodUnary, type DescService, type Message } from '@bufbuild/protobuf';
import {
  type ChannelOptions,
  Client,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { LagoonError } from '@lagoon/base';
import { abortedError, checkBeforeCall, deadlineError } from './call-limits.ts';
import { fromStatus, fromTransport } from './error-wire.ts';
import { quietGrpc } from './grpc-log.ts';
import type { InitFields, RpcDeps } from './invoker.ts';
import type { CallOptions, ServiceClient } from './service.ts';
import {
  decodeResponse,
  encodeRequest,
  messageBytesMaxDefault,
  methodPath,
  sameBytes,
  unaryMethods,
} from './service-definition.ts';

export interface RemoteClientOptions {
  /** Default 64 MiB. */
  readonly messageBytesMax?: number;
  /** A call that finds no connection for so long is `unavailable`, certainly not sent. Default 3,000. */
  readonly connectTimeoutMs?: number;
  /** Calls under way at once; one more is `resource_exhausted`. Default 1,024. */
  readonly callCountMax?: number;
}

export interface RemoteClient<S extends DescService> {
  readonly client: ServiceClient<S>;
  /** Calls under way fail as `unavailable`. */
  close(): void;
}

/** A client of a role at `address` (`host:port`). Connects at the first call and again whenever the connection is lost. */
export function createRemoteClient<S extends DescService>(
  desc: S,
  address: string,
  deps: RpcDeps,
  options: RemoteClientOptions = {},
): RemoteClient<S> {
  quietGrpc();
  const bytesMax = options.messageBytesMax ?? messageBytesMaxDefault;
  const limits: CallLimits = {
    bytesMax,
    connectTimeoutMs: options.connectTimeoutMs ?? 3_000,
    callCountMax: options.callCountMax ?? 1_024,
  };
  const channel: Channel = {
    grpc: new Client(address, credentials.createInsecure(), channelOptions(bytesMax)),
    address,
    callCount: 0,
    closed: false,
  };
  const client: Record<string, (request: InitFields, callOptions: CallOptions) => Promise<Message>> = {};
  for (const method of unaryMethods(desc)) {
    client[method.localName] = (request, callOptions) =>
      callTraced(channel, method, request, callOptions, limits, deps);
  }
  return {
    client: client as unknown as ServiceClient<S>,
    close: () => {
      channel.closed = true;
      channel.grpc.close();
    },
  };
}

interface Channel {
  readonly grpc: Client;
  readonly address: string;
  callCount: number;
  closed: boolean;
}

interface CallLimits {
  readonly bytesMax: number;
  readonly connectTimeoutMs: number;
  readonly callCountMax: number;
}

async function callTraced(
  channel: Channel,
  method: DescMethodUnary,
  request: InitFields,
  options: CallOptions,
  limits: CallLimits,
  deps: RpcDeps,
): Promise<Message> {
  const path = methodPath(method);
  checkBeforeCall(path, options.timeoutMs, options.signal);
  if (channel.closed)
    throw new LagoonError('unavailable', 'client is closed', { context: { address: channel.address } });
  if (channel.callCount >= limits.callCountMax) {
    throw new LagoonError('resource_exhausted', 'too many calls under way', {
      reason: 'backpressure',
      retryAfterMs: 100,
      context: { address: channel.address, callCountMax: limits.callCountMax },
    });
  }
  const bytes = encodeRequest(method.input, create(method.input, request), limits.bytesMax);
  const span = deps.tracer.startSpan(
    `call ${path.slice(1)}`,
    { 'server.address': channel.address },
    options.traceparent,
  );
  channel.callCount++;
  try {
    const answer = await callOnce(channel, path, bytes, { ...options, traceparent: span.traceparent }, limits, deps);
    return decodeResponse(method.output, answer);
  } catch (error) {
    span.recordError(error);
    throw error;
  } finally {
    channel.callCount--;
    span.end();
  }
}

type CallOnceOptions = Omit<CallOptions, 'traceparent'> & { readonly traceparent: string | undefined };

function callOnce(
  channel: Channel,
  path: string,
  bytes: Buffer,
  options: CallOnceOptions,
  limits: CallLimits,
  deps: RpcDeps,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const metadata = new Metadata();
    if (options.traceparent !== undefined) metadata.set('traceparent', options.traceparent);
    const deadline = deps.clock.wallMs() + options.timeoutMs;
    const settle = (error: ServiceError | null, answer?: Buffer) => {
      options.signal?.removeEventListener('abort', onAbort);
      if (error === null && answer !== undefined) resolve(answer);
      else if (error === null) reject(new LagoonError('internal', 'answer without a message', { context: { path } }));
      else reject(callError(error, channel.address, path, options.signal));
    };
    const call = channel.grpc.makeUnaryRequest(path, sameBytes, sameBytes, bytes, metadata, { deadline }, settle);
    const onAbort = () => call.cancel();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    rejectUnconnected(channel, deps.clock.wallMs() + limits.connectTimeoutMs, () => {
      reject(fromTransport(noConnection(limits.connectTimeoutMs), channel.address));
      call.cancel();
    });
  });
}

/**
 * Calls back at the deadline when the channel was never ready from now until then: a call made now cannot have been sent.
 * States are watched without a gap, because a connection that came and went may have taken the call with it.
 */
function rejectUnconnected(channel: Channel, deadlineMs: number, onUnconnected: () => void): void {
  const grpc = channel.grpc.getChannel();
  const state = grpc.getConnectivityState(false);
  if (state === connectivityState.READY || state === connectivityState.SHUTDOWN) return;
  grpc.watchConnectivityState(state, deadlineMs, (error) => {
    if (error === undefined || error === null) rejectUnconnected(channel, deadlineMs, onUnconnected);
    else onUnconnected();
  });
}

function callError(error: ServiceError, address: string, path: string, signal: AbortSignal | undefined): LagoonError {
  const thrown = fromStatus(error);
  if (signal?.aborted && error.code === status.CANCELLED) return abortedError(signal.reason, path);
  if (thrown !== undefined) return thrown;
  if (error.code === status.DEADLINE_EXCEEDED) return deadlineError(path);
  return fromTransport(error, address);
}

function noConnection(timeoutMs: number): ServiceError {
  const details = `no connection established within ${timeoutMs} ms`;
  return Object.assign(new Error(details), { code: status.UNAVAILABLE, details, metadata: new Metadata() });
}

function channelOptions(bytesMax: number): ChannelOptions {
  return {
    'grpc.max_receive_message_length': bytesMax,
    'grpc.max_send_message_length': bytesMax,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 3_000,
    'grpc.dns_min_time_between_resolutions_ms': 1_000,
    'grpc.enable_retries': 0, // whether a call may be sent again is for its caller to say
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_channelz': 0,
  };
}
