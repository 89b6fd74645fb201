import { assert } from '@lagoon/base';
import {
  andNotInPlace,
  type Block,
  createFullBitmap,
  createNewestRowsMerge,
  type DocumentId,
  encodeBlock,
  type NewestRows,
  openBlock,
  type Schema,
} from '@lagoon/format';
import type { Manifest, RowAccounting, SegmentDeletes, SegmentReference } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { type DeleteVectorPlan, inIdOrder, type LaterRows, planDeleteVectors, readSegmentRows } from '@lagoon/segment';
import type { BlockTask, BuildPool } from './build-pool.ts';
import type { CompactorConfig } from './config.ts';
import { writeDeleteVector } from './delete-vectors.ts';
import type { JobObjects } from './job-objects.ts';
import { chooseMerge, type MergePolicy, weightOf } from './merge-policy.ts';
import type { SegmentMemory } from './segment-memory.ts';

/** The part of the tail that a job takes: verified blocks, oldest first. */
export interface TakenTail {
  readonly blocks: readonly Block[];
  /** In the log. */
  readonly bytes: number;
  readonly generationFirst: number;
  readonly generationLast: number;
}

/** What the job's objects say, ready for the manifest. */
export interface BuiltSegments {
  readonly segmentsAdded: readonly SegmentReference[];
  readonly deleted: ReadonlyMap<string, SegmentDeletes>;
  readonly rows: Omit<RowAccounting, 'live'>;
}

export type SegmentBounds = MergePolicy &
  Pick<CompactorConfig, 'segmentBytesMax' | 'absorbBytesMax' | 'clusterRowCountMin'>;

export interface BuildDeps {
  readonly store: ObjectStore;
  readonly objects: JobObjects;
  readonly memory: SegmentMemory;
  readonly pool: BuildPool;
  readonly breathe: () => Promise<void>;
}

/**
 * Turns the tail into segments, the newest row per id, and finds the rows of older segments that it kills.
 * Takes the live rows of small segments along where a merge would, so that a trickle of writes does not become a trickle of segments.
 * Holds the tail and one segment in memory. A row that the tail itself replaces or deletes never counts as added.
 */
export async function buildSegments(
  deps: BuildDeps,
  manifest: Manifest,
  tail: TakenTail,
  schema: Schema,
  config: SegmentBounds,
  signal?: AbortSignal,
): Promise<BuiltSegments> {
  const resolved = await resolveTail(deps, tail.blocks, config.segmentBytesMax);
  const fresh: Block[] = [];
  for (const piece of resolved.pieces) {
    const sources = [...piece.live].map(([{ bytes }, live]) => ({ bytes, live }));
    fresh.push(openBlock(await deps.pool.buildBlock({ sources, schema }, signal), { verify: false }));
    await deps.breathe();
  }
  const later: LaterRows[] = [...fresh];
  if (resolved.deletedIds.length > 0) later.push(deletesOf(schema, resolved.deletedIds));
  const killed = await killOlderRows(deps, manifest, later, signal);
  const absorbed = fresh.length > 1 ? [] : absorbable(killed, fresh[0], config);
  const blocks = absorbed.length === 0 ? fresh : await withAbsorbed(deps, fresh, absorbed, killed, schema, signal);
  const generationFirst = Math.min(tail.generationFirst, ...absorbed.map((segment) => segment.generationFirst));
  const segmentsAdded: SegmentReference[] = [];
  for (const block of blocks) {
    const identity = { incarnation: manifest.incarnation, generationFirst, generationLast: tail.generationLast };
    const written = await deps.pool.buildSegment(
      { block: block.bytes, schema, identity, clusterRowCountMin: config.clusterRowCountMin },
      signal,
    );
    const object = await deps.objects.write('seg', written.bytes, signal);
    deps.memory.rememberIds(object.key, { ids: block.ids, rows: written.rows });
    segmentsAdded.push({
      object,
      footer: written.footer,
      attributeRanges: written.attributeRanges,
      rowCount: block.rowCount,
      liveRowCount: block.rowCount,
      logicalBytes: block.logicalBytes,
      deleteVector: undefined,
      generationFirst,
      generationLast: tail.generationLast,
    });
    await deps.breathe();
  }
  return {
    segmentsAdded,
    deleted: await describeDeletes(deps, killed, new Set(absorbed), signal),
    rows: {
      added: fresh.reduce((sum, block) => sum + block.rowCount, 0),
      superseded: killed.reduce((sum, { plan }) => sum + plan.supersededRowCount, 0),
      deleted: killed.reduce((sum, { plan }) => sum + plan.deletedRowCount, 0),
    },
  };
}

/**
 * The merge that the fresh segment calls for, where that is small: the job writes anyway, so it saves a manifest. Which one that is says the
 * policy of merges, so rows are not rewritten more often for it.
 */
