import { describe, expect, test } from '@jest/globals';
import type { Clock } from './clock.ts';
import { LagoonError } from './errors.ts';
import { createSeededRandom } from './random.ts';
import { retry } from './retry.ts';

/** A clock whose sleeps end at once and are written down. */
function recordingClock(slept: number[]): Clock {
  return {
    monotonicMs: () => 0,
    wallMs: () => 0,
    sleep: async (durationMs, signal) => {
      signal?.throwIfAborted();
      slept.push(durationMs);
    },
    setTimer: () => ({ cancel: () => {} }),
  };
}

const options = { attemptCountMax: 5, firstDelayMs: 100, delayMsMax: 300 };

describe('retry', () => {
  test('tries again what is unavailable, waits within the growing bound, and gives up at the last attempt', async () => {
    const slept: number[] = [];
    let attempts = 0;
    const outcome = retry({ clock: recordingClock(slept), random: createSeededRandom(1) }, options, async () => {
      attempts++;
      throw new LagoonError('unavailable', 'still down');
    });
    await expect(outcome).rejects.toThrow('still down');
    expect(attempts).toBe(5);
    expect(slept).toHaveLength(4);
    slept.forEach((ms, index) => {
      expect(ms).toBeLessThan(Math.min(300, 100 * 2 ** index));
    });
  });

  test('throws at once what no retry mends', async () => {
    let attempts = 0;
    const outcome = retry({ clock: recordingClock([]), random: createSeededRandom(1) }, options, async () => {
      attempts++;
      throw new LagoonError('invalid_argument', 'wrong');
    });
    await expect(outcome).rejects.toThrow('wrong');
    expect(attempts).toBe(1);
  });

  test('a cancelled wait ends it', async () => {
    const controller = new AbortController();
    const outcome = retry(
      { clock: recordingClock([]), random: createSeededRandom(1) },
      options,
      async () => {
        controller.abort(new Error('gone'));
        throw new LagoonError('unavailable', 'down');
      },
      controller.signal,
    );
    await expect(outcome).rejects.toThrow('gone');
  });
});
