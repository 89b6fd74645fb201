import { expect, test } from '@jest/globals';
import { waitFor } from './wait-for.ts';

test('what a caller that has given up already would have waited for may fail', async () => {
  const unhandled: unknown[] = [];
  const listen = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', listen);
  try {
    const shared = Promise.reject(new Error('of the others'));
    await expect(waitFor(shared, AbortSignal.abort(new Error('given up')))).rejects.toThrow('given up');
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', listen);
  }
});