function absorbable(
  killed: readonly KilledRows[],
  fresh: Block | undefined,
  bounds: SegmentBounds,
): readonly SegmentReference[] {
  if (fresh === undefined || fresh.rowCount === 0) return [];
  const { rowCount } = fresh;
  const own = { bytes: fresh.bytes.byteLength, rowCount, liveRowCount: rowCount };
  const older = killed.map(({ segment, plan }) => ({
    ...weightOf(segment),
    liveRowCount: segment.liveRowCount - plan.supersededRowCount - plan.deletedRowCount,
  }));
  const chosen = chooseMerge([...older, own], bounds);
  if (chosen.at(-1) !== older.length) return [];
  const absorbed = chosen.slice(0, -1).map((index) => (killed[index] as KilledRows).segment);
  const bytes = absorbed.reduce((sum, { object }) => sum + object.size, own.bytes);
  return bytes > Math.min(bounds.absorbBytesMax, bounds.segmentBytesMax) ? [] : absorbed;
}

/** One block of the fresh rows and those of the segments that outlive them; none where no row is left. */
async function withAbsorbed(
  deps: BuildDeps,
  fresh: readonly Block[],
  absorbed: readonly SegmentReference[],
  killed: readonly KilledRows[],
  schema: Schema,
  signal?: AbortSignal,
): Promise<Block[]> {
  const sources: BlockTask['sources'][number][] = fresh.map(({ bytes }) => ({ bytes, live: undefined }));
  for (const segment of absorbed) {
    const { bytes, rows: order } = await readSegmentRows(deps.store, segment.object, signal);
    const rows = killed.find((candidate) => candidate.segment === segment);
    assert(rows !== undefined, 'the dead rows of an absorbed segment are known');
    const live = createFullBitmap(segment.rowCount);
    if (rows.plan.dead !== undefined) andNotInPlace(live, inIdOrder(rows.plan.dead, order));
    sources.push({ bytes, live });
  }
  const block = openBlock(await deps.pool.buildBlock({ sources, schema }, signal), { verify: false });
  return block.rowCount === 0 ? [] : [block];
}

/** Ids that are merged between two looks at the clock. */
const idsPerBreath = 4_096;

async function resolveTail(deps: BuildDeps, blocks: readonly Block[], segmentBytesMax: number): Promise<NewestRows> {
  const merge = createNewestRowsMerge(blocks, evenPieceBytes(blocks, segmentBytesMax));
  while (merge.step(idsPerBreath)) await deps.breathe();
  return merge.result;
}

/**
 * Pieces of about one size, with some slack, for rows are weighed by averages: a bound that is passed by little would else
 * leave a tiny segment behind a full one.
 */
function evenPieceBytes(blocks: readonly Block[], bytesMax: number): number {
  const bytes = blocks.reduce((sum, block) => sum + block.bytes.byteLength, 0);
  return Math.ceil((1.05 * bytes) / Math.max(1, Math.ceil(bytes / bytesMax)));
}

function deletesOf(schema: Schema, ids: readonly DocumentId[]): LaterRows {
  const bytes = encodeBlock({ idKind: schema.idKind, ids: [], deletes: ids, columns: [] });
  const { ids: none, deletes } = openBlock(bytes, { verify: false });
  return { ids: none, deletes };
}

interface KilledRows {
  readonly segment: SegmentReference;
  readonly plan: DeleteVectorPlan;
}

async function killOlderRows(
  deps: BuildDeps,
  manifest: Manifest,
  later: readonly LaterRows[],
  signal?: AbortSignal,
): Promise<KilledRows[]> {
  const killed: KilledRows[] = [];
  if (later.length === 0) return killed;
  const laterIds = later.flatMap(({ ids, deletes }) => [ids, deletes]);
  for (const segment of manifest.segments) {
    const before = await deps.memory.deadRowsOf(segment, signal);
    if (await deps.memory.lacks(segment, laterIds, signal)) {
      killed.push({ segment, plan: { dead: before, changed: false, supersededRowCount: 0, deletedRowCount: 0 } });
      continue;
    }
    const ids = await deps.memory.idsOf(segment, signal);
    const [plan] = planDeleteVectors([{ ...ids, dead: before }], later);
    if (plan !== undefined) killed.push({ segment, plan });
    await deps.breathe();
  }
  return killed;
}

/** What the manifest says of older segments from now on; absorbed ones have no live row left. */
async function describeDeletes(
  deps: BuildDeps,
  killed: readonly KilledRows[],
  absorbed: ReadonlySet<SegmentReference>,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, SegmentDeletes>> {
  const deleted = new Map<string, SegmentDeletes>();
  for (const { segment, plan } of killed) {
    if (absorbed.has(segment)) {
      const bitmap = createFullBitmap(segment.rowCount);
      deleted.set(segment.object.key, { deleteVector: { kind: 'inline', bitmap }, liveRowCount: 0, logicalBytes: 0 });
      continue;
    }
    if (plan.dead === undefined || !plan.changed) continue;
    const liveRowCount = segment.liveRowCount - plan.supersededRowCount - plan.deletedRowCount;
    deleted.set(segment.object.key, {
      deleteVector: await writeDeleteVector(deps, plan.dead, segment.rowCount, liveRowCount, signal),
      liveRowCount,
      // Rows are not weighed one by one: the live ones keep their share.
      logicalBytes: Math.round((segment.logicalBytes * liveRowCount) / segment.liveRowCount),
    });
  }
  return deleted;
}
