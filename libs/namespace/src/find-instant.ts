import { corrupt, isLagoonError, LagoonError } from '@lagoon/base';
import type { Entry, ManifestEntry } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import type { LogContext } from './context.ts';
import { type DecodedEntry, decodeEntry } from './entry.v1.ts';
import { readVerified } from './entry-body.ts';
import { checkFloor } from './floor.ts';
import { isForeignManifest } from './fold.ts';
import { gallop } from './gallop.ts';
import { type HeadHint, readHint } from './hint.ts';
import { instantFromStored, tailRangeCountMax } from './instant-codec.ts';
import { logKey, logPrefix, parseKeyAs } from './keys.ts';
import { referenceFromStored } from './object-reference.ts';
import { openNamespace } from './open.ts';
import { toSafeNumber } from './proto-number.ts';
import type { Instant, LogRange } from './view.ts';

/**
 * The namespace at a generation, at its newest where none is given, without reading its tail: the hint, a listing behind it and one entry
 * in the usual case. `not_found` where nothing lived then; `gone` where the generation is not retained, as far as this saw:
 * whoever needs that to hold writes its record first and then looks at the floor.
 */
export async function findInstant(
  context: LogContext,
  name: string,
  generation: number | undefined,
  signal?: AbortSignal,
): Promise<Instant> {
  const hint = generation === undefined ? await readHint(context, name, signal) : undefined;
  const at = generation ?? (await findNewest(context, name, hint, signal));
  if (at === 0) throw noSuchNamespace(name);
  try {
    const instant = await instantAt(context, name, at, hint, signal);
    if (instant !== undefined) return instant;
  } catch (error) {
    if (!isLagoonError(error, 'corrupt')) throw error;
    await throwIfGone(context, name, at, signal);
    throw error;
  }
  await throwIfGone(context, name, at, signal);
  if (generation !== undefined) {
    throw new LagoonError('not_found', 'the namespace has no such generation', {
      context: { namespace: name, generation },
    });
  }
  // The hint was wrong: what it names was never there.
  const newest = await findNewest(context, name, undefined, signal);
  if (newest === 0) throw noSuchNamespace(name);
  const found = await instantAt(context, name, newest, undefined, signal);
  if (found === undefined) throw corrupt('a log entry is missing', { namespace: name, generation: newest });
  return found;
}

/** Throws `gone` where the generation is at or below the floor. */
export async function throwIfGone(
  context: LogContext,
  name: string,
  generation: number,
  signal?: AbortSignal,
): Promise<void> {
  const { floor } = await checkFloor(context, name, signal);
  if (generation > floor) return;
  throw new LagoonError('not_found', 'the generation is not retained any more', {
    reason: 'gone',
    context: { namespace: name, generation, floor },
  });
}

export function noSuchNamespace(name: string): LagoonError {
  return new LagoonError('not_found', 'no such namespace', { context: { namespace: name } });
}

const listPageSize = 1_000;

/** The largest generation that a listing sent now shows; 0: none. */
async function findNewest(
  context: LogContext,
  name: string,
  hint: HeadHint | undefined,
  signal?: AbortSignal,
): Promise<number> {
  const known = hint?.generation ?? 0;
  const startAfter = known === 0 ? {} : { startAfter: logKey(name, known) };
  const page = await context.store.list({ prefix: logPrefix(name), ...startAfter, limit: listPageSize }, signal);
  context.time.answered(page);
  const last = page.objects.at(-1);
  const listed = last === undefined ? known : parseKeyAs(last.key, 'log').generation;
  return page.truncated ? await gallop(context, name, listed, signal) : listed;
}

