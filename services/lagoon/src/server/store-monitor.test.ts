import { describe, expect, test } from '@jest/globals';
import { type Clock, LagoonError, silentLog } from '@lagoon/base';
import { clusterKey } from '@lagoon/namespace';
import { createMemoryStore } from '@lagoon/object-store';
import { createReadiness } from './readiness.ts';
import { startStoreMonitor } from './store-monitor.ts';

describe('store monitor', () => {
  test('two failures make it not ready, and the first answer after them ready again within a second', async () => {
    const time = createHandClock();
    const readiness = createReadiness();
    readiness.markStarted();
    const store = await storeWithSwitch(time.clock);
    const monitor = startStoreMonitor({ clock: time.clock, log: silentLog, store: store.store, readiness });
    await time.advance(10_000);
    store.fails = true;
    await time.advance(10_000);
    expect(readiness.reason).toBeUndefined();
    await time.advance(1_000);
    expect(readiness.reason).toBe('the store fails: unavailable');
    store.fails = false;
    await time.advance(1_000);
    expect(readiness.reason).toBeUndefined();
    await monitor.close();
  });
});

async function storeWithSwitch(clock: Clock) {
  const memory = createMemoryStore({ clock });
  await memory.put(clusterKey, new Uint8Array(1));
  const state = {
    fails: false,
    store: {
      ...memory,
      get: async (...call: Parameters<typeof memory.get>) => {
        if (state.fails) throw new LagoonError('unavailable', 'gone');
        return await memory.get(...call);
      },
    },
  };
  return state;
}

/** Time that moves by hand; timers fire in order, and what they start gets turns to finish. */
function createHandClock() {
  let nowMs = 0;
  const timers = new Map<object, { readonly atMs: number; readonly callback: () => void }>();
  const clock: Clock = {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: (durationMs) => new Promise((resolve) => clock.setTimer(durationMs, resolve)),
    setTimer: (delayMs, callback) => {
      const key = {};
      timers.set(key, { atMs: nowMs + delayMs, callback });
      return { cancel: () => timers.delete(key) };
    },
  };
  const advance = async (durationMs: number) => {
    nowMs += durationMs;
    for (const [key, timer] of timers) {
      if (timer.atMs > nowMs || !timers.delete(key)) continue;
      timer.callback();
    }
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, advance };
}
