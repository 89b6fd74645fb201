import { isLagoonError, LagoonError, mapBounded } from '@lagoon/base';
import { createLogContext, type LogContext, type NamespaceLogDeps } from './context.ts';
import { type DecodedEntry, decodeEntry } from './entry.v1.ts';
import { checkBody, readVerified } from './entry-body.ts';
import { readEntry } from './entry-reader.ts';
import { fold, isForeignManifest } from './fold.ts';
import { listEverything } from './gc-survey.ts';
import { hintedBody } from './hint.ts';
import { floorKey, logKey, logPrefix, parseKeyAs } from './keys.ts';
import { createNamespaceLog } from './log.ts';
import { namedKeys } from './manifest.ts';
import { createManifestCommitter } from './manifest-commit.ts';
import { readManifest } from './manifest-reader.ts';
import { referenceFromStored } from './object-reference.ts';
import { emptyView, startAt } from './open.ts';
import type { Manifest, NamespaceView, ObjectReference } from './view.ts';
import { walk } from './walk.ts';

/** How a lost manifest was made again. */
export type Mended =
  | { readonly how: 'nothing_lost' }
  /** The hint had the very bytes that its entry names. */
  | { readonly how: 'from_hint'; readonly key: string }
  /** A new generation holds what the manifest of `base` held (0: nothing was indexed); what came behind that is tail again. */
  | { readonly how: 'from_log'; readonly generation: number; readonly base: number };

/**
 * Makes the body of a namespace's newest manifest again where that is provably right: from the hint's copy, by its hash; or from the log, where an older
 * manifest (or the birth) is whole with everything that it names, and every entry behind it is there and chains up to the head. Segments alone say
 * neither which of their rows died nor what was deleted behind them, so without one of the two it throws `corrupt` and changes nothing.
 * No process should work on the namespace meanwhile: one that holds the lost manifest in memory has to be started anew.
 */
export async function mendManifest(deps: NamespaceLogDeps, name: string, signal?: AbortSignal): Promise<Mended> {
  const context = createLogContext(deps);
  const { objects } = await listEverything(deps.store, logPrefix(name), signal);
  const generations = objects.map(({ key }) => parseKeyAs(key, 'log').generation);
  const head = generations.at(-1) ?? 0;
  const newest = await newestManifest(context, name, generations, signal);
  if (newest === undefined || (await isWhole(context, name, newest, signal))) return { how: 'nothing_lost' };
  if (await restoreFromHint(context, name, newest.body, signal)) return { how: 'from_hint', key: newest.body.key };
  const known = generations.filter((generation) => generation < newest.generation);
  const base = await findBase(context, name, known, newest, signal);
  if (base === undefined) {
    throw lost(name, 'no older manifest of the life is whole, and its birth is not there any more', newest);
  }
  // As if the base were the lost one: bodies up to there are not read.
  const pretended = { ...base.manifest, generation: newest.generation };
  const walked = await walk(context, startAt(name, newest.generation, pretended), { knownThrough: head }, signal);
  if (walked.outcome !== 'at_head' || walked.view.generation !== head || walked.view.live === undefined) {
    throw lost(name, 'entries behind the older manifest are missing', newest);
  }
  return await commitBase(deps, walked.view, pretended, base.generation, signal);
}

interface FoundManifest {
  readonly generation: number;
  readonly incarnation: string;
  readonly birthGeneration: number;
  readonly body: ObjectReference;
}

/** Of the life at the head; undefined where nothing lives, or nothing was indexed. */
async function newestManifest(
  context: LogContext,
  name: string,
  generations: readonly number[],
  signal?: AbortSignal,
): Promise<FoundManifest | undefined> {
  for (const generation of generations.toReversed()) {
    const header = (await readBare(context, name, generation, signal))?.header;
    const { kind } = header ?? {};
    if (header === undefined || kind?.case === 'truncate' || kind?.case === 'birth') return undefined;
    if (kind?.case !== 'manifest' || isForeignManifest(header, kind.value)) continue;
    const body = referenceFromStored(logKey(name, generation), kind.value.body);
    return { generation, incarnation: header.incarnation, birthGeneration: Number(header.birthGeneration), body };
  }
  return undefined;
}

