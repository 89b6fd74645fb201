import { assert, corrupt, isLagoonError, LagoonError, mapBounded } from '@lagoon/base';
import type { BlockCache, DiskCache } from '@lagoon/cache';
import { type Schema, verifyBlock } from '@lagoon/format';
import type { Manifest, SegmentReference } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { inIdOrder, readRequestCount, readSegmentRows, type SegmentReader, type SegmentRows } from '@lagoon/segment';
import { createLiveRows, killRows, type LiveRows } from './live-rows.ts';
import { noNeeds, type QueryNeeds, uniteNeeds } from './query-needs.ts';
import { createResidentBlock, type ResidentBlock } from './resident-block.ts';
import { createResidentSegment } from './resident-segment.ts';
import { createSegmentOpener } from './segment-opener.ts';
import { createSnapshot, type Snapshot } from './snapshot.ts';
import { createTailIndex, type TailIndex } from './tail-index.ts';

/** Counts what replicas read, ever: queries report the difference. */
export interface ReadUsage {
  storeRequestCount: number;
  storeBytes: number;
  cacheHitCount: number;
  cacheMissCount: number;
}

export interface ContentDeps {
  readonly store: ObjectStore;
  readonly cache: BlockCache;
  readonly diskCache?: DiskCache;
  /** Unique numbers for blocks and snapshots. */
  readonly nextId: () => number;
  readonly onBlockGone: (blockId: number) => void;
  readonly onSnapshotGone: (snapshotId: number) => void;
  /** Of segments only what `ensure` asks for is loaded. Default: everything, as one block. */
  readonly byColumn?: boolean;
}

/**
 * The rows of one incarnation: segments, then tail blocks, each with its live rows.
 *
 * Invariants:
 * - an id has at most one live row over all blocks;
 * - the tail holds every batch behind the manifest that was applied last, in order;
 * - a manifest changes where rows lie, never which rows there are: segments that stay keep their live rows, new ones begin with
 *   their delete vector and lose what the remaining tail writes or deletes;
 * - a segment whose ids are not in memory is behind: its live rows are those of before some tail block. Before that block goes
 *   it gets the delete vector of the manifest that has it indexed.
 * Steps that wait come first, then the change in one go: whoever publishes between two calls sees one consistent content.
 */
