import type { BlockCache } from '@lagoon/cache';

/**
 * A part of a cache that shares nothing with the rest but its room: what lies in it is found by nobody else, and what others have loaded is not
 * found here. Disposed of, it drops everything, as soon as nobody pins it.
 */
export function createPrivateCache(cache: BlockCache, name: string): BlockCache & Disposable {
  const prefix = `${name}\n`;
  const purge: BlockCache['purge'] = (isMeant) =>
    cache.purge((key) => key.startsWith(prefix) && isMeant(key.slice(prefix.length)));
  return {
    acquire: (key, size, load, signal) => cache.acquire(prefix + key, size, load, signal),
    has: (key) => cache.has(prefix + key),
    drop: (key) => cache.drop(prefix + key),
    purge,
    get statistics() {
      return cache.statistics;
    },
    budgetBytes: cache.budgetBytes,
    [Symbol.dispose]: () => purge(() => true),
  };
}
