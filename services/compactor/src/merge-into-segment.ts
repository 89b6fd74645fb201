import type { LiveNamespace, ObjectReference, SegmentReference } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { createRangeReader, type FooterPlace } from '@lagoon/segment';
import type { BuildPool, MergeTaskSegment } from './build-pool.ts';
import type { MergedRows } from './carry-deletes.ts';
import type { CompactorConfig } from './config.ts';
import type { JobObjects } from './job-objects.ts';
import type { SegmentMemory } from './segment-memory.ts';

export interface MergeDeps {
  readonly store: ObjectStore;
  readonly memory: SegmentMemory;
  readonly pool: BuildPool;
}

/** What a merge wrote, and where it put the rows. */
export interface MergedSegment {
  readonly object: ObjectReference;
  readonly footer: FooterPlace;
  readonly attributeRanges: NonNullable<SegmentReference['attributeRanges']>;
  readonly rowCount: number;
  readonly logicalBytes: number;
  /** In the order of the merged segments. */
  readonly sources: readonly MergedRows[];
}

/** Writes one object with the live rows of the segments; undefined where none is live. */
export async function mergeIntoSegment(
  deps: MergeDeps,
  config: CompactorConfig,
  live: LiveNamespace,
  segments: readonly SegmentReference[],
  objects: JobObjects,
  signal: AbortSignal,
): Promise<MergedSegment | undefined> {
  const sources: MergeTaskSegment[] = [];
  for (const segment of segments) {
    const { object, footer } = segment;
    const dead = await deps.memory.deadRowsOf(segment, signal);
    sources.push({ key: object.key, size: object.size, footer, dead, read: createRangeReader(deps.store, object) });
  }
  const identity = {
    incarnation: live.incarnation,
    generationFirst: Math.min(...segments.map((segment) => segment.generationFirst)),
    generationLast: Math.max(...segments.map((segment) => segment.generationLast)),
  };
  const { mergeWindowBytes: windowBytesMax, clusterRowCountMin } = config;
  const task = { segments: sources, schema: live.schema, identity, windowBytesMax, clusterRowCountMin };
  await using merged = await deps.pool.mergeSegments(task, signal);
  if (merged === undefined) return undefined;
  const object = await objects.writeFrom('seg', merged, signal);
  const { footer, attributeRanges, rowCount, logicalBytes, rows } = merged;
  const places = rows.map((own, index): MergedRows => ({ deadBefore: sources[index]?.dead, rows: own }));
  return { object, footer, attributeRanges, rowCount, logicalBytes, sources: places };
}