/** Undefined: there is no such entry. */
async function instantAt(
  context: LogContext,
  name: string,
  generation: number,
  hint: HeadHint | undefined,
  signal?: AbortSignal,
): Promise<Instant | undefined> {
  const entry = await readBare(context, name, generation, signal);
  if (entry === undefined) return undefined;
  const { header } = entry;
  if (header.kind.case === 'truncate' || header.incarnation === '') throw noSuchNamespace(name);
  const identity = await identityOf(context, name, header, signal);
  const newest = await newestManifest(context, name, generation, header, identity.birthGeneration, hint, signal);
  const indexedThrough = newest === undefined ? 0 : toSafeNumber(newest.message.indexedThrough);
  const inherits = header.inherits && indexedThrough < identity.birthGeneration;
  const origin = inherits
    ? await readOrigin(context, name, generation, entry, identity.birthGeneration, signal)
    : undefined;
  const own: LogRange = {
    namespace: name,
    generationFirst: Math.max(identity.birthGeneration, indexedThrough + 1),
    generationLast: generation,
    hashLast: entry.hash,
  };
  // Nothing but the manifest itself is behind what it has indexed.
  const isBare = newest?.generation === generation && own.generationFirst === generation;
  const tail = [...(origin?.tail ?? []), ...(isBare ? [] : [own])];
  if (tail.length > tailRangeCountMax) {
    throw new LagoonError('resource_exhausted', 'too many ancestors are not indexed yet', {
      reason: 'backpressure',
      context: { namespace: name, count: tail.length, countMax: tailRangeCountMax },
    });
  }
  const manifestBody =
    newest === undefined
      ? origin?.manifestBody
      : referenceFromStored(logKey(name, newest.generation), newest.message.body);
  return { namespace: name, ...identity, generation, manifestBody, tail };
}

async function identityOf(
  context: LogContext,
  name: string,
  header: Entry,
  signal?: AbortSignal,
): Promise<Pick<Instant, 'incarnation' | 'family' | 'birthGeneration'>> {
  const { incarnation, family } = header;
  if (family !== '') return { incarnation, family, birthGeneration: toSafeNumber(header.birthGeneration) };
  // Written before entries said so: only what still lives can tell.
  const { live } = (await openNamespace(context, name, {}, signal)).view;
  if (live?.incarnation !== incarnation) {
    throw new LagoonError('not_found', 'the generation is from before there were branches', {
      reason: 'gone',
      context: { namespace: name },
    });
  }
  return { incarnation, family: live.family, birthGeneration: live.birthGeneration };
}

interface NewestManifest {
  readonly generation: number;
  readonly message: ManifestEntry;
}

/** The newest one of the incarnation as of the entry, itself included. */
async function newestManifest(
  context: LogContext,
  name: string,
  generation: number,
  header: Entry,
  birthGeneration: number,
  hint: HeadHint | undefined,
  signal?: AbortSignal,
): Promise<NewestManifest | undefined> {
  const own = asManifest(header);
  if (own !== undefined) return { generation, message: own };
  const newest = toSafeNumber(header.newestManifestGeneration);
  if (newest < birthGeneration) return undefined;
  const hinted = hint?.manifestGeneration === newest ? hint.manifestEntry?.header : undefined;
  const found = hinted ?? (await readBare(context, name, newest, signal))?.header;
  const message = found === undefined ? undefined : asManifest(found);
  if (message?.incarnation !== header.incarnation) {
    throw corrupt('the newest manifest is missing', { namespace: name, generation: newest });
  }
  return { generation: newest, message };
}

function asManifest(header: Entry): ManifestEntry | undefined {
  const { kind } = header;
  return kind.case === 'manifest' && !isForeignManifest(header, kind.value) ? kind.value : undefined;
}

/** What the incarnation began as: its birth entry says it. */
async function readOrigin(
  context: LogContext,
  name: string,
  generation: number,
  entry: DecodedEntry,
  birthGeneration: number,
  signal?: AbortSignal,
): Promise<Instant> {
  const birth = generation === birthGeneration ? entry : await readBare(context, name, birthGeneration, signal);
  const kind = birth?.header.kind;
  if (kind?.case !== 'birth' || kind.value.origin === undefined) {
    throw corrupt('the birth of an heir is missing', { namespace: name, generation: birthGeneration });
  }
  return instantFromStored(logKey(name, birthGeneration), kind.value.origin);
}

/** The entry alone, without anything that it names. */
async function readBare(
  context: LogContext,
  name: string,
  generation: number,
  signal?: AbortSignal,
): Promise<DecodedEntry | undefined> {
  const key = logKey(name, generation);
  return readVerified(context.store, key, {}, signal, (bytes) => decodeEntry(key, bytes));
}
