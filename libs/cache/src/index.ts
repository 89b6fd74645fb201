export { type BlockCacheDeps, type BlockCacheOptions, createBlockCache } from './arena-block-cache.ts';
export type { BlockCache, BlockCacheStatistics, BlockLoader, PinnedBlock } from './block-cache.ts';
export { type DiskCache, openDiskCache } from './disk-cache.ts';
