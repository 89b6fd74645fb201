import { createRandomId } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import {
  applyMergeEdit,
  findSegments,
  jobAgeMsMax,
  type LiveNamespace,
  type ManifestJob,
  type NamespaceView,
  type SegmentReference,
} from '@lagoon/namespace';
import { carryDeletes } from './carry-deletes.ts';
import type { CompactorConfig } from './config.ts';
import { writeDeleteVector } from './delete-vectors.ts';
import { handOver } from './hand-over.ts';
import type { IndexJobDeps } from './index-job.ts';
import { createJobObjects, type JobObjects, removeUnnamed } from './job-objects.ts';
import { type MergedSegment, mergeIntoSegment } from './merge-into-segment.ts';
import { chooseMerge, chooseQuietMerge, gainsByQuiet, weightOf } from './merge-policy.ts';
import type { NamespaceTurns } from './namespace-turns.ts';

export interface MergeJobDeps extends IndexJobDeps {
  readonly turns: NamespaceTurns;
}

export type MergeJobResult =
  /** Nothing lives under the name, or no tier is full; and it is not quiet, or has no segments that are merged for that. */
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'committed';
      readonly generation: number;
      readonly mergedCount: number;
      readonly readBytes: number;
      readonly writtenBytes: number;
      /** Of the new manifest. */
      readonly segments: readonly SegmentReference[];
      readonly schema: Schema;
      /** After an append of our own: whoever appends writes the hint and sends the notices. */
      readonly view: NamespaceView | undefined;
    }
  /**
   * Gone: a merged segment is not named any more. Superseded: manifests came in between time and again. Refused: the incarnation has ended, or
   * the job was revoked, or is too old. The work is lost, nothing else.
   */
  | { readonly kind: 'dropped'; readonly outcome: 'gone' | 'superseded' | 'refused' };

/** Manifests that may come in between; each time the edit is made anew for the newest. */
const commitAttemptCountMax = 8;

/**
 * Makes one segment of several (`merge-policy.ts`) and puts it in their place. Indexing goes on meanwhile: what was added stays, and rows that
 * died in the merged segments die in the new one. Reads only what is immutable, so it may run twice, be raced or be abandoned at any point.
 */
export async function runMergeJob(
  deps: MergeJobDeps,
  config: CompactorConfig,
  name: string,
  isQuiet: boolean,
  signal: AbortSignal,
): Promise<MergeJobResult> {
  const { view } = await deps.namespaceLog.open(name, {}, signal);
  const { live } = view;
  if (live === undefined) return { kind: 'nothing' };
  const segments = segmentsToMerge(live, isQuiet, config);
  if (segments.length === 0) return { kind: 'nothing' };
  const job: ManifestJob = { job: createRandomId(deps.random), startedAtMs: deps.namespaceLog.storeTimeMs() };
  const objects = createJobObjects(deps.store, live, job.job);
  const named = { maybe: false };
  try {
    const merged = await mergeIntoSegment(deps, config, live, segments, objects, signal);
    if (merged === undefined) return { kind: 'nothing' };
    using _turn = await deps.turns.take(name, signal);
    const result = await commitMerge(deps, config, { name, live, segments, merged, job, objects, named }, signal);
    if (result.kind === 'dropped') await removeUnnamed(deps, objects, named.maybe);
    return result;
  } catch (error) {
    await removeUnnamed(deps, objects, named.maybe);
    throw error;
  }
}

/** Where there is a tail, its index job will look at the segments again. */
function segmentsToMerge({ manifest, tail }: LiveNamespace, isQuiet: boolean, config: CompactorConfig) {
  const weights = manifest.segments.map(weightOf);
  const due = chooseMerge(weights, config);
  const quiet = isQuiet && tail.length === 0 && gainsByQuiet(manifest.schema) ? chooseQuietMerge(weights, config) : [];
  const chosen = due.length === 0 ? quiet : due;
  return chosen.map((index) => manifest.segments[index] as SegmentReference);
}

