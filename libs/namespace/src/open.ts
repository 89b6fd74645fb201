import { corrupt, isLagoonError, LagoonError } from '@lagoon/base';
import type { LogContext } from './context.ts';
import { type ReadEntry, readEntry } from './entry-reader.ts';
import { checkFloor, type Survey, surveyNamespace } from './floor.ts';
import { isForeignManifest } from './fold.ts';
import { gallop } from './gallop.ts';
import { completeHintedManifest, type HeadHint, readHint } from './hint.ts';
import type { NamespaceEvent, OpenOptions, ReadResult } from './namespace-log.ts';
import { toSafeNumber } from './proto-number.ts';
import type { Manifest, NamespaceView } from './view.ts';
import { walk } from './walk.ts';

const attemptCountMax = 5;
/** Asked for beside what is known to be there where the listing did not reach the end of the log: a hint is some generations old. */
const lookAheadGenerations = 16;
/** Read at once: the tail of a namespace that is indexed in time, and what is looked for behind it. */
const firstCountMax = 64 + lookAheadGenerations + 1;
/** A log without a manifest is read from its start, up to so many entries, before its last one was looked at. */
const shortLogGenerations = 64;

/** Where a walk to the head starts. */
interface Start {
  readonly view: NamespaceView;
  readonly knownThrough: number;
  readonly preloaded: ReadonlyMap<number, ReadEntry>;
}

/** The view of a name that was never used, as far as a floor check can say. */
export function emptyView(name: string): NamespaceView {
  return { name, generation: 0, tip: undefined, newestManifestGeneration: 0, live: undefined, proof: undefined };
}

/**
 * Finds the head: the hint and a listing at once, then the newest manifest, then everything behind its `indexedThrough`, in
 * parallel, until a generation is absent. A hint that leads nowhere costs one more attempt without it.
 */
export async function openNamespace(
  context: LogContext,
  name: string,
  options: OpenOptions,
  signal?: AbortSignal,
): Promise<ReadResult> {
  let mayHint = true;
  for (let attempt = 0; attempt < attemptCountMax; attempt++) {
    const [survey, hint] = await Promise.all([
      surveyNamespace(context, name, signal),
      mayHint ? readHint(context, name, signal) : undefined,
    ]);
    if (survey.listedGeneration === 0 && survey.floor === 0) {
      return { view: { ...emptyView(name), proof: survey.proof }, restarted: true, events: [] };
    }
    const usable = hint !== undefined && isUsable(hint, survey) ? hint : undefined;
    if (hint !== undefined) context.metrics.hint(usable === undefined ? 'ignored' : 'used');
    try {
      const start = await findStart(context, name, survey, usable, signal);
      mayHint = false;
      if (start === undefined) continue;
      const { view, preloaded } = start;
      if (view.live !== undefined) options.onManifest?.(view.live.manifest);
      const knownThrough = start.knownThrough + (survey.complete ? 0 : lookAheadGenerations);
      const known = { knownThrough, preloaded, firstCountMax };
      const walked = await walk(context, { ...view, proof: survey.proof }, known, signal);
      if (walked.outcome === 'below_floor') continue;
      const reachedMin = Math.max(view.newestManifestGeneration, survey.listedGeneration);
      if (walked.view.generation < reachedMin) {
        throw corrupt('a log entry is missing', {
          namespace: name,
          generation: walked.view.generation + 1,
          reachedMin,
        });
      }
      return { view: walked.view, restarted: true, events: contentOf(walked.view, walked.events) };
    } catch (error) {
      if (!isLagoonError(error, 'corrupt')) throw error;
      if (usable === undefined) {
        // Between the listing and the reads a floor may have been raised, stood, and been collected at.
        if ((await checkFloor(context, name, signal)).floor > survey.floor) continue;
        throw error;
      }
      context.log.warn('head hint led to something corrupt, trying without it', { namespace: name, error });
      mayHint = false;
    }
  }
  throw new LagoonError('unavailable', 'the head keeps moving below the floor', { context: { namespace: name } });
}

function isUsable(hint: HeadHint, survey: Survey): boolean {
  if (hint.generation <= survey.floor) return false;
  if (survey.complete && hint.generation > survey.listedGeneration) return false;
  return hint.manifestGeneration === 0 || hint.manifestGeneration > survey.floor;
}

/** Undefined: what must exist does not, so the floor has moved. */
async function findStart(
  context: LogContext,
  name: string,
  survey: Survey,
  hint: HeadHint | undefined,
  signal?: AbortSignal,
): Promise<Start | undefined> {
  const afterFloor = survey.floor + (survey.floor === 0 ? 0 : 1);
  const listed = Math.max(survey.listedGeneration, afterFloor);
  if (hint?.manifestEntry !== undefined) {
    const manifestEntry = await completeHintedManifest(context, name, hint.manifestEntry, hint.manifestRoot, signal);
    return startAtEntry(name, manifestEntry, manifestEntry.manifest, Math.max(listed, hint.generation));
  }
  if (survey.floor === 0 && survey.complete && listed <= shortLogGenerations && (hint?.manifestGeneration ?? 0) === 0) {
    return { view: emptyView(name), knownThrough: listed, preloaded: new Map() };
  }
  const seen = Math.max(listed, hint?.generation ?? 0);
  const head = survey.complete ? seen : await gallop(context, name, seen, signal);
  const headEntry = (await readEntry(context, name, head, head, signal)).entry;
  if (headEntry === undefined) return undefined;
  const manifestGeneration = newestManifest(headEntry);
  if (manifestGeneration <= survey.floor) {
    const view = { ...emptyView(name), generation: survey.floor };
    return { view, knownThrough: head, preloaded: new Map([[head, headEntry]]) };
  }
  const { entry } = await readEntry(context, name, manifestGeneration, 0, signal);
  return entry?.manifest === undefined ? undefined : startAtEntry(name, entry, entry.manifest, head);
}

/** As of the entry, itself included. */
function newestManifest(entry: ReadEntry): number {
  const { header } = entry;
  const isOne = header.kind.case === 'manifest' && !isForeignManifest(header, header.kind.value);
  return isOne ? entry.generation : toSafeNumber(header.newestManifestGeneration);
}

/** The view as of the manifest's `indexedThrough`: what follows is read by name, checked by the chain up to the manifest. */
export function startAt(name: string, newestManifestGeneration: number, manifest: Manifest): NamespaceView {
  const { incarnation, family, birthGeneration, createdAtMs, lastWriteAtMs, schema, settings, indexedThrough } =
    manifest;
  return {
    ...emptyView(name),
    generation: indexedThrough,
    newestManifestGeneration,
    live: {
      incarnation,
      family,
      birthGeneration,
      createdAtMs,
      lastWriteAtMs,
      schema,
      settings,
      manifest,
      tail: [],
      revokedJobs: [],
    },
  };
}

function startAtEntry(name: string, entry: ReadEntry, manifest: Manifest, knownThrough: number): Start {
  const view = startAt(name, entry.generation, manifest);
  return { view, knownThrough, preloaded: new Map([[entry.generation, entry]]) };
}

/** The batches that the view's manifest has not indexed: with its segments they are the whole content. */
function contentOf(view: NamespaceView, events: readonly NamespaceEvent[]): NamespaceEvent[] {
  const { live } = view;
  if (live === undefined) return [];
  const first = Math.max(live.birthGeneration, live.manifest.indexedThrough + 1);
  return events.filter((event) => event.kind === 'batch' && event.generation >= first);
}
