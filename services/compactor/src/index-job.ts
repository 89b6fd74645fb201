import { assert, type Clock, createBreather, createRandomId, type Random } from '@lagoon/base';
import { openBlock, type Schema } from '@lagoon/format';
import {
  applyIndexEdit,
  type JobLeases,
  type LiveNamespace,
  type Manifest,
  type ManifestJob,
  type NamespaceEvent,
  type NamespaceView,
  recordsLeavingTail,
  type SegmentReference,
  writeFamilyRecord,
} from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { TailWeight } from './backlog.ts';
import type { BuildPool } from './build-pool.ts';
import { buildSegments, type TakenTail } from './build-segments.ts';
import type { CompactorConfig } from './config.ts';
import { type HandOverDeps, handOver } from './hand-over.ts';
import { withRecords } from './idempotency-parts.ts';
import { createJobObjects, type JobObjects, removeUnnamed } from './job-objects.ts';
import type { PartSightings } from './part-sightings.ts';
import type { SegmentMemory } from './segment-memory.ts';

export interface IndexJobDeps extends HandOverDeps {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly memory: SegmentMemory;
  readonly pool: BuildPool;
  readonly sightings: PartSightings;
  readonly leases: JobLeases;
}

export type IndexJobResult =
  /** There is no tail, or nothing lives under the name. */
  | { readonly kind: 'nothing' }
  /** The tail may wait. */
  | { readonly kind: 'waits'; readonly tail: TailWeight }
  /** Another compactor is at it. */
  | { readonly kind: 'leased' }
  | {
      readonly kind: 'committed';
      readonly generation: number;
      /** Range of the generations whose rows are in segments now. */
      readonly generationFirst: number;
      readonly indexedThrough: number;
      /** What the job has left, as far as it saw. */
      readonly tail: TailWeight;
      /** What it took of the tail. */
      readonly tailBytes: number;
      readonly writtenBytes: number;
      readonly rowCount: number;
      /** Of the new manifest. */
      readonly segments: readonly SegmentReference[];
      readonly schema: Schema;
      /** After an append of our own: whoever appends writes the hint and sends the notices. */
      readonly view: NamespaceView | undefined;
    }
  /** Another manifest came first, or the incarnation has ended: the work is lost, nothing else. */
  | { readonly kind: 'dropped'; readonly outcome: 'superseded' | 'refused' };

/**
 * Turns the oldest part of a namespace's tail into segments: one job, one manifest. Reads only what is immutable, so it may
 * run twice, be raced or be abandoned at any point: at worst work is lost and objects stay for the garbage collector.
 */
export async function runIndexJob(
  deps: IndexJobDeps,
  config: CompactorConfig,
  name: string,
  isDue: (tail: TailWeight) => boolean,
  signal: AbortSignal,
): Promise<IndexJobResult> {
  const { view, events } = await deps.namespaceLog.open(name, {}, signal);
  const { live } = view;
  if (live === undefined || live.tail.length === 0) return { kind: 'nothing' };
  const weight = weigh(live.tail);
  if (!isDue(weight)) return { kind: 'waits', tail: weight };
  // A small job costs less than finding out whether another does it.
  if (weight.bytes < config.leaseBytesMin) return indexTail(deps, config, view, live, events, signal);
  const lease = await deps.leases.claim('index', name, signal);
  if (lease === undefined) return { kind: 'leased' };
  try {
    return await indexTail(deps, config, view, live, events, signal);
  } finally {
    await lease.release();
  }
}

