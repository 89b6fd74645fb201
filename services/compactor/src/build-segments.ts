import {
  type Block,
  createNewestRowsMerge,
  type DocumentId,
  encodeBlock,
  mergeBlocks,
  type NewestRows,
  openBlock,
  type Schema,
} from '@lagoon/format';
import type {
  DeleteVectorReference,
  Manifest,
  RowAccounting,
  SegmentDeletes,
  SegmentReference,
} from '@lagoon/namespace';
import { deleteVectorInlineBytesMax, encodeDeleteVector, type LaterRows, planDeleteVectors } from '@lagoon/segment';
import type { JobObjects } from './job-objects.ts';
import type { SegmentMemory } from './segment-memory.ts';

/** The part of the tail that a job takes: verified blocks, oldest first. */
export interface TakenTail {
  readonly blocks: readonly Block[];
  readonly generationFirst: number;
  readonly generationLast: number;
}

/** What the job's objects say, ready for the manifest. */
export interface BuiltSegments {
  readonly segmentsAdded: readonly SegmentReference[];
  readonly deleted: ReadonlyMap<string, SegmentDeletes>;
  readonly rows: Omit<RowAccounting, 'live'>;
}

export interface BuildDeps {
  readonly objects: JobObjects;
  readonly memory: SegmentMemory;
  readonly breathe: () => Promise<void>;
}

/**
 * Turns the tail into segments of one block each, the newest row per id, and finds the rows of older segments that it kills.
 * Holds the tail and one segment in memory. A row that the tail itself replaces or deletes never counts as added.
 */
export async function buildSegments(
  deps: BuildDeps,
  manifest: Manifest,
  tail: TakenTail,
  schema: Schema,
  segmentBytesMax: number,
  signal?: AbortSignal,
): Promise<BuiltSegments> {
  const resolved = await resolveTail(deps, tail.blocks, segmentBytesMax);
  const segmentsAdded: SegmentReference[] = [];
  const later: LaterRows[] = [];
  for (const piece of resolved.pieces) {
    const sources = [...piece.live].map(([block, live]) => ({ block, live }));
    const block = openBlock(mergeBlocks(sources, schema), { verify: false });
    await deps.breathe();
    const object = await deps.objects.write('seg', block.bytes, signal);
    const { ids, deletes, rowCount, logicalBytes } = block;
    deps.memory.rememberIds(object.key, ids);
    segmentsAdded.push({
      object,
      rowCount,
      liveRowCount: rowCount,
      logicalBytes,
      deleteVector: undefined,
      generationFirst: tail.generationFirst,
      generationLast: tail.generationLast,
    });
    later.push({ ids, deletes });
  }
  if (resolved.deletedIds.length > 0) later.push(deletesOf(schema, resolved.deletedIds));
  const killed = await killOlderRows(deps, manifest, later, signal);
  const added = segmentsAdded.reduce((sum, segment) => sum + segment.rowCount, 0);
  return {
    segmentsAdded,
    deleted: killed.deleted,
    rows: { added, superseded: killed.superseded, deleted: killed.deletedRowCount },
  };
}

/** Ids that are merged between two looks at the clock. */
const idsPerBreath = 4_096;

async function resolveTail(deps: BuildDeps, blocks: readonly Block[], segmentBytesMax: number): Promise<NewestRows> {
  const merge = createNewestRowsMerge(blocks, evenPieceBytes(blocks, segmentBytesMax));
  while (merge.step(idsPerBreath)) await deps.breathe();
  return merge.result;
}

/** Pieces of about one size: a bound that is passed by little would else leave a tiny segment behind a full one. */
function evenPieceBytes(blocks: readonly Block[], bytesMax: number): number {
  const bytes = blocks.reduce((sum, block) => sum + block.bytes.byteLength, 0);
  return Math.ceil(bytes / Math.max(1, Math.ceil(bytes / bytesMax)));
}

function deletesOf(schema: Schema, ids: readonly DocumentId[]): LaterRows {
  const bytes = encodeBlock({ idKind: schema.idKind, ids: [], deletes: ids, columns: [] });
  const { ids: none, deletes } = openBlock(bytes, { verify: false });
  return { ids: none, deletes };
}

interface Killed {
  readonly deleted: ReadonlyMap<string, SegmentDeletes>;
  readonly superseded: number;
  readonly deletedRowCount: number;
}

async function killOlderRows(
  deps: BuildDeps,
  manifest: Manifest,
  later: readonly LaterRows[],
  signal?: AbortSignal,
): Promise<Killed> {
  const deleted = new Map<string, SegmentDeletes>();
  let superseded = 0;
  let deletedRowCount = 0;
  if (later.length === 0) return { deleted, superseded, deletedRowCount };
  for (const segment of manifest.segments) {
    const ids = await deps.memory.idsOf(segment, signal);
    const before = await deps.memory.deadRowsOf(segment, signal);
    const [plan] = planDeleteVectors([{ ids, dead: before }], later);
    await deps.breathe();
    if (plan?.dead === undefined || !plan.changed) continue;
    const killedCount = plan.supersededRowCount + plan.deletedRowCount;
    const liveRowCount = segment.liveRowCount - killedCount;
    deleted.set(segment.object.key, {
      deleteVector: await writeDeleteVector(deps, plan.dead, segment.rowCount, liveRowCount, signal),
      liveRowCount,
      // Rows are not weighed one by one: the live ones keep their share.
      logicalBytes: Math.round((segment.logicalBytes * liveRowCount) / segment.liveRowCount),
    });
    superseded += plan.supersededRowCount;
    deletedRowCount += plan.deletedRowCount;
  }
  return { deleted, superseded, deletedRowCount };
}

async function writeDeleteVector(
  deps: BuildDeps,
  dead: Uint8Array,
  rowCount: number,
  liveRowCount: number,
  signal?: AbortSignal,
): Promise<DeleteVectorReference> {
  // A segment without live rows leaves the manifest, and its vector is never read.
  if (dead.byteLength <= deleteVectorInlineBytesMax || liveRowCount === 0) return { kind: 'inline', bitmap: dead };
  const object = await deps.objects.write('del', encodeDeleteVector(dead, rowCount), signal);
  deps.memory.rememberDeadRows(object.key, dead);
  return { kind: 'object', object };
}
