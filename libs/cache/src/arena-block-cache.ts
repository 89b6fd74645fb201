import { assert, LagoonError, type Metrics, noMetrics } from '@lagoon/base';
import type { Arena, ArenaBlock } from '@lagoon/vector';
import type { BlockCache, BlockLoader, PinnedBlock } from './block-cache.ts';
import { type ArenaBytes, createCacheMeter } from './cache-meter.ts';

export interface BlockCacheDeps {
  readonly arena: Arena;
  readonly metrics?: Metrics;
}

export interface BlockCacheOptions {
  /** What a caller is told to wait when everything is pinned. */
  readonly retryAfterMs?: number;
  /** Blocks at most, pinned or not: each costs some hundred bytes of heap beside the arena's. */
  readonly blockCountMax?: number;
}

/**
 * Invariants:
 * - a block in the cache is `loading` or `ready`; its bytes are in the arena exactly as long as its entry exists;
 * - `pinCount` > 0 or loading: never evicted; the loader's bytes are written only while loading;
 * - `idle` holds the ready, unpinned, not dropped entries, least recently used first: eviction takes its first;
 * - a dropped entry is out of `entries` at once and freed by its last unpin.
 */
export function createBlockCache(deps: BlockCacheDeps, options: BlockCacheOptions = {}): BlockCache {
  const { arena, metrics = noMetrics } = deps;
  const { retryAfterMs = 100, blockCountMax = 1_000_000 } = options;
  const entries = new Map<string, Entry>();
  const idle = new Set<Entry>();
  const meter = createCacheMeter(metrics);

  /** What is no block's for good is none of these. */
  const arenaBytes = (): ArenaBytes => {
    const { allocatedBytes, reservedBytes, budgetBytes } = arena.usage;
    const fixedBytes = arena.memories.length * (arena.scratch.offset + arena.scratch.size);
    const free = Math.max(0, reservedBytes - allocatedBytes - fixedBytes);
    return { allocated: allocatedBytes, free, unreserved: budgetBytes - reservedBytes };
  };

  const release = (entry: Entry) => {
    assert(entry.pinCount === 0, 'a freed block is not pinned');
    idle.delete(entry);
    if (entries.get(entry.key) === entry) entries.delete(entry.key);
    arena.free(entry.block);
    meter.arena(arenaBytes());
    meter.removed(entry.block.size);
  };

  const evictOne = (isFragmented = false): boolean => {
    const [oldest] = idle;
    if (oldest === undefined) return false;
    release(oldest);
    meter.evicted(isFragmented);
    return true;
  };

  const allocate = (key: string, size: number): ArenaBlock => {
    const exhausted = () =>
      new LagoonError('resource_exhausted', 'the block cache is full of blocks in use', {
        reason: 'backpressure',
        context: { key, size, pinnedBytes: meter.statistics.pinnedBytes, budgetBytes: arena.usage.budgetBytes },
        retryAfterMs,
      });
    // Nothing is evicted for a block that cannot fit even then.
    if (size > arena.blockBytesMax || size + meter.statistics.pinnedBytes > arena.usage.budgetBytes) throw exhausted();
    while (entries.size >= blockCountMax) if (!evictOne()) throw exhausted();
    for (;;) {
      const block = arena.allocate(size);
      if (block !== undefined) {
        meter.arena(arenaBytes());
        return block;
      }
      if (!evictOne(arenaBytes().free >= size)) throw exhausted();
    }
  };

  const pin = (entry: Entry, hit: boolean): PinnedBlock => {
    idle.delete(entry);
    if (entry.pinCount++ === 0) meter.pinned(entry.block.size);
    let disposed = false;
    return {
      block: entry.block,
      hit,
      [Symbol.dispose]: () => {
        if (disposed) return;
        disposed = true;
        unpin(entry);
      },
    };
  };

  const unpin = (entry: Entry) => {
    if (--entry.pinCount > 0) return;
    meter.unpinned(entry.block.size);
    if (entries.get(entry.key) === entry) idle.add(entry);
    else release(entry);
  };

  const start = (key: string, size: number, load: BlockLoader): Entry => {
    const entry: Entry = { key, block: allocate(key, size), pinCount: 0, load: undefined };
    const loading: Load = { waiters: new Set(), controller: new AbortController() };
    entry.load = loading;
    entries.set(key, entry);
    meter.added(size);
    // The load itself holds a pin, so its memory is nobody else's until it has settled.
    const hold = pin(entry, false);
    const settle = (deliver: (waiter: Waiter) => void) => {
      entry.load = undefined;
      for (const waiter of loading.waiters) deliver(waiter);
      hold[Symbol.dispose]();
    };
    runLoad(load, entry.block.bytes, loading.controller.signal).then(
      () => settle((waiter) => waiter.resolve(pin(entry, false))),
      (error: unknown) => {
        if (entries.get(key) === entry) entries.delete(key);
        settle((waiter) => waiter.reject(error));
      },
    );
    return entry;
  };

  const wait = (loading: Load, entry: Entry, signal?: AbortSignal): Promise<PinnedBlock> =>
    new Promise((resolve, reject) => {
      const leave = () => {
        loading.waiters.delete(waiter);
        if (loading.waiters.size === 0) {
          // Whoever comes now must not join a load that is being given up.
          if (entries.get(entry.key) === entry) entries.delete(entry.key);
          loading.controller.abort(signal?.reason);
        }
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        resolve: (block) => {
          signal?.removeEventListener('abort', leave);
          resolve(block);
        },
        reject: (error) => {
          signal?.removeEventListener('abort', leave);
          reject(error);
        },
      };
      loading.waiters.add(waiter);
      signal?.addEventListener('abort', leave, { once: true });
      if (signal?.aborted) leave(); // by the loader's own first step
    });

  const drop = (key: string): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    if (entry.pinCount === 0) release(entry);
  };

  return {
    acquire: async (key, size, load, signal) => {
      signal?.throwIfAborted();
      const present = entries.get(key);
      if (present !== undefined) assert(present.block.size === size, 'a key always has the same size');
      if (present !== undefined && present.load === undefined) {
        meter.hit();
        return pin(present, true);
      }
      meter.miss();
      const entry = present ?? start(key, size, load);
      assert(entry.load !== undefined, 'a block that is not ready is loading');
      return wait(entry.load, entry, signal);
    },
    has: (key) => {
      const entry = entries.get(key);
      return entry !== undefined && entry.load === undefined;
    },
    drop,
    purge: (isMeant) => {
      for (const key of [...entries.keys()]) if (isMeant(key)) drop(key);
    },
    get statistics() {
      return meter.statistics;
    },
    budgetBytes: arena.usage.budgetBytes,
  };
}

interface Entry {
  readonly key: string;
  readonly block: ArenaBlock;
  pinCount: number;
  /** While the bytes are being loaded. */
  load: Load | undefined;
}

interface Load {
  readonly waiters: Set<Waiter>;
  readonly controller: AbortController;
}

interface Waiter {
  resolve(block: PinnedBlock): void;
  reject(error: unknown): void;
}

/** A loader that throws before its first await fails like any other. */
async function runLoad(load: BlockLoader, target: Uint8Array, signal: AbortSignal): Promise<void> {
  await load(target, signal);
}
