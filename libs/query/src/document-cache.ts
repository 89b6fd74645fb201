import { createSingleFlight } from '@lagoon/base';
import type { Block } from '@lagoon/format';
import { createBytesLru } from './bytes-lru.ts';
import { waitFor } from './wait-for.ts';

/** Decompressed blocks of documents by key, bounded by their bytes; one load per key, however many queries wait for it. */
export interface DocumentCache {
  /** A load goes on without the query that began it. */
  read(key: string, load: () => Promise<Block>, signal?: AbortSignal): Promise<Block>;
  purge(isMeant: (key: string) => boolean): void;
}

export function createDocumentCache(bytesMax: number): DocumentCache {
  const blocks = createBytesLru<Block>(bytesMax);
  const loadOnce = createSingleFlight<Block>();
  return {
    read: async (key, load, signal) => {
      const known = blocks.get(key);
      if (known !== undefined) return known;
      const loaded = loadOnce(key, async () => {
        const block = await load();
        blocks.set(key, block, block.bytes.length);
        return block;
      });
      return await waitFor(loaded, signal);
    },
    purge: blocks.purge,
  };
}
