import type { Clock } from '@lagoon/base';
import { assert } from '@lagoon/base';
import { type Block, forEachCommonId, openBlock } from '@lagoon/format';
import type { LiveNamespace, ObjectReference, SegmentReference } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import {
  createRangeReader,
  mergeSegments,
  openSegment,
  readSegmentRows,
  type SegmentToMerge,
  writeSegment,
} from '@lagoon/segment';
import { createBreather } from './breather.ts';
import type { MergedRows } from './carry-deletes.ts';
import type { CompactorConfig } from './config.ts';
import type { JobObjects } from './job-objects.ts';
import type { SegmentMemory } from './segment-memory.ts';

export interface MergeDeps {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly memory: SegmentMemory;
}

/** What a merge wrote, and where it put the rows. */
export interface MergedSegment {
  readonly object: ObjectReference;
  readonly footer: { readonly offset: number; readonly size: number };
  readonly rowCount: number;
  readonly logicalBytes: number;
  /** In the order of the merged segments. */
  readonly sources: readonly MergedRows[];
}

/** Writes one object with the live rows of the segments. */
export async function mergeIntoSegment(
  deps: MergeDeps,
  config: CompactorConfig,
  live: LiveNamespace,
  segments: readonly SegmentReference[],
  objects: JobObjects,
  signal: AbortSignal,
): Promise<MergedSegment> {
  const breathe = createBreather(deps.clock, config.computeSliceMs, signal);
  const sources: SegmentToMerge[] = [];
  for (const segment of segments) sources.push(await openSource(deps, segment, signal));
  const pieces = mergeSegments(sources, live.schema, { pieceBytesMax: Number.MAX_SAFE_INTEGER, breathe }, signal);
  const { value: block } = await pieces.next();
  assert(block !== undefined, 'segments of a manifest have live rows');
  const identity = {
    incarnation: live.incarnation,
    generationFirst: Math.min(...segments.map((segment) => segment.generationFirst)),
    generationLast: Math.max(...segments.map((segment) => segment.generationLast)),
  };
  const written = await writeSegment(block, live.schema, identity, { breathe });
  const object = await objects.write('seg', written.bytes, signal);
  deps.memory.rememberIds(object.key, { ids: block.ids, rows: undefined });
  const rows: MergedRows[] = [];
  for (const [index, segment] of segments.entries()) {
    rows.push({ deadBefore: sources[index]?.dead, rows: await rowsIn(deps, segment, block, signal) });
    await breathe();
  }
  return { object, footer: written.footer, rowCount: block.rowCount, logicalBytes: block.logicalBytes, sources: rows };
}

async function openSource(deps: MergeDeps, segment: SegmentReference, signal: AbortSignal): Promise<SegmentToMerge> {
  const { object, footer } = segment;
  const dead = await deps.memory.deadRowsOf(segment, signal);
  if (footer === undefined) {
    return { rows: openBlock((await readSegmentRows(deps.store, object, signal)).bytes, { verify: false }), dead };
  }
  const rows = await openSegment(createRangeReader(deps.store, object), { key: object.key, footer }, signal);
  return { rows, dead };
}

async function rowsIn(
  deps: MergeDeps,
  segment: SegmentReference,
  block: Block,
  signal: AbortSignal,
): Promise<Uint32Array> {
  const rows = new Uint32Array(segment.rowCount);
  const { ids, rows: order } = await deps.memory.idsOf(segment, signal);
  forEachCommonId(ids, block.ids, (rank, to) => {
    rows[order === undefined ? rank : (order[rank] as number)] = to;
  });
  return rows;
}
