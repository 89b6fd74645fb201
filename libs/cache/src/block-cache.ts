import type { ArenaBlock } from '@lagoon/vector';

/**
 * Immutable bytes by key, in the arena: LRU by bytes, pinned while in use, one load per key however many wait.
 */
export interface BlockCache {
  /**
   * The block of `key`, loaded by `load` when absent. Pinned until disposed of: a pinned block is never evicted.
   * `resource_exhausted` when everything else is pinned and `size` does not fit.
   */
  acquire(key: string, size: number, load: BlockLoader, signal?: AbortSignal): Promise<PinnedBlock>;
  /** Drops the key's block as soon as nobody pins it. */
  drop(key: string): void;
  readonly statistics: BlockCacheStatistics;
}

/** Fills exactly `target.byteLength` bytes, or throws; nothing is cached then. */
export type BlockLoader = (target: Uint8Array) => Promise<void>;

export interface PinnedBlock extends Disposable {
  readonly block: ArenaBlock;
  /** Whether it was in the cache already. */
  readonly hit: boolean;
}

export interface BlockCacheStatistics {
  readonly hitCount: number;
  readonly missCount: number;
  readonly evictionCount: number;
  readonly cachedBytes: number;
  readonly pinnedBytes: number;
}
