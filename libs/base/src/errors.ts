/**
 * The one error class of Lagoon.
 *
 * A code says what the caller should do next, nothing else. A new code is added only when a user would
 * handle it differently; finer distinctions that only change how an answer is worded or which HTTP status
 * it gets are a `reason`.
 *
 * Messages are short and lower case; values go into the context, which is printed behind the message.
 */
export const errorCodes = [
  'invalid_argument', // the request is wrong: change it
  'not_found', // what it names does not exist
  'conflict', // it is wrong only against the present state: read again, then decide
  'resource_exhausted', // a bound was reached: later, or less at a time
  'unavailable', // a passing fault: the same request may be sent again
  'corrupt', // stored bytes are not what was written: an operator must look
  'unauthenticated',
  'permission_denied',
  'unimplemented', // a known name of the API that this version does not serve
  'deadline_exceeded', // the caller's time ran out
  'cancelled', // the caller went away
  'internal', // a bug of ours
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** Refines a code where the outside needs it; a boundary table may map (code, reason) to its own status. */
export const errorReasons = [
  'wrong_shape', // invalid_argument: the JSON has another shape than expected (HTTP 422)
  'too_large', // invalid_argument: a body or value is past its bound (HTTP 413)
  'outcome_unknown', // unavailable: the write may or may not have been applied
  'gone', // not_found: it existed and was removed (HTTP 410)
  'backpressure', // resource_exhausted: retry after `retryAfterMs`
  'store_full', // resource_exhausted: the disk or bucket takes no more until somebody makes room (HTTP 507)
  'store_refused', // permission_denied: the store does not let Lagoon in; an operator's matter, not the caller's (HTTP 503)
  'read_only', // permission_denied: the namespace takes no writes
  'idempotency_mismatch', // conflict: one key, two bodies (HTTP 422)
] as const;

export type ErrorReason = (typeof errorReasons)[number];

export type ErrorContext = Readonly<Record<string, string | number | bigint | boolean | null | undefined>>;

export interface LagoonErrorOptions {
  readonly reason?: ErrorReason;
  readonly context?: ErrorContext;
  readonly cause?: unknown;
  /** How long the caller should wait before it tries again, in milliseconds. */
  readonly retryAfterMs?: number;
}

export class LagoonError extends Error {
  readonly code: ErrorCode;
  readonly reason: ErrorReason | undefined;
  readonly context: ErrorContext;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: LagoonErrorOptions = {}) {
    super(withContext(message, options.context), options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'LagoonError';
    this.code = code;
    this.reason = options.reason;
    this.context = options.context ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }
}

function withContext(message: string, context: ErrorContext | undefined): string {
  if (context === undefined) return message;
  const parts = Object.entries(context)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${String(value)}`);
  return parts.length === 0 ? message : `${message} (${parts.join(', ')})`;
}

export function isLagoonError(error: unknown, code?: ErrorCode): error is LagoonError {
  return error instanceof LagoonError && (code === undefined || error.code === code);
}

/** Whether the very same call may succeed later without anybody changing anything. */
export function isRetryable(error: unknown): boolean {
  return isLagoonError(error) && (error.code === 'unavailable' || error.code === 'resource_exhausted');
}

/** Any thrown value as a LagoonError: aborts keep their meaning, everything else unknown is `internal`. */
export function toLagoonError(error: unknown): LagoonError {
  if (error instanceof LagoonError) return error;
  const { name, message } = describe(error);
  if (name === 'TimeoutError') return new LagoonError('deadline_exceeded', 'the deadline passed', { cause: error });
  if (name === 'AbortError') return new LagoonError('cancelled', 'the call was cancelled', { cause: error });
  return new LagoonError('internal', message, { cause: error });
}

/** By its fields and not by its class: errors also come from other realms. */
function describe(error: unknown): { readonly name: string | undefined; readonly message: string } {
  if (typeof error !== 'object' || error === null) return { name: undefined, message: String(error) };
  const { name, message } = error as { name?: unknown; message?: unknown };
  return {
    name: typeof name === 'string' ? name : undefined,
    message: typeof message === 'string' ? message : String(error),
  };
}

export function invalidArgument(message: string, context?: ErrorContext): LagoonError {
  return new LagoonError('invalid_argument', message, context === undefined ? {} : { context });
}

/** `invalid_argument` at a place inside a request: `filters[1][0]: …`. */
export function invalidAt(path: string, message: string, context?: ErrorContext): LagoonError {
  return invalidArgument(`${path}: ${message}`, context);
}

/**
 * Checks a part of a larger thing: what it finds wrong says in front where the part stands, as `queries[3].` before
 * `limit: out of range`. What tells a caller what to do stays as it is.
 */
export function inPlace<R>(place: string, check: () => R): R {
  try {
    return check();
  } catch (error) {
    throw atPlace(place, error);
  }
}

/** The same for an error that is there already; any other but a LagoonError is answered as it is. */
export function atPlace(place: string, error: unknown): unknown {
  if (!isLagoonError(error) || place === '') return error;
  const { code, message, reason, retryAfterMs, cause } = error;
  return new LagoonError(code, `${place}${message}`, {
    ...(reason === undefined ? {} : { reason }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(cause === undefined ? {} : { cause }),
  });
}

export function unimplemented(what: string): LagoonError {
  return new LagoonError('unimplemented', `${what} is not implemented yet`);
}

export function corrupt(message: string, context?: ErrorContext): LagoonError {
  return new LagoonError('corrupt', message, context === undefined ? {} : { context });
}

/** A bug, not a fault: what must hold by construction. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new LagoonError('internal', `assertion failed: ${message}`);
}

/** Makes a switch over a union exhaustive: does not compile while a case is missing. */
export function unreachable(value: never, what: string): never {
  throw new LagoonError('internal', `unreachable ${what}: ${String(value)}`);
}
