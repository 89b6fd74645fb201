import type { Block } from '@lagoon/format';

/** Decompressed blocks of documents by key, bounded by bytes; the least recently used go first. Immutable, so never stale. */
export interface DocumentCache {
  get(key: string, load: () => Promise<Block>): Promise<Block>;
}

export function createDocumentCache(bytesMax: number): DocumentCache {
  const blocks = new Map<string, Block>(); // least recently used first
  let bytes = 0;
  const remove = (key: string, block: Block): void => {
    blocks.delete(key);
    bytes -= block.bytes.length;
  };
  return {
    get: async (key, load) => {
      const known = blocks.get(key);
      if (known !== undefined) {
        blocks.delete(key);
        blocks.set(key, known);
        return known;
      }
      const block = await load();
      const present = blocks.get(key);
      if (present !== undefined) remove(key, present); // loaded twice at once
      blocks.set(key, block);
      bytes += block.bytes.length;
      for (const [oldest, old] of blocks) {
        if (bytes <= bytesMax) break;
        remove(oldest, old);
      }
      return block;
    },
  };
}
