import type { Metrics } from '@lagoon/base';
import type { BlockCacheStatistics } from './block-cache.ts';

/** Counts what the cache does, for its statistics and as `lagoon_cache_*` metrics. */
export interface CacheMeter {
  hit(): void;
  miss(): void;
  /** Fragmented: enough was free, but in pieces. */
  evicted(isFragmented: boolean): void;
  /** After blocks of the arena came or went. */
  arena(bytes: ArenaBytes): void;
  added(size: number): void;
  removed(size: number): void;
  pinned(size: number): void;
  unpinned(size: number): void;
  readonly statistics: BlockCacheStatistics;
}

export interface ArenaBytes {
  /** In blocks, rounded up to their size classes. */
  readonly allocated: number;
  /** Taken from the system and in no block. */
  readonly free: number;
  /** Of the budget, not taken yet. */
  readonly unreserved: number;
}

export function createCacheMeter(metrics: Metrics): CacheMeter {
  const hits = metrics.counter('lagoon_cache_hits_total', 'Blocks that were in the memory cache when asked for.');
  const misses = metrics.counter('lagoon_cache_misses_total', 'Blocks that had to be loaded into the memory cache.');
  const evictions = metrics.counter('lagoon_cache_evictions_total', 'Blocks evicted from the memory cache.');
  const fragmented = metrics.counter(
    'lagoon_cache_fragmentation_evictions_total',
    'Blocks evicted from the memory cache although enough bytes were free, in pieces.',
  );
  const arenaGauge = metrics.gauge('lagoon_arena_bytes', 'Bytes of the memory for cached blocks, by state.', ['state']);
  const cached = metrics.gauge('lagoon_cache_bytes', 'Bytes of blocks in the memory cache.');
  const pinnedGauge = metrics.gauge(
    'lagoon_cache_pinned_bytes',
    'Bytes of blocks in the memory cache that are in use.',
  );
  let hitCount = 0;
  let missCount = 0;
  let evictionCount = 0;
  let cachedBytes = 0;
  let pinnedBytes = 0;
  const addCached = (size: number) => {
    cachedBytes += size;
    cached.set(cachedBytes);
  };
  const addPinned = (size: number) => {
    pinnedBytes += size;
    pinnedGauge.set(pinnedBytes);
  };
  return {
    hit: () => {
      hitCount++;
      hits.add(1);
    },
    miss: () => {
      missCount++;
      misses.add(1);
    },
    evicted: (isFragmented) => {
      evictionCount++;
      evictions.add(1);
      if (isFragmented) fragmented.add(1);
    },
    arena: (bytes) => {
      for (const [state, value] of Object.entries(bytes)) arenaGauge.set(value, { state });
    },
    added: (size) => addCached(size),
    removed: (size) => addCached(-size),
    pinned: (size) => addPinned(size),
    unpinned: (size) => addPinned(-size),
    get statistics() {
      return { hitCount, missCount, evictionCount, cachedBytes, pinnedBytes };
    },
  };
}
