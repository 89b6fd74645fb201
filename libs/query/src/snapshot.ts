import { mapBounded } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import type { BlockLocation } from './job-block.ts';
import type { QueryNeeds } from './query-needs.ts';
import type { ResidentBlock } from './resident-block.ts';

/**
 * The content of a namespace at one generation, never changed: what one query works on from its start to its end. Its blocks
 * stay pinned until the last holder has let go.
 */
export interface Snapshot {
  /** Of the list of locations, unique in the process: another one when parts of segments have come. */
  readonly snapshotId: number;
  readonly generation: number;
  readonly schema: Schema;
  /** What ANN queries aim at that do not say it; undefined: the default. */
  readonly recall: number | undefined;
  /** Blocks with live rows; `locations[i]` is where `blocks[i]` lies. */
  readonly blocks: readonly ResidentBlock[];
  readonly locations: readonly BlockLocation[];
  readonly liveRowCount: number;
  /** Brings what a query needs of its blocks into the arena, of each what `needsOf` says; the caller holds the snapshot. */
  ensure(needsOf: (block: ResidentBlock) => QueryNeeds, signal?: AbortSignal): Promise<void>;
  /** A hold on the blocks, to be disposed of once. */
  hold(): Disposable;
}

/** Blocks whose parts are loaded at once. */
const concurrentBlockCountMax = 8;

export interface SnapshotPart {
  readonly resident: ResidentBlock;
  readonly live: Uint8Array | undefined;
  readonly liveRowCount: number;
}

/** The caller holds the snapshot by `hold()`; without a holder it lets its blocks go. */
export function createSnapshot(
  identity: Pick<Snapshot, 'generation' | 'schema' | 'recall'>,
  parts: readonly SnapshotPart[],
  nextId: () => number,
  onGone: (snapshotId: number) => void,
): Snapshot {
  const used = parts.filter((part) => part.liveRowCount > 0);
  const blocks = used.map((part) => part.resident);
  let holderCount = 0;
  const snapshotIds: number[] = [];
  let locations: readonly BlockLocation[] = [];
  /** The same list as long as no part of a segment has come. */
  const current = (): readonly BlockLocation[] => {
    const isCurrent =
      snapshotIds.length > 0 && used.every(({ resident }, i) => locations[i]?.segment === resident.segment);
    if (!isCurrent) {
      locations = used.map(toLocation);
      snapshotIds.push(nextId());
    }
    return locations;
  };
  return {
    ...identity,
    blocks,
    get snapshotId() {
      current();
      return snapshotIds.at(-1) as number;
    },
    get locations() {
      return current();
    },
    ensure: async (needsOf, signal) => {
      await mapBounded(
        blocks.filter((block) => block.lacks(needsOf(block))),
        concurrentBlockCountMax,
        (block, _index, inner) => block.ensure(needsOf(block), inner),
        signal,
      );
    },
    liveRowCount: used.reduce((sum, part) => sum + part.liveRowCount, 0),
    hold: () => {
      if (holderCount++ === 0) for (const block of blocks) block.retain();
      let disposed = false;
      return {
        [Symbol.dispose]: () => {
          if (disposed) return;
          disposed = true;
          if (--holderCount > 0) return;
          for (const snapshotId of snapshotIds) onGone(snapshotId);
          for (const block of blocks) block.release();
        },
      };
    },
  };
}

function toLocation({ resident, live, liveRowCount }: SnapshotPart): BlockLocation {
  const { blockId, contentId, memoryIndex, offset, size, segment } = resident;
  return { blockId, contentId, memoryIndex, offset, size, live, liveRowCount, segment };
}
