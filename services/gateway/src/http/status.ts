import { type ErrorCode, type ErrorReason, type LagoonError, toLagoonError, utf8Encode } from '@lagoon/base';
import type { GatewayResponse } from './message.ts';

/**
 * Which status an error has. Clients of the dialect retry 408, 409, 429 and everything from 500 on, so a
 * status below is as much an instruction as a description. Does not compile while a code or a reason is missing.
 */
const statusOfCode = {
  invalid_argument: 400,
  not_found: 404,
  conflict: 400, // 409 is read as "send it again": only for what passes, see statusOf
  resource_exhausted: 429,
  unavailable: 503,
  corrupt: 500,
  unauthenticated: 401,
  permission_denied: 403,
  unimplemented: 501,
  deadline_exceeded: 504,
  cancelled: 499,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

const statusOfReason = {
  wrong_shape: 422,
  too_large: 413,
  outcome_unknown: 503,
  gone: 410,
  backpressure: 429,
  store_full: 507,
  store_refused: 503,
  read_only: 403,
  idempotency_mismatch: 422,
} as const satisfies Record<ErrorReason, number>;

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(statusOfCode, code);
}

export function isErrorReason(reason: string): reason is ErrorReason {
  return Object.hasOwn(statusOfReason, reason);
}

export function statusOf(error: LagoonError): number {
  if (error.reason !== undefined) return statusOfReason[error.reason];
  if (error.code === 'conflict' && error.retryAfterMs !== undefined) return 409;
  return statusOfCode[error.code];
}

/** What sending the same request again cannot mend, although its status would make a client try. */
const hopelessCodes: ReadonlySet<ErrorCode> = new Set(['unimplemented', 'corrupt']);

/** Any thrown value as an answer in the dialect's form. */
export function errorResponse(thrown: unknown, retryAfterMsDefault: number): GatewayResponse {
  const error = toLagoonError(thrown);
  const status = statusOf(error);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  const retryAfterMs = error.retryAfterMs ?? (status === 429 ? retryAfterMsDefault : undefined);
  if (retryAfterMs !== undefined) {
    headers['retry-after-ms'] = String(Math.max(1, Math.ceil(retryAfterMs)));
    headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
  }
  if (hopelessCodes.has(error.code)) headers['x-should-retry'] = 'false';
  return { status, headers, body: utf8Encode(JSON.stringify({ status: 'error', error: error.message })) };
}

export function jsonResponse(status: number, value: unknown): GatewayResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: utf8Encode(JSON.stringify(value)) };
}