async function indexTail(
  deps: IndexJobDeps,
  config: CompactorConfig,
  view: NamespaceView,
  live: LiveNamespace,
  events: readonly NamespaceEvent[],
  signal: AbortSignal,
): Promise<IndexJobResult> {
  const { name } = view;
  const job: ManifestJob = { job: createRandomId(deps.random), startedAtMs: deps.namespaceLog.storeTimeMs() };
  const objects = createJobObjects(deps.store, live, job.job);
  let mayBeNamed = false;
  try {
    const taken = await takeTail(deps, config, live, events, signal);
    if (live.manifest.segments.length === 0) await writeFamilyRecord(deps.store, name, live, signal);
    const manifest = await editManifest(deps, config, view, live, taken, job, objects, signal);
    const prepared = await deps.committer.prepare(view, manifest, job, signal);
    mayBeNamed = true;
    const result = await handOver(deps, view, prepared, config.handOverTimeoutMs, signal);
    mayBeNamed = result.isHandedOver || result.outcome === 'committed';
    if (result.outcome === 'committed' && result.generation !== undefined) {
      return {
        kind: 'committed',
        generation: result.generation,
        generationFirst: taken.generationFirst,
        indexedThrough: taken.generationLast,
        tail: weigh(live.tail.filter((batch) => batch.generation > taken.generationLast)),
        tailBytes: taken.bytes,
        writtenBytes: objects.writtenBytes,
        rowCount: manifest.rows.added - live.manifest.rows.added,
        segments: manifest.segments,
        schema: manifest.schema,
        view: result.view,
      };
    }
    await removeUnnamed(deps, objects, mayBeNamed);
    return { kind: 'dropped', outcome: result.outcome === 'refused' ? 'refused' : 'superseded' };
  } catch (error) {
    await removeUnnamed(deps, objects, mayBeNamed);
    throw error;
  }
}

/** The oldest batches up to the byte bound, opened; those without rows (a schema, a key) are taken along. */
async function takeTail(
  deps: IndexJobDeps,
  config: CompactorConfig,
  live: LiveNamespace,
  events: readonly NamespaceEvent[],
  signal: AbortSignal,
): Promise<TakenTail> {
  const breathe = createBreather(deps.clock, config.computeSliceMs, signal);
  const partsAt = new Map(
    events.flatMap((event) => (event.kind === 'batch' ? [[event.generation, event.parts] as const] : [])),
  );
  const blocks = [];
  const first = live.tail[0]?.generation ?? 0;
  let last = first;
  let bytes = 0;
  for (const { generation, sizeBytes, upsertedRowCount, deletedRowCount } of live.tail) {
    if (bytes > 0 && bytes + sizeBytes > config.jobBytesMax) break;
    const parts = partsAt.get(generation) ?? [];
    assert(parts.length > 0 || upsertedRowCount + deletedRowCount === 0, 'rows of the tail were read with it');
    bytes += sizeBytes;
    last = generation;
    for (const part of parts) {
      blocks.push(openBlock(part));
      await breathe();
    }
  }
  return { blocks, bytes, generationFirst: first, generationLast: last };
}

async function editManifest(
  deps: IndexJobDeps,
  config: CompactorConfig,
  view: NamespaceView,
  live: LiveNamespace,
  taken: TakenTail,
  job: ManifestJob,
  objects: JobObjects,
  signal: AbortSignal,
): Promise<Manifest> {
  const breathe = createBreather(deps.clock, config.computeSliceMs, signal);
  const build = { store: deps.store, objects, memory: deps.memory, pool: deps.pool, breathe };
  const built = await buildSegments(build, live.manifest, taken, live.schema, config, signal);
  const takenBatches = live.tail.filter((batch) => batch.generation <= taken.generationLast);
  const lastWriteAtMs = takenBatches.reduce((latest, batch) => Math.max(latest, batch.writtenAtMs), 0);
  const edited = applyIndexEdit(live.manifest, {
    indexedThrough: taken.generationLast,
    // That of the head: batches behind `indexedThrough` that changed it say so again.
    schema: live.schema,
    settings: live.settings,
    ...built,
    lastWriteAtMs,
  });
  const records = recordsLeavingTail(live, taken.generationLast);
  const place = { name: view.name, incarnation: live.incarnation, job: job.job };
  const options = { keepMs: config.idempotencyKeepMs, partCountMax: config.idempotencyPartCountMax };
  return withRecords(deps, place, edited, records, options, signal);
}

function weigh(tail: LiveNamespace['tail']): TailWeight {
  return { bytes: tail.reduce((sum, batch) => sum + batch.sizeBytes, 0), entryCount: tail.length };
}
