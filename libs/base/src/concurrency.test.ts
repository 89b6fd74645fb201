import { describe, expect, test } from '@jest/globals';
import { createSemaphore, mapBounded } from './concurrency.ts';

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('mapBounded', () => {
  test('keeps the order of the items and never runs more than the bound', async () => {
    let running = 0;
    let runningMax = 0;
    const results = await mapBounded([3, 1, 2, 5, 4], 2, async (item) => {
      running++;
      runningMax = Math.max(runningMax, running);
      for (let i = 0; i < item; i++) await tick();
      running--;
      return item * 10;
    });
    expect(results).toEqual([30, 10, 20, 50, 40]);
    expect(runningMax).toBe(2);
  });

  test('the first failure stops what has not begun and is thrown when all has settled', async () => {
    const begun: number[] = [];
    let settled = 0;
    const attempt = mapBounded([0, 1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item);
      await tick();
      settled++;
      if (item === 1) throw new Error('item 1');
    });
    await expect(attempt).rejects.toThrow('item 1');
    expect(begun.length).toBeLessThan(6);
    expect(settled).toBe(begun.length);
  });
});

describe('semaphore', () => {
  test('refuses at once past both bounds, and hands a permit on in order', async () => {
    const semaphore = createSemaphore({ name: 'test', permitCount: 1, waitingCountMax: 1 });
    const first = await semaphore.acquire();
    const second = semaphore.acquire();
    await expect(semaphore.acquire()).rejects.toMatchObject({ code: 'resource_exhausted' });
    first[Symbol.dispose]();
    first[Symbol.dispose](); // giving back twice frees one permit only
    (await second)[Symbol.dispose]();
    expect(semaphore.inUse).toBe(0);
  });

  test('a waiter that is cancelled leaves the queue', async () => {
    const semaphore = createSemaphore({ name: 'test', permitCount: 1, waitingCountMax: 1 });
    const held = await semaphore.acquire();
    const controller = new AbortController();
    const waiting = semaphore.acquire(controller.signal);
    controller.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect(semaphore.waiting).toBe(0);
    held[Symbol.dispose]();
    expect(semaphore.inUse).toBe(0);
  });
});
