import { buildIds } from './build-ids.ts';
import { type MergeSource, mergeBlocks } from './merge-blocks.ts';
import { openBlock } from './open-block.v1.ts';
import type { IdKind } from './schema.ts';
import { writeBlock } from './write-block.v1.ts';

/** A block that deletes the given rows, of any number of blocks; no id may be in two sources. Makes no object per row. */
export function encodeDeletes(idKind: IdKind, sources: readonly MergeSource[]): Uint8Array {
  return writeBlock({ ids: buildIds(idKind, []), deletes: mergedIds(idKind, sources), columns: [] });
}

/** A block with the ids of the given rows and nothing else. */
export function encodeIds(idKind: IdKind, sources: readonly MergeSource[]): Uint8Array {
  return writeBlock({ ids: mergedIds(idKind, sources), deletes: buildIds(idKind, []), columns: [] });
}

function mergedIds(idKind: IdKind, sources: readonly MergeSource[]) {
  if (sources.length === 0) return buildIds(idKind, []);
  const bare = sources.map(({ block, live }) => ({ block: { ...block, columns: new Map() }, live }));
  return openBlock(mergeBlocks(bare), { verify: false }).ids;
}
