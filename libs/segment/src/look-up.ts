import { compareBytes } from '@lagoon/base';
import { type GranuleRange, type IndexRoot, indexBoundary, walkIndexBlock } from './index-root.v1.ts';

/** The index of an attribute in a segment: a lookup reads a block of the dictionary, then the postings of what it found there. */
export interface AttributeIndex {
  readonly root: IndexRoot;
  granuleSize(granule: number): number;
  /** Whole granules, verified, in one read. */
  readGranules(range: GranuleRange, signal?: AbortSignal): Promise<Uint8Array>;
}

/** Sets of rows: those that fill the postings [from, to) of an index. */
export interface PostingsRange {
  readonly from: number;
  readonly to: number;
}

/** The bytes of granules of an index, in the order in which they are asked for. */
export type ReadIndexGranules = (granules: readonly number[]) => Promise<readonly Uint8Array[]>;

/** Keys from `from` to `to`; undefined: no bound. A bound takes its own key in, or not. */
export interface KeyRange {
  readonly from: KeyBound | undefined;
  readonly to: KeyBound | undefined;
}

export interface KeyBound {
  readonly key: Uint8Array;
  readonly inclusive: boolean;
}

/** The sets of rows of the keys that are there, in their order, and how many rows they hold. Throws `corrupt`. */
export async function findKeys(
  root: IndexRoot,
  keys: readonly Uint8Array[],
  read: ReadIndexGranules,
): Promise<readonly (PostingsRange & { readonly rowCount: number })[]> {
  if (root.blockCount === 0) return [];
  const sorted = keys.toSorted(compareBytes);
  const keysByBlock = new Map<number, Uint8Array[]>();
  for (const key of sorted) {
    const block = root.blockOf(key);
    const others = keysByBlock.get(block);
    if (others === undefined) keysByBlock.set(block, [key]);
    else others.push(key);
  }
  const blocks = [...keysByBlock.keys()];
  const bytes = await read(blocks.map((block) => root.postingsGranuleCount + block));
  return blocks.flatMap((block, i) =>
    keysInBlock(root, block, bytes[i] as Uint8Array, keysByBlock.get(block) as Uint8Array[]),
  );
}

/** `wanted` ascends, as the keys of the block do. */
function keysInBlock(root: IndexRoot, block: number, bytes: Uint8Array, wanted: readonly Uint8Array[]) {
  const found: (PostingsRange & { readonly rowCount: number })[] = [];
  let next = 0;
  walkIndexBlock(root, block, bytes, ({ key, offset, size, rowCount }) => {
    while (next < wanted.length && compareBytes(wanted[next] as Uint8Array, key) < 0) next++;
    const candidate = wanted[next];
    if (candidate !== undefined && compareBytes(candidate, key) === 0) {
      found.push({ from: offset, to: offset + size, rowCount });
    }
    return candidate !== undefined;
  });
  return found;
}

/** Where the sets of rows of a range of values lie: one range of the postings, perhaps an empty one. Throws `corrupt`. */
export async function findKeyRange(root: IndexRoot, range: KeyRange, read: ReadIndexGranules): Promise<PostingsRange> {
  if (root.blockCount === 0) return { from: root.nullBytes, to: root.nullBytes };
  const bounds = [range.from, range.to].filter((bound) => bound !== undefined);
  const blocks = [...new Set(bounds.map(({ key }) => root.blockOf(key)))];
  const bytes = await read(blocks.map((block) => root.postingsGranuleCount + block));
  const boundary = ({ key }: KeyBound, above: boolean): number => {
    const block = root.blockOf(key);
    return indexBoundary(root, block, bytes[blocks.indexOf(block)] as Uint8Array, key, above);
  };
  const from = range.from === undefined ? root.nullBytes : boundary(range.from, !range.from.inclusive);
  const to = range.to === undefined ? root.postingsBytes : boundary(range.to, range.to.inclusive);
  return { from, to: Math.max(from, to) };
}

/** The set of the rows without a value. */
export function nullPostings(root: IndexRoot): PostingsRange {
  return { from: 0, to: root.nullBytes };
}
