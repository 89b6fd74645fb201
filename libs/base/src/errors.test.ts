import { describe, expect, test } from '@jest/globals';
import { isRetryable, LagoonError, toLagoonError } from './errors.ts';

describe('LagoonError', () => {
  test('prints its context behind the message and leaves out what is undefined', () => {
    const error = new LagoonError('corrupt', 'checksum differs', {
      context: { key: 'a/b', granule: 3, part: undefined },
    });
    expect(error.message).toBe('checksum differs (key=a/b, granule=3)');
  });

  test('an abort stays a cancellation, a timeout a deadline, anything else is internal and keeps its cause', () => {
    expect(toLagoonError(new DOMException('x', 'AbortError')).code).toBe('cancelled');
    expect(toLagoonError(new DOMException('x', 'TimeoutError')).code).toBe('deadline_exceeded');
    const bug = new TypeError('x is not a function');
    expect(toLagoonError(bug)).toMatchObject({ code: 'internal', cause: bug });
    expect(toLagoonError('text').code).toBe('internal');
  });

  test('only passing faults and reached bounds are retryable', () => {
    expect(isRetryable(new LagoonError('unavailable', 'x'))).toBe(true);
    expect(isRetryable(new LagoonError('resource_exhausted', 'x'))).toBe(true);
    expect(isRetryable(new LagoonError('conflict', 'x'))).toBe(false);
    expect(isRetryable(new Error('x'))).toBe(false);
  });
});
