import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Clock, createRandomId, LagoonError, type Log, mapBounded, type Random } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import { type ManifestEntry, ManifestEntrySchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { type BodyPlace, createBody } from './body.ts';
import { checkManifest, withCommitId } from './manifest.ts';
import { encodeManifest, encodePart } from './manifest-codec.ts';
import { layOut } from './manifest-layout.ts';
import { isRevoked, withoutPastObsolete, withRevocations } from './manifest-retention.ts';
import type { EntryDraft, NamespaceLog } from './namespace-log.ts';
import { referenceToStored } from './object-reference.ts';
import { toSafeNumber } from './proto-number.ts';
import type { LiveNamespace, Manifest, ManifestPart, NamespaceView } from './view.ts';

/** A manifest entry that is ready to be appended by whoever can: its message (ManifestEntry) and its commit id. */
export interface PreparedManifest {
  readonly commitId: string;
  readonly message: Uint8Array;
}

/** What a job wants to commit: the pure edit of the newest manifest, and who made it. */
export interface ManifestJob {
  readonly job: string;
  /** Store time when the job began: `NamespaceLog.storeTimeMs()`. */
  readonly startedAtMs: number;
}

export type ManifestOutcome =
  /** `generation` is the manifest's, or that of a later one which knows of it. */
  | { readonly outcome: 'committed'; readonly generation: number; readonly view: NamespaceView }
  /** Another manifest came first: rebase the edit, or drop the job. */
  | { readonly outcome: 'superseded'; readonly view: NamespaceView }
  /** The incarnation ended, the job is revoked, or older than half a day: drop the job. */
  | { readonly outcome: 'refused'; readonly view: NamespaceView };

export interface ManifestCommitter {
  /**
   * Checks the manifest's invariants, writes its body object and returns the small entry. `manifest` is an edit of the view's: it still
   * has the generation of the manifest that it edits.
   */
  prepare(view: NamespaceView, manifest: Manifest, job: ManifestJob, signal?: AbortSignal): Promise<PreparedManifest>;
  /** Appends a prepared entry: by the ingester between two groups, by the compactor when no ingester answers. Both may. */
  append(
    log: NamespaceLog,
    view: NamespaceView,
    prepared: PreparedManifest,
    signal?: AbortSignal,
  ): Promise<ManifestOutcome>;
}

export interface ManifestCommitterDeps {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A job gives up by itself at half the age at which garbage collection may revoke it. */
export const jobAgeMsMax = 12 * 3_600_000;

export interface ManifestCommitterOptions {
  /** For how long obsolete objects are listed; by then garbage collection has deleted them. Default: three days. */
  readonly obsoleteKeepMs?: number;
}

const obsoleteKeepMsDefault = 3 * 24 * 3_600_000;

export function createManifestCommitter(
  deps: ManifestCommitterDeps,
  { obsoleteKeepMs = obsoleteKeepMsDefault }: ManifestCommitterOptions = {},
): ManifestCommitter {
  // Whoever prepared an entry need not read its body again to append it.
  const bodies = new WeakMap<PreparedManifest, Manifest>();
  return {
    prepare: async (view, edited, job, signal) => {
      const live = requireEdited(view, edited);
      const commitId = createRandomId(deps.random);
      const startedAtMs = Math.round(job.startedAtMs);
      const remembered = withRevocations(edited, live.revokedJobs, startedAtMs);
      const edit = withCommitId(withoutPastObsolete(remembered, startedAtMs, obsoleteKeepMs), commitId);
      const place = { name: view.name, incarnation: live.incarnation, job: job.job };
      checkManifest(edit);
      const manifest = await writeParts(deps, place, edit, signal);
      const body = await createBody(deps, place, encodeManifest(manifest), signal);
      const message = create(ManifestEntrySchema, {
        body: referenceToStored(body),
        editsManifestGeneration: BigInt(edited.generation),
        job: job.job,
        jobStartedAtMs: BigInt(startedAtMs),
        indexedThrough: BigInt(manifest.indexedThrough),
        segmentCount: BigInt(manifest.segments.length),
        liveRowCount: BigInt(manifest.rows.live),
        incarnation: manifest.incarnation,
      });
      const prepared = { commitId, message: toBinary(ManifestEntrySchema, message) };
      bodies.set(prepared, manifest);
      return prepared;
    },

    append: async (log, view, prepared, signal) => {
      const entry = decode(prepared.message);
      let last: Resolution = 'refused';
      const build = (newest: NamespaceView): EntryDraft | 'nothing' => {
        last = resolvePrepared(newest, prepared.commitId, entry, log.storeTimeMs());
        if (last !== 'append') return 'nothing';
        const manifest = bodies.get(prepared);
        return { kind: 'manifest', ...prepared, ...(manifest === undefined ? {} : { manifest }) };
      };
      const result = await log.append(view, build, signal);
      if (result.outcome === 'committed') return result;
      const outcome = last as Resolution; // assigned in the callback
      deps.log.info('manifest not appended', { namespace: view.name, job: entry.job, outcome });
      if (outcome === 'committed') {
        return { outcome, generation: result.view.newestManifestGeneration, view: result.view };
      }
      return { outcome: outcome === 'superseded' ? 'superseded' : 'refused', view: result.view };
    },
  };
}

const partsAtOnceMax = 16;

/** Writes the parts that the edit changed; the others are those of the manifest that it edits. */
async function writeParts(
  deps: ManifestCommitterDeps,
  place: BodyPlace,
  { parts: before = [], ...edit }: Manifest,
  signal?: AbortSignal,
): Promise<Manifest> {
  const layout = layOut({ segments: edit.segments, parts: before });
  const parts = await mapBounded(
    layout.parts,
    partsAtOnceMax,
    async (part, _, inner): Promise<ManifestPart> =>
      part.object === undefined
        ? { ...part, object: await createBody(deps, place, encodePart(part.segments), inner) }
        : part,
    signal,
  );
  return parts.length === 0 ? edit : { ...edit, parts };
}

type Resolution = 'append' | 'committed' | 'superseded' | 'refused';

/** What a handed entry may do on this view; pure, and asked again before every attempt. */
export function resolvePrepared(
  view: NamespaceView,
  commitId: string,
  entry: ManifestEntry,
  storeTimeMs: number,
): Resolution {
  const { live } = view;
  if (live === undefined || live.incarnation !== entry.incarnation) return 'refused';
  if (live.manifest.recentCommitIds.includes(commitId)) return 'committed';
  if (live.revokedJobs.includes(entry.job) || isRevoked(live.manifest, entry.job)) return 'refused';
  if (storeTimeMs - toSafeNumber(entry.jobStartedAtMs) > jobAgeMsMax) return 'refused';
  return toSafeNumber(entry.editsManifestGeneration) === live.manifest.generation ? 'append' : 'superseded';
}

function requireEdited(view: NamespaceView, edited: Manifest): LiveNamespace {
  const { live } = view;
  if (live === undefined || live.incarnation !== edited.incarnation) {
    throw new LagoonError('conflict', 'the incarnation that the manifest describes has ended', {
      context: { namespace: view.name },
    });
  }
  if (live.manifest.generation !== edited.generation) {
    throw new LagoonError('conflict', 'the manifest does not edit the newest', { context: { namespace: view.name } });
  }
  return live;
}

function decode(message: Uint8Array): ManifestEntry {
  try {
    return fromBinary(ManifestEntrySchema, message);
  } catch (cause) {
    throw new LagoonError('invalid_argument', 'manifest entry does not decode', { cause });
  }
}