async function isWhole(
  context: LogContext,
  name: string,
  { body, generation }: FoundManifest,
  signal?: AbortSignal,
): Promise<Manifest | undefined> {
  try {
    return await readManifest(context, name, body, generation, signal);
  } catch (error) {
    if (isLagoonError(error, 'corrupt')) return undefined;
    throw error;
  }
}

/** A body that is there and damaged is replaced by the bytes that it was written as: its key still means the same. */
async function restoreFromHint(
  context: LogContext,
  name: string,
  body: ObjectReference,
  signal?: AbortSignal,
): Promise<boolean> {
  const bytes = await hintedBody(context, name, signal);
  if (bytes === undefined) return false;
  try {
    checkBody(body, bytes);
  } catch {
    return false; // of another manifest
  }
  await context.store.put(body.key, bytes, signal);
  return true;
}

interface Base {
  /** 0: the birth. */
  readonly generation: number;
  readonly manifest: Manifest;
}

/** The newest older state of the life of which everything is there. */
async function findBase(
  context: LogContext,
  name: string,
  generations: readonly number[],
  lostOne: FoundManifest,
  signal?: AbortSignal,
): Promise<Base | undefined> {
  for (const generation of generations.toReversed()) {
    const header = (await readBare(context, name, generation, signal))?.header;
    if (header?.incarnation !== lostOne.incarnation) continue;
    const { kind } = header;
    if (kind.case === 'manifest' && !isForeignManifest(header, kind.value)) {
      const body = referenceFromStored(logKey(name, generation), kind.value.body);
      const manifest = await isWhole(context, name, { ...lostOne, generation, body }, signal);
      if (manifest !== undefined && (await isAllThere(context, manifest, signal))) return { generation, manifest };
    }
    if (kind.case === 'birth') {
      const { entry } = await readEntry(context, name, generation, 0, signal);
      const before: NamespaceView = { ...emptyView(name), generation: generation - 1 };
      const manifest = entry === undefined ? undefined : fold(before, entry).view.live?.manifest;
      if (manifest !== undefined && (await isAllThere(context, manifest, signal))) return { generation: 0, manifest };
    }
  }
  return undefined;
}

const looksAtOnceMax = 16;

async function isAllThere(context: LogContext, manifest: Manifest, signal?: AbortSignal): Promise<boolean> {
  const found = await mapBounded(
    namedKeys(manifest),
    looksAtOnceMax,
    async (key, _, inner) => context.store.get(key, { range: { start: 0, end: 1 } }, inner),
    signal,
  );
  return found.every((object) => object !== undefined);
}

/** One manifest more; the floor right below it, for what lies between the base and it cannot be read as a generation of its own. */
async function commitBase(
  deps: NamespaceLogDeps,
  view: NamespaceView,
  manifest: Manifest,
  base: number,
  signal?: AbortSignal,
): Promise<Mended> {
  const log = createNamespaceLog(deps);
  const committer = createManifestCommitter(deps);
  const job = { job: `mend${view.generation}`, startedAtMs: log.storeTimeMs() };
  const prepared = await committer.prepare(view, manifest, job, signal);
  const result = await committer.append(log, view, prepared, signal);
  if (result.outcome !== 'committed') {
    throw new LagoonError('conflict', 'another process works on the namespace', { context: { namespace: view.name } });
  }
  await deps.store.create(floorKey(view.name, result.generation - 1), new Uint8Array(0), signal);
  return { how: 'from_log', generation: result.generation, base };
}

async function readBare(
  context: LogContext,
  name: string,
  generation: number,
  signal?: AbortSignal,
): Promise<DecodedEntry | undefined> {
  const key = logKey(name, generation);
  return readVerified(context.store, key, {}, signal, (bytes) => decodeEntry(key, bytes));
}

function lost(namespace: string, why: string, { generation, body }: FoundManifest): LagoonError {
  return new LagoonError('corrupt', `the newest manifest is lost and cannot be made again: ${why}`, {
    context: { namespace, generation, key: body.key },
  });
}
