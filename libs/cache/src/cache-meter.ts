import type { Metrics } from '@lagoon/base';
import type { BlockCacheStatistics } from './block-cache.ts';

/** Counts what the cache does, for its statistics and as `lagoon_cache_*` metrics. */
export interface CacheMeter {
  hit(): void;
  miss(): void;
  evicted(): void;
  added(size: number): void;
  removed(size: number): void;
  pinned(size: number): void;
  unpinned(size: number): void;
  readonly statistics: BlockCacheStatistics;
}

export function createCacheMeter(metrics: Metrics): CacheMeter {
  const hits = metrics.counter('lagoon_cache_hits_total', 'Blocks that were in the memory cache when asked for.');
  const misses = metrics.counter('lagoon_cache_misses_total', 'Blocks that had to be loaded into the memory cache.');
  const evictions = metrics.counter('lagoon_cache_evictions_total', 'Blocks evicted from the memory cache.');
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
    evicted: () => {
      evictionCount++;
      evictions.add(1);
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
