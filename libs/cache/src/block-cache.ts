import type { ArenaBlock } from '@lagoon/vector';

/**
 * Immutable bytes by key, in the arena: LRU by bytes, pinned while in use, one load per key however many wait.
 */
export interface BlockCache {
  /**
   * The block of `key`, loaded by `load` when absent. Pinned until disposed of: a pinned block is never evicted.
   * `resource_exhausted` when everything else is pinned and `size` does not fit.
   * A waiter whose signal aborts leaves with the signal's reason; the load goes on for the others.
   */
  acquire(key: string, size: number, load: BlockLoader, signal?: AbortSignal): Promise<PinnedBlock>;
  /** Whether the key's block is there, without counting as a use. */
  has(key: string): boolean;
  /** Drops the key's block as soon as nobody pins it. Who acquires the key from now on loads it anew. */
  drop(key: string): void;
  /** Drops all blocks whose keys are meant. */
  purge(isMeant: (key: string) => boolean): void;
  readonly statistics: BlockCacheStatistics;
  /** Bytes that blocks can take together. */
  readonly budgetBytes: number;
}

/**
 * Fills exactly `target.byteLength` bytes, or throws; nothing is cached then. `target` holds old bytes and must not be
 * written to after the promise has settled. `signal` aborts when no waiter is left: use it, not that of one caller.
 */
export type BlockLoader = (target: Uint8Array, signal: AbortSignal) => Promise<void>;

export interface PinnedBlock extends Disposable {
  readonly block: ArenaBlock;
  /** Whether it was in the cache already; false also for one who joined a load under way. */
  readonly hit: boolean;
}

export interface BlockCacheStatistics {
  readonly hitCount: number;
  readonly missCount: number;
  readonly evictionCount: number;
  readonly cachedBytes: number;
  readonly pinnedBytes: number;
}
