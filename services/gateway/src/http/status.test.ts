import { describe, expect, test } from '@jest/globals';
import { type ErrorCode, errorCodes, errorReasons, LagoonError, utf8Decode } from '@lagoon/base';
import { errorResponse, statusOf } from './status.ts';

const statusOfCode: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  not_found: 404,
  conflict: 400,
  resource_exhausted: 429,
  unavailable: 503,
  corrupt: 500,
  unauthenticated: 401,
  permission_denied: 403,
  unimplemented: 501,
  deadline_exceeded: 504,
  cancelled: 499,
  internal: 500,
};

describe('status of an error', () => {
  test.each([...errorCodes])('%s has its status', (code) => {
    expect(statusOf(new LagoonError(code, 'x'))).toBe(statusOfCode[code]);
  });

  test.each([...errorReasons])('the reason %s has its own', (reason) => {
    const expected = {
      wrong_shape: 422,
      too_large: 413,
      outcome_unknown: 503,
      gone: 410,
      backpressure: 429,
      store_full: 507,
      store_refused: 503,
      read_only: 403,
      idempotency_mismatch: 422,
    }[reason];
    expect(statusOf(new LagoonError('internal', 'x', { reason }))).toBe(expected);
  });

  test('only a conflict that passes is 409, because clients send a 409 again', () => {
    expect(statusOf(new LagoonError('conflict', 'x'))).toBe(400);
    expect(statusOf(new LagoonError('conflict', 'x', { retryAfterMs: 50 }))).toBe(409);
  });
});

describe('answer of an error', () => {
  test('has the form of the dialect', () => {
    const response = errorResponse(new LagoonError('not_found', 'no such namespace', { context: { name: 'a' } }), 250);
    expect(response.status).toBe(404);
    expect(JSON.parse(utf8Decode(response.body))).toEqual({ status: 'error', error: 'no such namespace (name=a)' });
  });

  test('429 says when to come back, in both headers', () => {
    expect(errorResponse(new LagoonError('resource_exhausted', 'x'), 250).headers).toMatchObject({
      'retry-after-ms': '250',
      'retry-after': '1',
    });
    expect(
      errorResponse(new LagoonError('resource_exhausted', 'x', { retryAfterMs: 2_500 }), 250).headers,
    ).toMatchObject({
      'retry-after-ms': '2500',
      'retry-after': '3',
    });
  });

  test('clients are told not to repeat what cannot succeed', () => {
    expect(errorResponse(new LagoonError('unimplemented', 'x'), 250).headers['x-should-retry']).toBe('false');
    expect(errorResponse(new LagoonError('corrupt', 'x'), 250).headers['x-should-retry']).toBe('false');
    expect(errorResponse(new LagoonError('unavailable', 'x'), 250).headers['x-should-retry']).toBeUndefined();
  });

  test('a thrown value that is no LagoonError is internal', () => {
    expect(errorResponse(new TypeError('x'), 250).status).toBe(500);
    expect(errorResponse(new DOMException('x', 'AbortError'), 250).status).toBe(499);
    expect(errorResponse(new DOMException('x', 'TimeoutError'), 250).status).toBe(504);
  });
});
