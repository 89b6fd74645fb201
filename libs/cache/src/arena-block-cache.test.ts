import { describe, expect, test } from '@jest/globals';
import { isLagoonError, type Metrics, noMetrics } from '@lagoon/base';
import { createArena } from '@lagoon/vector';
import fc from 'fast-check';
import { type BlockCacheOptions, createBlockCache } from './arena-block-cache.ts';
import type { BlockCache, BlockLoader, PinnedBlock } from './block-cache.ts';

const mib = 1024 ** 2;

function createCache(budgetBytes = 4 * mib, options: BlockCacheOptions = {}) {
  const arena = createArena({ budgetBytes });
  return { arena, cache: createBlockCache({ arena }, options) };
}

const fillWith =
  (value: number): BlockLoader =>
  async (target) => {
    target.fill(value);
  };

const mustNotLoad: BlockLoader = async () => {
  throw new Error('loaded again');
};

/** A loader that waits until the test lets it go on, and counts its calls. */
function heldLoader() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const seen: AbortSignal[] = [];
  const load: BlockLoader = async (target, signal) => {
    seen.push(signal);
    await promise;
    target.fill(1);
  };
  return { load, seen, resolve, reject };
}

async function use(cache: BlockCache, key: string, size = mib): Promise<boolean> {
  using pinned = await cache.acquire(key, size, fillWith(1));
  return pinned.hit;
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

describe('block cache', () => {
  test('loads a block once and finds it afterwards', async () => {
    const { cache } = createCache();
    {
      using pinned = await cache.acquire('a', 10, fillWith(7));
      expect(pinned.hit).toBe(false);
      expect(Array.from(pinned.block.bytes)).toEqual(new Array(10).fill(7));
    }
    using again = await cache.acquire('a', 10, mustNotLoad);
    expect(again.hit).toBe(true);
    expect(again.block.bytes[9]).toBe(7);
    expect(cache.statistics).toEqual({
      ...{ hitCount: 1, missCount: 1, evictionCount: 0 },
      ...{ cachedBytes: 10, pinnedBytes: 10 },
    });
  });

  test('runs one load for all who wait, and pins the block once for each', async () => {
    const { cache, arena } = createCache();
    const held = heldLoader();
    const waiting = [1, 2, 3].map(() => cache.acquire('a', mib, held.load));
    held.resolve();
    const blocks = await Promise.all(waiting);
    expect(held.seen).toHaveLength(1);
    expect(blocks.map((one) => one.hit)).toEqual([false, false, false]);
    blocks[0]?.[Symbol.dispose]();
    blocks[0]?.[Symbol.dispose](); // twice counts once
    blocks[1]?.[Symbol.dispose]();
    expect(cache.statistics.pinnedBytes).toBe(mib);
    blocks[2]?.[Symbol.dispose]();
    expect(cache.statistics.pinnedBytes).toBe(0);
    expect(arena.usage.allocatedBytes).toBe(mib);
  });

  test('evicts the least recently used block that nobody pins', async () => {
    const { cache } = createCache();
    using pinned = await cache.acquire('pinned', mib, fillWith(9));
    await use(cache, 'b');
    await use(cache, 'c');
    await use(cache, 'b'); // now c is the oldest
    await use(cache, 'd');
    expect(cache.statistics.evictionCount).toBe(1);
    expect(await use(cache, 'b')).toBe(true);
    expect(await use(cache, 'c')).toBe(false);
    expect(pinned.block.bytes.every((byte) => byte === 9)).toBe(true);
  });

  test('says resource_exhausted when all is pinned, evicting nothing for a block that cannot fit', async () => {
    const { cache } = createCache(4 * mib, { retryAfterMs: 250 });
    const pins = [await cache.acquire('a', mib, fillWith(1)), await cache.acquire('b', mib, fillWith(1))];
    await use(cache, 'c', mib / 2);
    const error = await failureOf(cache.acquire('d', 3 * mib, fillWith(1)));
    expect(isLagoonError(error, 'resource_exhausted') && error.retryAfterMs).toBe(250);
    expect(cache.statistics.evictionCount).toBe(0);
    for (const pin of pins) pin[Symbol.dispose]();
    using large = await cache.acquire('d', 3 * mib, fillWith(1));
    expect(large.hit).toBe(false);
  });

  test('does not evict a block that is being loaded', async () => {
    const { cache } = createCache();
    const held = heldLoader();
    const loading = cache.acquire('a', 3 * mib, held.load);
    expect(isLagoonError(await failureOf(cache.acquire('b', 3 * mib, fillWith(2))), 'resource_exhausted')).toBe(true);
    held.resolve();
    using block = await loading;
    expect(block.block.bytes[0]).toBe(1);
  });

  test('caches nothing of a load that fails, tells all who waited, and loads again', async () => {
    const { cache, arena } = createCache();
    const held = heldLoader();
    const waiting = [cache.acquire('a', 100, held.load), cache.acquire('a', 100, held.load)].map(failureOf);
    held.reject(new Error('torn'));
    expect(await Promise.all(waiting)).toEqual([new Error('torn'), new Error('torn')]);
    const atOnce = () => {
      throw new Error('at once');
    };
    expect(await failureOf(cache.acquire('a', 100, atOnce))).toEqual(new Error('at once'));
    expect(arena.usage.allocatedBytes).toBe(0);
    expect(cache.statistics).toMatchObject({ cachedBytes: 0, pinnedBytes: 0 });
    expect(await use(cache, 'a', 100)).toBe(false);
  });

  test('lets one waiter leave without failing the others', async () => {
    const { cache } = createCache();
    const held = heldLoader();
    const first = new AbortController();
    const leaving = failureOf(cache.acquire('a', 100, held.load, first.signal));
    const staying = cache.acquire('a', 100, held.load);
    first.abort(new Error('gone'));
    expect(await leaving).toEqual(new Error('gone'));
    expect(held.seen[0]?.aborted).toBe(false);
    held.resolve();
    using block = await staying;
    expect(block.block.bytes[0]).toBe(1);
    expect(cache.statistics.pinnedBytes).toBe(100);
  });

  test('aborts a load that nobody waits for, keeps its memory until it has ended, and loads anew for the next', async () => {
    const { cache, arena } = createCache();
    const held = heldLoader();
    const caller = new AbortController();
    const leaving = failureOf(cache.acquire('a', 100, held.load, caller.signal));
    caller.abort(new Error('gone'));
    await leaving;
    expect(held.seen[0]?.aborted).toBe(true);
    expect(arena.usage.allocatedBytes).toBeGreaterThan(0);
    using next = await cache.acquire('a', 100, fillWith(5));
    held.resolve(); // the first load writes now, into memory of its own
    await new Promise((resolve) => setImmediate(resolve));
    expect(next.block.bytes[0]).toBe(5);
    expect(cache.statistics.cachedBytes).toBe(100);
  });

  test('does not start for a caller that has gone already', async () => {
    const { cache } = createCache();
    const gone = AbortSignal.abort(new Error('gone'));
    expect(await failureOf(cache.acquire('a', 100, mustNotLoad, gone))).toEqual(new Error('gone'));
  });

  test('forgets a dropped key at once and frees its bytes with the last pin', async () => {
    const { cache, arena } = createCache();
    const old = await cache.acquire('a', 100, fillWith(1));
    cache.drop('a');
    using fresh = await cache.acquire('a', 100, fillWith(2));
    expect([old.block.bytes[0], fresh.block.bytes[0]]).toEqual([1, 2]);
    expect(cache.statistics.cachedBytes).toBe(200);
    old[Symbol.dispose]();
    expect(cache.statistics.cachedBytes).toBe(100);
    cache.drop('absent');
    await use(cache, 'b', 100);
    cache.drop('b');
    expect(arena.usage.allocatedBytes).toBe(128);
  });

  test('holds at most so many blocks', async () => {
    const { cache } = createCache(4 * mib, { blockCountMax: 2 });
    for (const key of ['a', 'b', 'c']) await use(cache, key, 10);
    expect(cache.statistics).toMatchObject({ evictionCount: 1, cachedBytes: 20 });
  });

  test('is told of a key with two sizes, which is a bug', async () => {
    const { cache } = createCache();
    await use(cache, 'a', 10);
    expect(isLagoonError(await failureOf(cache.acquire('a', 11, fillWith(1))), 'internal')).toBe(true);
  });

  test('reports its statistics as metrics', async () => {
    const values = new Map<string, number>();
    const add = (name: string, value: number) => values.set(name, (values.get(name) ?? 0) + value);
    const metrics: Metrics = {
      counter: (name) => ({ add: (value) => void add(name, value) }),
      gauge: (name) => ({ set: (value, { state } = {}) => void values.set([name, state].join(' ').trim(), value) }),
      histogram: () => ({ observe: () => {} }),
    };
    const arena = createArena({ budgetBytes: 2 * mib, scratchBytes: 1024 });
    const cache = createBlockCache({ arena, metrics });
    for (const key of ['a', 'a', 'b']) await use(cache, key, 1.5 * mib);
    const arenaBytes = ['allocated', 'free', 'unreserved'].map(
      (state) => values.get(`lagoon_arena_bytes ${state}`) ?? 0,
    );
    expect(arenaBytes[0]).toBe(1.5 * mib);
    const scratchBytes = arena.scratch.offset + arena.scratch.size;
    expect(arenaBytes.reduce((sum, bytes) => sum + bytes)).toBe(2 * mib - scratchBytes);
    for (const name of [...values.keys()]) if (name.startsWith('lagoon_arena_bytes')) values.delete(name);
    expect(Object.fromEntries(values)).toEqual({
      lagoon_cache_hits_total: 1,
      lagoon_cache_misses_total: 2,
      lagoon_cache_evictions_total: 1,
      lagoon_cache_bytes: 1.5 * mib,
      lagoon_cache_pinned_bytes: 0,
    });
  });

  test('counts evictions that only fragmentation asked for', async () => {
    let fragmentedCount = 0;
    const metrics: Metrics = {
      ...noMetrics,
      counter: (name) => ({
        add: (value) => {
          if (name === 'lagoon_cache_fragmentation_evictions_total') fragmentedCount += value;
        },
      }),
    };
    const cache = createBlockCache({ arena: createArena({ budgetBytes: 4 * mib }), metrics });
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    for (const key of keys) await use(cache, key, mib / 2);
    await use(cache, 'h', mib / 2);
    expect([cache.statistics.evictionCount, fragmentedCount]).toEqual([1, 0]);
    for (const key of ['c', 'e', 'g']) cache.drop(key);
    await use(cache, 'i', mib);
    expect(cache.statistics.evictionCount).toBe(2);
    expect(fragmentedCount).toBe(1);
  });

  test('never shows a holder other bytes than its own, whatever comes and goes', async () => {
    const step = fc.record({
      key: fc.nat(11),
      kind: fc.constantFrom('acquire', 'acquire', 'acquire', 'dispose', 'drop', 'fail'),
      pick: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
        const { cache, arena } = createCache(2 * mib);
        const held: { key: number; pinned: PinnedBlock }[] = [];
        const check = () => {
          for (const { key, pinned } of held) {
            const { bytes } = pinned.block;
            expect([bytes[0], bytes.at(-1), bytes.length]).toEqual([key, key, sizeOf(key)]);
          }
        };
        for (const { key, kind, pick } of steps) {
          if (kind === 'drop') cache.drop(String(key));
          else if (kind === 'dispose') held.splice(pick % (held.length + 1), 1)[0]?.pinned[Symbol.dispose]();
          else {
            const load = kind === 'fail' ? mustNotLoad : fillWith(key);
            const pinned = await cache.acquire(String(key), sizeOf(key), load).catch(() => undefined);
            if (pinned !== undefined) held.push({ key, pinned });
          }
          check();
        }
        for (const { pinned } of held) pinned[Symbol.dispose]();
        expect(cache.statistics.pinnedBytes).toBe(0);
        for (let key = 0; key < 12; key++) cache.drop(String(key));
        expect(cache.statistics.cachedBytes).toBe(0);
        expect(arena.usage.allocatedBytes).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

function sizeOf(key: number): number {
  return 1 + key * 60_000;
}
