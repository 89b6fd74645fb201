export type { BlockCache, BlockCacheStatistics, BlockLoader, PinnedBlock } from './block-cache.ts';
