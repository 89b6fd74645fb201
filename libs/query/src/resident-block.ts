import { assert } from '@lagoon/base';
import type { PinnedBlock } from '@lagoon/cache';
import { openBlock } from '@lagoon/format';
import type { SegmentReader } from '@lagoon/segment';
import type { PinList } from './acquire-parts.ts';
import type { IndexedFilter } from './indexed-filter.ts';
import type { VisitedLeaves } from './piece-step.ts';
import type { QueryNeeds } from './query-needs.ts';
import type { FilterPlan } from './query-plan.ts';
import type { RowBlock } from './row-ranks.ts';
import type { StoredPlace, StoredSegment } from './stored-segment.ts';

/**
 * A block of a replica in the arena, pinned as long as anybody counts on it: the replica, snapshots and running queries. Opened
 * once on this thread.
 */
export interface ResidentBlock {
  /** Of this block at this place; never used again in this process. */
  readonly blockId: number;
  readonly contentId: string;
  readonly memoryIndex: number;
  readonly offset: number;
  readonly size: number;
  /** Of a segment that is in parts: with the columns that are there so far, another object once its ids are. */
  readonly block: RowBlock;
  /** False: of a segment whose ids are not in memory; its block has none to ask for. */
  readonly hasIds: boolean;
  /** Which parts of a segment are there, another object when more are; undefined: the block is whole. */
  readonly segment: StoredSegment | undefined;
  /** For what is read from the store, row by row; undefined: the block is whole. */
  readonly reader: SegmentReader | undefined;
  /** Whether `ensure` may have something to do. */
  lacks(needs: QueryNeeds): boolean;
  /** Bytes in the arena that are pinned as long as the block is held. */
  readonly heldBytes: number;
  /** Brings what a query needs into the arena; nothing to do for a whole block. */
  ensure(needs: QueryNeeds, signal?: AbortSignal): Promise<void>;
  /** False: no row of it matches the filter, by what its manifest says alone. */
  mayMatch(filter: FilterPlan): boolean;
  /** Looks up what the indexes of a segment know of a filter; undefined: nothing. What it brings into the arena is the pin list's. */
  lookUp(filter: FilterPlan, pins: PinList, signal?: AbortSignal): Promise<IndexedFilter | undefined>;
  /** Bytes that ANN over an attribute needs and that are not in memory. */
  missingBytes(attribute: string): number;
  /** The lists of the leaves that are visited, in their order. What it brings into the arena is the pin list's. */
  loadPieces(
    attribute: string,
    visited: VisitedLeaves,
    requestCountMax: number,
    pins: PinList,
    signal?: AbortSignal,
  ): Promise<readonly StoredPlace[]>;
  retain(): void;
  /** The last one unpins. */
  release(): void;
}

/** The caller holds the first count. `onGone` is told when the last one is given back. */
export function createResidentBlock(
  blockId: number,
  contentId: string,
  pinned: PinnedBlock,
  onGone: (blockId: number) => void,
): ResidentBlock {
  const { memoryIndex, offset, size, bytes } = pinned.block;
  let holderCount = 1;
  return {
    blockId,
    contentId,
    memoryIndex,
    offset,
    size,
    block: openBlock(bytes, { verify: false }),
    hasIds: true,
    segment: undefined,
    reader: undefined,
    lacks: () => false,
    heldBytes: size,
    ensure: async () => {},
    mayMatch: () => true,
    lookUp: async () => undefined,
    missingBytes: () => 0,
    loadPieces: async () => [],
    retain: () => {
      assert(holderCount > 0, 'a block that is retained is held by somebody');
      holderCount++;
    },
    release: () => {
      assert(holderCount > 0, 'a block is released once per hold');
      if (--holderCount > 0) return;
      onGone(blockId);
      pinned[Symbol.dispose]();
    },
  };
}
