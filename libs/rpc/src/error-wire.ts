import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, type ErrorReason, errorCodes, errorReasons, isLagoonError, LagoonError } from '@lagoon/base';

/**
 * How an error crosses a call: code, reason, retryAfterMs and message, the same on both transports. Context is already in the
 * message; cause and stack stay where they are.
 *
 * On the wire the code is a gRPC status for foreign callers, the message is `grpc-message`, and what the status cannot say
 * goes into the trailers `lagoon-code`, `lagoon-reason` and `lagoon-retry-after-ms`.
 */
export const grpcStatusOf: Readonly<Record<ErrorCode, status>> = {
  invalid_argument: status.INVALID_ARGUMENT,
  not_found: status.NOT_FOUND,
  conflict: status.FAILED_PRECONDITION,
  resource_exhausted: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  corrupt: status.DATA_LOSS,
  unauthenticated: status.UNAUTHENTICATED,
  permission_denied: status.PERMISSION_DENIED,
  unimplemented: status.UNIMPLEMENTED,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  internal: status.INTERNAL,
};

const codeOfGrpcStatus: Readonly<Record<status, ErrorCode>> = {
  [status.OK]: 'internal',
  [status.CANCELLED]: 'cancelled',
  [status.UNKNOWN]: 'internal',
  [status.INVALID_ARGUMENT]: 'invalid_argument',
  [status.DEADLINE_EXCEEDED]: 'deadline_exceeded',
  [status.NOT_FOUND]: 'not_found',
  [status.ALREADY_EXISTS]: 'conflict',
  [status.PERMISSION_DENIED]: 'permission_denied',
  [status.RESOURCE_EXHAUSTED]: 'resource_exhausted',
  [status.FAILED_PRECONDITION]: 'conflict',
  [status.ABORTED]: 'conflict',
  [status.OUT_OF_RANGE]: 'invalid_argument',
  [status.UNIMPLEMENTED]: 'unimplemented',
  [status.INTERNAL]: 'internal',
  [status.UNAVAILABLE]: 'unavailable',
  [status.DATA_LOSS]: 'corrupt',
  [status.UNAUTHENTICATED]: 'unauthenticated',
};

const codeKey = 'lagoon-code';
const reasonKey = 'lagoon-reason';
const retryAfterKey = 'lagoon-retry-after-ms';

/** Trailers are bounded by HTTP/2 peers; a message is for people, who need no more than this. */
const messageCharactersMax = 2_048;

/**
 * What a caller may know of any thrown value: a LagoonError without its context (the message has it), anything unknown as
 * `internal` without its words, which may hold what is not the caller's business. The cause is kept for this process's log.
 */
export function toCallerError(error: unknown, method: string): LagoonError {
  const known = isLagoonError(error) ? error : abortAsError(error);
  if (known === undefined) return new LagoonError('internal', `internal error in ${method}`, { cause: error });
  const message = known.message.toWellFormed().slice(0, messageCharactersMax);
  return new LagoonError(known.code, message, {
    cause: error,
    ...(known.reason === undefined ? {} : { reason: known.reason }),
    ...(known.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs }),
  });
}

/** The error as grpc-js sends it; `error` has been through `toCallerError`. */
export function toStatus(error: LagoonError): { code: status; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set(codeKey, error.code);
  if (error.reason !== undefined) metadata.set(reasonKey, error.reason);
  if (error.retryAfterMs !== undefined) metadata.set(retryAfterKey, String(error.retryAfterMs));
  return { code: grpcStatusOf[error.code], details: error.message, metadata };
}

/** The LagoonError that the other side threw; undefined when gRPC itself or a foreign server made this status. */
export function fromStatus(error: ServiceError): LagoonError | undefined {
  const code = oneOf(errorCodes, first(error.metadata, codeKey));
  if (code === undefined) return undefined;
  const reason: ErrorReason | undefined = oneOf(errorReasons, first(error.metadata, reasonKey));
  const retryAfterMs = Number(first(error.metadata, retryAfterKey));
  return new LagoonError(code, error.details, {
    ...(reason === undefined ? {} : { reason }),
    ...(Number.isFinite(retryAfterMs) && retryAfterMs >= 0 ? { retryAfterMs } : {}),
  });
}

/**
 * A failure of the transport, or of a server that is not Lagoon. A connection that broke under a call leaves its outcome open
 * (`outcome_unknown`); one that never stood does not.
 */
export function fromTransport(error: ServiceError, address: string): LagoonError {
  const options = { cause: error, context: { address, detail: error.details.slice(0, 200) } };
  if (isNeverSent(error)) return new LagoonError('unavailable', 'no connection', options);
  if (isBrokenStream(error)) {
    return new LagoonError('unavailable', 'the connection broke', { ...options, reason: 'outcome_unknown' });
  }
  return new LagoonError(codeOfGrpcStatus[error.code] ?? 'internal', 'call failed', options);
}

/** Whether the call failed before any server saw it, by what the transport says. */
export function isConnectFailure(error: unknown): boolean {
  return isTransportFailure(error) && error.reason !== 'outcome_unknown';
}

/** Whether the transport, not the server's own code, says `unavailable`. */
export function isTransportFailure(error: unknown): error is LagoonError {
  return isLagoonError(error, 'unavailable') && isServiceError(error.cause);
}

function isServiceError(cause: unknown): cause is ServiceError {
  return typeof cause === 'object' && cause !== null && 'metadata' in cause && cause.metadata instanceof Metadata;
}

function isNeverSent(error: ServiceError): boolean {
  if (error.code !== status.UNAVAILABLE) return false;
  return /no connection established|name resolution failed|stream refused/i.test(error.details);
}

/** A server that is cut off ends its streams with a reset: `cancelled`, although nobody here cancelled. */
function isBrokenStream(error: ServiceError): boolean {
  if (error.code === status.CANCELLED || error.code === status.UNAVAILABLE) return true;
  return error.code === status.INTERNAL && /without grpc status|RST_STREAM/i.test(error.details);
}

function abortAsError(error: unknown): LagoonError | undefined {
  if (isNamed(error, 'TimeoutError')) return new LagoonError('deadline_exceeded', 'the deadline passed');
  if (isNamed(error, 'AbortError')) return new LagoonError('cancelled', 'the call was cancelled');
  return undefined;
}

/** By name, not by class: a DOMException of another realm is no `Error` of this one. */
export function isNamed(error: unknown, name: string): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === name;
}

function first(metadata: Metadata, key: string): string | undefined {
  const value = metadata.get(key)[0];
  return typeof value === 'string' ? value : undefined;
}

function oneOf<T extends string>(names: readonly T[], name: string | undefined): T | undefined {
  return names.find((known) => known === name);
}
