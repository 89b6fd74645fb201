import { describe, expect, test } from '@jest/globals';
import { inPlace, isRetryable, LagoonError, toLagoonError } from './errors.ts';

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

  test('a place is put in front of what went wrong there, and the code stays', () => {
    const refused = new LagoonError('invalid_argument', 'out of range', {
      reason: 'wrong_shape',
      context: { found: 3 },
    });
    const check = () =>
      inPlace('queries[1].', () =>
        inPlace('limit: ', () => {
          throw refused;
        }),
      );
    expect(check).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        reason: 'wrong_shape',
        message: 'queries[1].limit: out of range (found=3)',
      }),
    );
    const bug = new TypeError('x');
    expect(() =>
      inPlace('limit: ', () => {
        throw bug;
      }),
    ).toThrow(bug);
    expect(inPlace('limit: ', () => 7)).toBe(7);
  });

  test('only passing faults and reached bounds are retryable', () => {
    expect(isRetryable(new LagoonError('unavailable', 'x'))).toBe(true);
    expect(isRetryable(new LagoonError('resource_exhausted', 'x'))).toBe(true);
    expect(isRetryable(new LagoonError('conflict', 'x'))).toBe(false);
    expect(isRetryable(new Error('x'))).toBe(false);
  });
});
