import { unpackSparseEntry } from '@lagoon/format';
import { buildSparseIndex, type SparseIndex } from '@lagoon/text';
import { createBytesLru } from './bytes-lru.ts';

/** Indexes of sparse vectors that one thread has searched, built at their first use; by content, bounded by their bytes. */
export interface SparseIndexes {
  indexOf(key: string, column: SparseColumn): SparseIndex;
}

interface SparseColumn {
  readonly rowCount: number;
  readonly rowOffsets: Uint32Array;
  readonly entries: BigUint64Array;
}

export function createSparseIndexes(bytesMax: number): SparseIndexes {
  const indexes = createBytesLru<SparseIndex>(bytesMax);
  return {
    indexOf: (key, column) => {
      const known = indexes.get(key);
      if (known !== undefined) return known;
      const index = buildSparseIndex({ ...column, unpack: unpackSparseEntry });
      indexes.set(key, index, Math.min(index.memoryBytes, bytesMax)); // the newest one stays, however large
      return index;
    },
  };
}