interface FinishedMerge {
  readonly name: string;
  /** As it was when the merge began. */
  readonly live: LiveNamespace;
  readonly segments: readonly SegmentReference[];
  readonly merged: MergedSegment;
  readonly job: ManifestJob;
  readonly objects: JobObjects;
  /** Whether an entry that names the objects may exist, or may still come into being. */
  readonly named: { maybe: boolean };
}

async function commitMerge(
  deps: MergeJobDeps,
  config: CompactorConfig,
  done: FinishedMerge,
  signal: AbortSignal,
): Promise<MergeJobResult> {
  const { name, job, objects, named } = done;
  const mergedKeys = done.segments.map(({ object }) => object.key);
  for (let attempt = 0; attempt < commitAttemptCountMax; attempt++) {
    const { view } = await deps.namespaceLog.open(name, {}, signal);
    const { live } = view;
    if (live?.incarnation !== done.live.incarnation || isOver(deps, live, job)) {
      return { kind: 'dropped', outcome: 'refused' };
    }
    const inputs = findSegments(live.manifest, mergedKeys);
    if (inputs === undefined) return { kind: 'dropped', outcome: 'gone' };
    const segment = await replacementOf(deps, done, inputs, signal);
    const manifest = applyMergeEdit(live.manifest, { mergedKeys, segment });
    const prepared = await deps.committer.prepare(view, manifest, job, signal);
    const mayBeNamed = named.maybe;
    named.maybe = true;
    const result = await handOver(deps, view, prepared, config.handOverTimeoutMs, signal);
    named.maybe = mayBeNamed || result.isHandedOver || result.outcome === 'committed';
    if (result.outcome === 'refused') return { kind: 'dropped', outcome: 'refused' };
    if (result.outcome === 'committed' && result.generation !== undefined) {
      return {
        kind: 'committed',
        generation: result.generation,
        mergedCount: inputs.length,
        readBytes: inputs.reduce((sum, { object }) => sum + object.size, 0),
        writtenBytes: objects.writtenBytes,
        segments: manifest.segments,
        schema: manifest.schema,
        view: result.view,
      };
    }
  }
  return { kind: 'dropped', outcome: 'superseded' };
}

/** Whoever appends looks at it too, and at older revocations. */
function isOver(deps: MergeJobDeps, live: LiveNamespace, { job, startedAtMs }: ManifestJob): boolean {
  if (live.revokedJobs.includes(job)) return true;
  return deps.namespaceLog.storeTimeMs() - startedAtMs > jobAgeMsMax;
}

/** The new segment as the manifest names it now: with what died in the merged ones since they were read. */
async function replacementOf(
  deps: MergeJobDeps,
  { segments, merged, objects }: FinishedMerge,
  inputs: readonly SegmentReference[],
  signal: AbortSignal,
): Promise<SegmentReference | undefined> {
  const deadNow = [];
  for (const input of inputs) deadNow.push(await deps.memory.deadRowsOf(input, signal));
  const { rowCount, logicalBytes } = merged;
  const { dead, deadRowCount } = carryDeletes(merged.sources, deadNow, rowCount);
  const liveRowCount = rowCount - deadRowCount;
  if (liveRowCount === 0) return undefined;
  const deleteVector =
    dead === undefined
      ? undefined
      : await writeDeleteVector({ ...deps, objects }, dead, rowCount, liveRowCount, signal);
  return {
    object: merged.object,
    footer: merged.footer,
    attributeRanges: merged.attributeRanges,
    rowCount,
    liveRowCount,
    logicalBytes: Math.round((logicalBytes * liveRowCount) / rowCount),
    deleteVector,
    generationFirst: Math.min(...segments.map((segment) => segment.generationFirst)),
    generationLast: Math.max(...segments.map((segment) => segment.generationLast)),
  };
}
