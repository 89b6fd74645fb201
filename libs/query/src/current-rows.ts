import { type Block, forEachCommonId, getBit, type IdColumn, type Schema } from '@lagoon/format';
import type { Manifest } from '@lagoon/namespace';
import { createPreparedMatches } from './prepared-matches.ts';
import type { FilterPlan } from './query-plan.ts';
import { type ContentDeps, createReplicaContent } from './replica-content.ts';
import { rowOfRank } from './row-ranks.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * The rows of one incarnation at a generation that the caller fixes: for writers, who apply their own entries and those that
 * they lost to. Unlike a replica it reads no log. Calls are not to overlap.
 */
export interface CurrentRows {
  /** Begins anew: the manifest's segments, then whatever is applied on top. */
  reset(manifest: Manifest, signal?: AbortSignal): Promise<void>;
  apply(generation: number, incarnation: string, parts: readonly Uint8Array[], signal?: AbortSignal): Promise<void>;
  /** Moves rows that a newer manifest has indexed to its segments; what the rows are stays the same. */
  compact(manifest: Manifest, signal?: AbortSignal): Promise<void>;
  /** Fixed: later calls do not change it. The one before is let go. */
  publish(generation: number, schema: Schema): RowSnapshot;
  close(): void;
}

export interface RowSnapshot {
  readonly generation: number;
  /** Calls back with the place of every one of the ids that has a row. */
  find(ids: IdColumn, onFound: (index: number, block: Block, row: number) => void): void;
  /** The rows that a checked filter admits, by block; blocks without any are left out. */
  match(filter: FilterPlan): Map<Block, Uint8Array>;
  /** Finds what `match` will answer, a few rows at a time, where that takes long: filters that read texts. */
  prepare(filter: FilterPlan, breathe: () => Promise<void>): Promise<void>;
}

export function createCurrentRows(deps: Omit<ContentDeps, 'nextId' | 'onBlockGone' | 'onSnapshotGone'>): CurrentRows {
  let lastId = 0;
  const content = createReplicaContent({
    ...deps,
    nextId: () => ++lastId,
    onBlockGone: () => {},
    onSnapshotGone: () => {},
  });
  let held: Disposable | undefined;
  const letGo = (): void => {
    held?.[Symbol.dispose]();
    held = undefined;
  };
  return {
    reset: async (manifest, signal) => {
      letGo();
      content.clear();
      await content.applyManifest(manifest, signal);
    },
    apply: async (generation, incarnation, parts, signal) => {
      for (const [part, bytes] of parts.entries()) {
        await content.applyPart(generation, `tail/${incarnation}/${generation}/${part}`, bytes, signal);
      }
    },
    compact: (manifest, signal) => content.applyManifest(manifest, signal),
    publish: (generation, schema) => {
      const snapshot = content.publish(generation, schema);
      const hold = snapshot.hold();
      letGo();
      held = hold;
      return rowsOf(snapshot);
    },
    close: () => {
      letGo();
      content.close();
    },
  };
}

function rowsOf(snapshot: Snapshot): RowSnapshot {
  const parts = snapshot.blocks.map(({ block }, index) => ({ block, live: snapshot.locations[index]?.live }));
  return {
    generation: snapshot.generation,
    find: (ids, onFound) => {
      for (const { block, live } of parts) {
        forEachCommonId(ids, block.ids, (index, rank) => {
          const row = rowOfRank(block, rank);
          if (live === undefined || getBit(live, row)) onFound(index, block, row);
        });
      }
    },
    ...createPreparedMatches(parts),
  };
}
