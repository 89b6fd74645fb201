import { mapBounded } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import type { BlockLocation } from './job-block.ts';
import { continueLiveRows, killRows } from './live-rows.ts';
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
  /** Too high where the ids are not in memory that tell which rows of a segment died. */
  readonly liveRowCount: number;
  /** Where rows of segments may have died whose ids are not in memory: the blocks that say which, by their ids and deletes. */
  readonly killers: readonly ResidentBlock[];
  /**
   * Brings what a query needs of its blocks into the arena, of each what `needsOf` says; the caller holds the snapshot. What then
   * is in `locations` has the live rows that it needs.
   */
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
  /** Rows of it that the killers write or delete live still. */
  readonly isBehind: boolean;
}

/** The caller holds the snapshot by `hold()`; without a holder it lets its blocks go. */
export function createSnapshot(
  identity: Pick<Snapshot, 'generation' | 'schema' | 'recall'>,
  parts: readonly SnapshotPart[],
  tail: readonly ResidentBlock[],
  nextId: () => number,
  onGone: (snapshotId: number) => void,
): Snapshot {
  const used = parts.filter((part) => part.liveRowCount > 0);
  const blocks = used.map((part) => part.resident);
  const killers = used.some((part) => part.isBehind) ? tail : [];
  let holderCount = 0;
  const snapshotIds: number[] = [];
  let locations: readonly BlockLocation[] = [];
  /** The same list as long as no part of a segment has come. */
  const current = (): readonly BlockLocation[] => {
    for (const [i, part] of used.entries()) {
      if (part.isBehind && part.resident.hasIds) used[i] = caughtUp(part, killers);
    }
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
      const needsOfPart = ({ resident, isBehind }: SnapshotPart): QueryNeeds => {
        const needs = needsOf(resident);
        return isBehind && needs.ids === 'live' ? { ...needs, ids: 'all' } : needs;
      };
      await mapBounded(
        used.filter((part) => part.resident.lacks(needsOfPart(part))),
        concurrentBlockCountMax,
        (part, _index, inner) => part.resident.ensure(needsOfPart(part), inner),
        signal,
      );
    },
    get liveRowCount() {
      current();
      return used.reduce((sum, part) => sum + part.liveRowCount, 0);
    },
    killers,
    hold: () => {
      if (holderCount++ === 0) for (const block of [...blocks, ...killers]) block.retain();
      let disposed = false;
      return {
        [Symbol.dispose]: () => {
          if (disposed) return;
          disposed = true;
          if (--holderCount > 0) return;
          for (const snapshotId of snapshotIds) onGone(snapshotId);
          for (const block of [...blocks, ...killers]) block.release();
        },
      };
    },
  };
}

/** Found again by each snapshot that has it behind, until the next one is made of what is in memory then. */
function caughtUp(part: SnapshotPart, killers: readonly ResidentBlock[]): SnapshotPart {
  const { block } = part.resident;
  const live = continueLiveRows(block.rowCount, part.live);
  for (const killer of killers) killRows(block, live, killer.block.ids, killer.block.deletes);
  return { ...part, live: live.publish(), liveRowCount: live.count, isBehind: false };
}

function toLocation({ resident, live, liveRowCount }: SnapshotPart): BlockLocation {
  const { blockId, contentId, memoryIndex, offset, size, segment } = resident;
  return { blockId, contentId, memoryIndex, offset, size, live, liveRowCount, segment };
}