export interface ReplicaContent {
  /** Applies a batch's part on top. `contentId` names it in cache and workers. */
  applyPart(generation: number, contentId: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Begins to open the segments of a manifest that is perhaps applied; ends when they have come or failed, and never rejects. */
  openAhead(manifest: Manifest, signal: AbortSignal): Promise<void>;
  /** Swaps what the manifest has indexed from tail blocks to its segments. */
  applyManifest(manifest: Manifest, signal?: AbortSignal): Promise<void>;
  publish(generation: number, schema: Schema, recall?: number): Snapshot;
  readonly usage: ReadUsage;
  /** Bytes in the arena that are pinned for it. */
  readonly heldBytes: number;
  /** What queries ask for: segments that come later are loaded with it. */
  remember(needs: QueryNeeds): void;
  /** Lets all blocks go and begins empty; snapshots that are held keep theirs. */
  clear(): void;
  /** As `clear`, for good: what is under way fails. */
  close(): void;
}

interface Rows {
  readonly resident: ResidentBlock;
  readonly live: LiveRows;
}

interface SegmentState extends Rows {
  /** Number of the last tail block whose ids it has lost. */
  killedThrough: number;
}

interface TailRows extends Rows {
  readonly generation: number;
  /** Ascending, never used again. */
  readonly number: number;
}

const concurrentSegmentCountMax = 8;

export function createReplicaContent(deps: ContentDeps): ReplicaContent {
  const { cache } = deps;
  const usage = { storeRequestCount: 0, storeBytes: 0, cacheHitCount: 0, cacheMissCount: 0 };
  let segments = new Map<string, SegmentState>();
  let tail: TailRows[] = [];
  let lastNumber = 0;
  let tailIndex: TailIndex = createTailIndex();
  let needs = noNeeds;
  let closed = false;

  const release = (rows: Rows): void => rows.resident.release();
  const releaseTail = (rows: Rows): void => {
    release(rows);
    cache.drop(rows.resident.contentId); // nobody can load a tail part again
  };
  const opener = createSegmentOpener(deps, (requestCount, byteCount) => {
    usage.storeRequestCount += requestCount;
    usage.storeBytes += byteCount;
  });
  const loadSegment = async (segment: SegmentReference, signal?: AbortSignal): Promise<SegmentState> => {
    const { object } = segment;
    const { reader, dead } = await opener.open(segment, signal);
    const { resident, deadIn } = await pinSegment(deps, usage, segment, reader, needs, signal);
    if (resident.block.rowCount !== segment.rowCount) {
      resident.release();
      throw corrupt('segment has other rows than its manifest says', { key: object.key });
    }
    const live = createLiveRows(segment.rowCount, dead && inIdOrder(dead, deadIn));
    return { resident, live, killedThrough: 0 };
  };
  const catchUp = (): void => {
    for (const rows of segments.values()) {
      const { block, hasIds } = rows.resident;
      if (!hasIds) continue;
      for (const { number, resident } of tail) {
        if (number > rows.killedThrough) killRows(block, rows.live, resident.block.ids, resident.block.deletes);
      }
      rows.killedThrough = lastNumber;
    }
  };
  /** Live rows of the segments that are behind a tail block that goes: by the manifest that has indexed it. */
  const readLive = async (
    manifest: Manifest,
    consumedThrough: number,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, LiveRows>> => {
    const behind = manifest.segments.filter(
      ({ object }) => (segments.get(object.key)?.killedThrough ?? consumedThrough) < consumedThrough,
    );
    const live = await mapBounded(
      behind,
      concurrentSegmentCountMax,
      async (segment, _index, inner) => {
        const rows = createLiveRows(segment.rowCount, await opener.readDead(segment, inner));
        return [segment.object.key, rows] as const;
      },
      signal,
    );
    return new Map(live);
  };
  const clear = (): void => {
    for (const rows of segments.values()) release(rows);
    for (const rows of tail) releaseTail(rows);
    segments = new Map();
    tail = [];
    tailIndex = createTailIndex();
  };

  return {
    usage,
    get heldBytes() {
      let sum = 0;
      for (const { resident } of segments.values()) sum += resident.heldBytes;
      for (const { resident } of tail) sum += resident.heldBytes;
      return sum;
    },
    remember: (more) => {
      needs = uniteNeeds(needs, more);
    },
    applyPart: async (generation, contentId, bytes, signal) => {
      verifyBlock(bytes);
      const pinned = await cache.acquire(contentId, bytes.length, async (target) => target.set(bytes), signal);
      const resident = createResidentBlock(deps.nextId(), contentId, pinned, deps.onBlockGone);
      if (closed) throw closedWith([resident]);
      const { ids, deletes } = resident.block;
      const position = tail.length;
      const killInTail = (block: number, row: number) => void (tail[block] as TailRows).live.kill(row);
      tail.push({ generation, number: ++lastNumber, resident, live: createLiveRows(ids.count, undefined) });
      tailIndex.find(deletes, killInTail);
      tailIndex.upsert(position, ids, killInTail);
    },
    openAhead: (manifest, signal) =>
      opener.openAhead(
        manifest.segments.filter(({ object }) => !segments.has(object.key)),
        signal,
      ),
    applyManifest: async (manifest, signal) => {
      catchUp();
      const consumed = tail.filter((rows) => rows.generation <= manifest.indexedThrough);
      const remaining = tail.filter((rows) => rows.generation > manifest.indexedThrough);
      const consumedThrough = consumed.at(-1)?.number ?? 0;
      const missing = manifest.segments.filter((segment) => !segments.has(segment.object.key));
      const live = await readLive(manifest, consumedThrough, signal);
      const loaded = await loadAll(missing, loadSegment, signal);
      if (closed) throw closedWith([...loaded.values()].map((rows) => rows.resident));
      const wanted = new Map<string, SegmentState>();
      for (const { object } of manifest.segments) {
        const rows = segments.get(object.key) ?? loaded.get(object.key);
        assert(rows !== undefined, 'every segment of a manifest is loaded');
        const known = live.get(object.key);
        wanted.set(
          object.key,
          known === undefined ? rows : { resident: rows.resident, live: known, killedThrough: consumedThrough },
        );
      }
      for (const [key, rows] of segments) if (!wanted.has(key)) release(rows);
      segments = wanted;
      tail = remaining;
      tailIndex = indexTail(remaining);
      opener.forget();
      for (const rows of consumed) releaseTail(rows);
    },
    publish: (generation, schema, recall) => {
      catchUp();
      const lastOfTail = tail.at(-1)?.number ?? 0;
      const partOf = ({ resident, live }: Rows, isBehind: boolean) => ({
        resident,
        live: live.publish(),
        liveRowCount: live.count,
        isBehind,
      });
      const parts = [
        ...[...segments.values()].map((rows) => partOf(rows, rows.killedThrough < lastOfTail)),
        ...tail.map((rows) => partOf(rows, false)),
      ];
      const tailBlocks = tail.map(({ resident }) => resident);
      return createSnapshot({ generation, schema, recall }, parts, tailBlocks, deps.nextId, deps.onSnapshotGone);
    },
    clear,
    close: () => {
      closed = true;
      opener.forget();
      clear();
    },
  };
}

function closedWith(residents: readonly ResidentBlock[]): LagoonError {
  for (const resident of residents) resident.release();
  return new LagoonError('unavailable', 'namespace was put out of memory');
}

function indexTail(tail: readonly TailRows[]): TailIndex {
  const index = createTailIndex();
  for (const [number, { resident }] of tail.entries()) index.upsert(number, resident.block.ids, () => {});
  return index;
}

/** All or none: where one fails, the others are let go. */
async function loadAll(
  references: readonly SegmentReference[],
  load: (segment: SegmentReference, signal?: AbortSignal) => Promise<SegmentState>,
  signal?: AbortSignal,
): Promise<Map<string, SegmentState>> {
  const loaded = new Map<string, SegmentState>();
  try {
    await mapBounded(
      references,
      concurrentSegmentCountMax,
      async (segment, _index, inner) => void loaded.set(segment.object.key, await load(segment, inner)),
      signal,
    );
  } catch (error) {
    for (const rows of loaded.values()) rows.resident.release();
    throw error;
  }
  return loaded;
}

interface PinnedSegment {
  readonly resident: ResidentBlock;
  /** The segment's own order of rows, by which its delete vector goes, where the block has another. */
  readonly deadIn: Uint32Array | undefined;
}

async function pinSegment(
  deps: ContentDeps,
  usage: ReadUsage,
  { object, footer, attributeRanges = [] }: SegmentReference,
  reader: SegmentReader | undefined,
  needs: QueryNeeds,
  signal?: AbortSignal,
): Promise<PinnedSegment> {
  const onAcquired = (hit: boolean): void => {
    if (hit) usage.cacheHitCount++;
    else usage.cacheMissCount++;
  };
  if (reader !== undefined) {
    const resident = createResidentSegment({ ...deps, onAcquired }, deps.nextId(), reader, attributeRanges);
    try {
      await resident.ensure(needs, signal);
    } catch (error) {
      resident.release();
      throw error;
    }
    return { resident, deadIn: undefined };
  }
  const read = async (loadSignal?: AbortSignal): Promise<SegmentRows> => {
    const rows = await readSegmentRows(deps.store, object, loadSignal);
    countRead(usage, object.size);
    verifySegment(rows.bytes, object.key);
    return rows;
  };
  // How large the rows of a segment with sections are is known when they are there.
  const known = footer === undefined ? undefined : await read(signal);
  const size = known?.bytes.length ?? object.size;
  const load = async (target: Uint8Array, loadSignal?: AbortSignal): Promise<void> =>
    target.set((known ?? (await read(loadSignal))).bytes);
  const pinned = await deps.cache.acquire(object.key, size, load, signal);
  onAcquired(pinned.hit);
  const resident = createResidentBlock(deps.nextId(), object.key, pinned, deps.onBlockGone);
  return { resident, deadIn: known?.rows };
}

function countRead(usage: ReadUsage, size: number): void {
  usage.storeRequestCount += readRequestCount(size);
  usage.storeBytes += size;
}

function verifySegment(bytes: Uint8Array, key: string): void {
  try {
    verifyBlock(bytes);
  } catch (error) {
    if (!isLagoonError(error, 'corrupt')) throw error;
    throw corrupt('segment cannot be read', { key, cause: error.message });
  }
}
