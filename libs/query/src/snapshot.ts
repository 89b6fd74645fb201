import type { Schema } from '@lagoon/format';
import type { BlockLocation } from './job-block.ts';
import type { ResidentBlock } from './resident-block.ts';

/**
 * The content of a namespace at one generation, never changed: what one query works on from its start to its end. Its blocks
 * stay pinned until the last holder has let go.
 */
export interface Snapshot {
  /** Unique in the process. */
  readonly snapshotId: number;
  readonly generation: number;
  readonly schema: Schema;
  /** Blocks with live rows; `locations[i]` is where `blocks[i]` lies. */
  readonly blocks: readonly ResidentBlock[];
  readonly locations: readonly BlockLocation[];
  readonly liveRowCount: number;
  /** A hold on the blocks, to be disposed of once. */
  hold(): Disposable;
}

export interface SnapshotPart {
  readonly resident: ResidentBlock;
  readonly live: Uint8Array | undefined;
  readonly liveRowCount: number;
}

/** The caller holds the snapshot by `hold()`; without a holder it lets its blocks go. */
export function createSnapshot(
  identity: { readonly snapshotId: number; readonly generation: number; readonly schema: Schema },
  parts: readonly SnapshotPart[],
  onGone: (snapshotId: number) => void,
): Snapshot {
  const used = parts.filter((part) => part.liveRowCount > 0);
  const blocks = used.map((part) => part.resident);
  let holderCount = 0;
  return {
    ...identity,
    blocks,
    locations: used.map(toLocation),
    liveRowCount: used.reduce((sum, part) => sum + part.liveRowCount, 0),
    hold: () => {
      if (holderCount++ === 0) for (const block of blocks) block.retain();
      let disposed = false;
      return {
        [Symbol.dispose]: () => {
          if (disposed) return;
          disposed = true;
          if (--holderCount > 0) return;
          onGone(identity.snapshotId);
          for (const block of blocks) block.release();
        },
      };
    },
  };
}

function toLocation({ resident, live, liveRowCount }: SnapshotPart): BlockLocation {
  const { blockId, contentId, memoryIndex, offset, size } = resident;
  return { blockId, contentId, memoryIndex, offset, size, live, liveRowCount };
}
