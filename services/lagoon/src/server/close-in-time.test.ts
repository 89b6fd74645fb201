import { describe, expect, test } from '@jest/globals';
import { createSystemClock, type Log, silentLog } from '@lagoon/base';
import { closeInTime } from './close-in-time.ts';

const clock = createSystemClock();

function recordingLog() {
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message, fields) => warnings.push(`${message}: ${String(fields?.what)}`) };
  return { log, warnings };
}

describe('closing within the grace period', () => {
  test('is in order, each after the one before', async () => {
    const { log, warnings } = recordingLog();
    const seen: string[] = [];
    const step = (name: string) => ({
      name,
      close: async () => {
        seen.push(`${name} begins`);
        await Promise.resolve();
        seen.push(`${name} ends`);
      },
    });
    await closeInTime({ clock, log }, [step('ingester'), step('store')], clock.monotonicMs() + 60_000);
    expect(seen).toEqual(['ingester begins', 'ingester ends', 'store begins', 'store ends']);
    expect(warnings).toEqual([]);
  });

  test('what hangs is left when the time is over, what fails too, and the rest is still closed', async () => {
    const { log, warnings } = recordingLog();
    let isStoreClosed = false;
    const steps = [
      { name: 'ingester', close: () => new Promise<void>(() => {}) },
      { name: 'query', close: () => Promise.reject(new Error('oops')) },
      {
        name: 'store',
        close: async () => {
          isStoreClosed = true;
        },
      },
    ];
    await closeInTime({ clock, log }, steps, clock.monotonicMs() + 20);
    expect(isStoreClosed).toBe(true);
    expect(warnings).toEqual(['not closed within the grace period: ingester', 'closing failed: query']);
  });
});
