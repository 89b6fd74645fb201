import { assert } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import type { SegmentReference } from '@lagoon/namespace';
import type { CompactorConfig } from './config.ts';

/**
 * Which segments become one. A segment's size is that of its live rows, as a share of the largest segment; tiers divide sizes by the fan-in.
 *
 * - A tier holds fewer segments than the fan-in: as many are merged, and rise by a tier. So a row is rewritten about once per tier.
 * - What is above half of the largest segment is at the top and never merged again for its size.
 * - In the highest tier below, a merge takes as many as fill one segment, so its result is at the top.
 * - All sizes below a bound are one tier: there a manifest costs more than its rows.
 * - A segment with too many dead rows is rewritten by itself.
 * - A quiet namespace with lists of vectors is left with fewer: see `chooseQuietMerge`.
 */
export type MergePolicy = Pick<
  CompactorConfig,
  'mergeFanIn' | 'mergeBytesMax' | 'mergeRowsMax' | 'mergeDeadPercent' | 'mergeDeadBytesMin'
>;

/** What a segment weighs. */
export interface SegmentWeight {
  readonly bytes: number;
  readonly rowCount: number;
  readonly liveRowCount: number;
}

export function weightOf({ object, rowCount, liveRowCount }: SegmentReference): SegmentWeight {
  return { bytes: object.size, rowCount, liveRowCount };
}

/** Smaller segments are of one tier. */
const lowestTierBytes = 64 << 10;

/** The segments to merge, as ascending indexes; none: []. */
export function chooseMerge(segments: readonly SegmentWeight[], policy: MergePolicy): readonly number[] {
  const shares = segments.map((segment) => shareOf(segment, policy));
  const lowest = tierOf(0, policy);
  for (let tier = lowest; tier > 0; tier--) {
    const chosen = fillFrom(shares, tier, policy);
    if (chosen.length > 1) return chosen.sort((a, b) => a - b);
  }
  const wasteful = segments.findIndex((segment) => isWasteful(segment, policy));
  return wasteful < 0 ? [] : [wasteful];
}

/** Leaves and candidates of every segment compete: a query by vectors pays for each. Others pay little, and all would pay for the writing. */
export function gainsByQuiet({ attributes }: Schema): boolean {
  return attributes.values().some(({ ann }) => ann !== undefined);
}

/** Nobody writes: a result is so many times as large as the largest of its sources, at least. */
const quietGrowthMin = 3;

/**
 * For a namespace of which no tier is full and nothing was written for a while: the most segments below the top, from the smallest on, that make one which is
 * so much larger than each of them. So a row is rewritten for it a few times at most, as its segment grows threefold each time.
 */
export function chooseQuietMerge(segments: readonly SegmentWeight[], policy: MergePolicy): readonly number[] {
  const below = segments
    .map((segment, index) => ({ index, share: shareOf(segment, policy) }))
    .filter(({ share }) => tierOf(share, policy) > 0)
    .sort((a, b) => a.share - b.share || a.index - b.index)
    .slice(0, sourceCountMax);
  let chosenCount = 0;
  let total = 0;
  for (const [position, { share }] of below.entries()) {
    total += share;
    if (total > 1) break;
    if (total >= quietGrowthMin * share) chosenCount = position + 1;
  }
  return below
    .slice(0, chosenCount)
    .map(({ index }) => index)
    .sort((a, b) => a - b);
}

/**
 * The oldest members of a full tier, as many as fit into one segment; then of each tier that their merge would fill in turn, as that would be
 * merged next anyway.
 */
function fillFrom(shares: readonly number[], lowest: number, policy: MergePolicy): number[] {
  const chosen: number[] = [];
  let share = 0;
  for (let tier = lowest; tier > 0; tier = tierOf(share, policy)) {
    const members = shares.flatMap((own, index) =>
      tierOf(own, policy) === tier && !chosen.includes(index) ? index : [],
    );
    const others = members.reduce((sum, index) => sum + (shares[index] as number), 0);
    const isFull = members.length + Math.min(1, chosen.length) >= policy.mergeFanIn;
    if (!isFull && !(tier === 1 && share + others >= 1)) break;
    const before = chosen.length;
    for (const index of members) {
      const own = shares[index] as number;
      if (share + own > 1 || chosen.length === sourceCountMax) break;
      chosen.push(index);
      share += own;
    }
    if (chosen.length === before) break;
  }
  return chosen;
}

/** What one merge reads at most. */
const sourceCountMax = 64;

/** Of the largest segment, by bytes or by rows, whichever is more. */
function shareOf({ bytes, rowCount, liveRowCount }: SegmentWeight, policy: MergePolicy): number {
  const liveBytes = rowCount === 0 ? 0 : (bytes * liveRowCount) / rowCount;
  return Math.max(liveBytes / policy.mergeBytesMax, liveRowCount / policy.mergeRowsMax);
}

/** 0: at the top. 1 is the highest tier below, of shares down to 1 / fan-in, and so on. */
function tierOf(share: number, { mergeFanIn, mergeBytesMax }: MergePolicy): number {
  assert(mergeFanIn > 1, 'a merge takes two segments at least');
  if (share > 1 / 2) return 0;
  const shareMin = Math.min(1 / mergeFanIn, lowestTierBytes / mergeBytesMax);
  let tier = 1;
  for (let bound = 1 / mergeFanIn; share < bound && bound > shareMin; bound /= mergeFanIn) tier++;
  return tier;
}

function isWasteful({ bytes, rowCount, liveRowCount }: SegmentWeight, policy: MergePolicy): boolean {
  const dead = rowCount - liveRowCount;
  return (
    dead > 0 &&
    100 * dead >= rowCount * policy.mergeDeadPercent &&
    (bytes * dead) / rowCount >= policy.mergeDeadBytesMin
  );
}
