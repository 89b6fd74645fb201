import { corrupt, LagoonError, mapBounded } from '@lagoon/base';
import type { ListedObject, ObjectStore } from '@lagoon/object-store';
import type { EntryFacts, FactReader } from './gc-facts.ts';
import { printOf } from './gc-print.ts';
import { catalogPrefix, namespacePrefix, parseKey } from './keys.ts';
import { escapeName } from './name-escape.ts';

export interface Listing {
  readonly objects: readonly ListedObject[];
  /** When the first page was answered; undefined where the store does not tell the time. */
  readonly storeTimeMs: number | undefined;
}

const pageCountMax = 100_000;

/** Everything below a prefix, page by page. */
export async function listEverything(store: ObjectStore, prefix: string, signal?: AbortSignal): Promise<Listing> {
  const objects: ListedObject[] = [];
  let storeTimeMs: number | undefined;
  let startAfter: string | undefined;
  for (let pageCount = 0; pageCount < pageCountMax; pageCount++) {
    const page = await store.list({ prefix, ...(startAfter === undefined ? {} : { startAfter }) }, signal);
    if (pageCount === 0) storeTimeMs = page.storeTimeMs;
    objects.push(...page.objects);
    startAfter = page.objects.at(-1)?.key;
    if (!page.truncated || startAfter === undefined) return { objects, storeTimeMs };
  }
  throw new LagoonError('resource_exhausted', 'too many pages of keys', { context: { prefix } });
}

export interface SurveyedEntry extends ListedObject {
  readonly generation: number;
  readonly facts: EntryFacts;
}

export interface SurveyedFloor extends ListedObject {
  readonly generation: number;
}

export interface SurveyedBody extends ListedObject {
  readonly incarnation: string;
  readonly job: string;
}

export interface SurveyedMarker extends ListedObject {
  readonly incarnation: string;
}

/** What lies under one name, and what the headers of its entries say. */
export interface NamespaceSurvey {
  readonly name: string;
  readonly storeTimeMs: number | undefined;
  /** Ascending. */
  readonly floors: readonly SurveyedFloor[];
  /** Ascending. */
  readonly entries: readonly SurveyedEntry[];
  readonly bodies: readonly SurveyedBody[];
  readonly hint: ListedObject | undefined;
  readonly catalogue: readonly SurveyedMarker[];
  readonly operations: readonly ListedObject[];
  /** Of the keys that were listed. */
  readonly print: number;
}

const headersAtOnceMax = 16;

/**
 * Lists one name and reads the headers of its entries. Bodies come before entries in key order: a body that is listed and named by an entry that
 * was there by then is seen as named.
 */
export async function surveyForGarbage(
  deps: { readonly store: ObjectStore; readonly facts: FactReader },
  name: string,
  signal?: AbortSignal,
): Promise<NamespaceSurvey> {
  const markers = await listEverything(deps.store, `${catalogPrefix}${escapeName(name)}/`, signal);
  const listing = await listEverything(deps.store, namespacePrefix(name), signal);
  const floors: SurveyedFloor[] = [];
  const bodies: SurveyedBody[] = [];
  const logged: (ListedObject & { readonly generation: number })[] = [];
  const operations: ListedObject[] = [];
  let hint: ListedObject | undefined;
  for (const object of listing.objects) {
    const parsed = parseKey(object.key);
    if (parsed?.kind === 'floor') floors.push({ ...object, generation: parsed.generation });
    if (parsed?.kind === 'log') logged.push({ ...object, generation: parsed.generation });
    if (parsed?.kind === 'body') bodies.push({ ...object, incarnation: parsed.incarnation, job: parsed.job });
    if (parsed?.kind === 'head') hint = object;
    if (parsed?.kind === 'operation') operations.push(object);
  }
  const read = await mapBounded(
    logged,
    headersAtOnceMax,
    async (object, _, inner) => ({ object, facts: await deps.facts.entry(object.key, inner) }),
    signal,
  );
  // What another collector removed meanwhile is no entry any more.
  const entries = read.flatMap(({ object, facts }) => (facts === undefined ? [] : [{ ...object, facts }]));
  const catalogue = markers.objects.flatMap((object): SurveyedMarker[] => {
    const parsed = parseKey(object.key);
    return parsed?.kind === 'catalog' ? [{ ...object, incarnation: parsed.incarnation }] : [];
  });
  const print = printOf(markers.objects, listing.objects);
  return { name, storeTimeMs: listing.storeTimeMs, floors, entries, bodies, hint, catalogue, operations, print };
}

export function largestFloor(survey: NamespaceSurvey): number {
  return survey.floors.at(-1)?.generation ?? 0;
}

export function isStructural(entry: SurveyedEntry): boolean {
  const { kind, manifestBody } = entry.facts;
  return kind === 'birth' || kind === 'truncate' || manifestBody !== undefined;
}

/** The incarnation that lives at the head, if any. */
export function liveIncarnation(survey: NamespaceSurvey): string | undefined {
  const last = survey.entries.findLast((entry) => entry.facts.kind !== 'aborted');
  return last === undefined || last.facts.kind === 'truncate' ? undefined : last.facts.incarnation;
}

/**
 * Throws `corrupt` unless what a floor promises is there: a manifest, a birth or a truncate right above it, and no gap up to the
 * head. Whatever is wrong here stops collection rather than being taken for garbage.
 */
export function checkAboveFloor(survey: NamespaceSurvey, floor: number): void {
  const { name, entries } = survey;
  const above = entries.filter((entry) => entry.generation > floor);
  const [first] = above;
  if (floor > 0 && (first === undefined || first.generation !== floor + 1 || !isStructural(first))) {
    throw corrupt('nothing to start from right above the floor', { namespace: name, floor });
  }
  const last = above.at(-1);
  const count = (last?.generation ?? floor) - floor;
  if (above.length !== count)
    throw corrupt('a log entry above the floor is missing', { namespace: name, floor, count });
}

/**
 * The floor that may be raised now: right below the newest manifest, birth or truncate that is older than `retentionMs` by the store's
 * times. 0: none above the largest that stands.
 */
export function nextFloor(survey: NamespaceSurvey, storeNowMs: number, retentionMs: number): number {
  const present = largestFloor(survey);
  const start = survey.entries.findLast(
    (entry) => isStructural(entry) && storeNowMs - entry.lastModifiedMs >= retentionMs,
  );
  return start === undefined || start.generation - 1 <= present ? 0 : start.generation - 1;
}

/** Whether the floor stands as high as it can: right below the head, or below the only place to start from. */
export function isRetentionOver(survey: NamespaceSurvey): boolean {
  const start = survey.entries.findLast(isStructural);
  return start === undefined || start.generation - 1 <= largestFloor(survey);
}

/** The oldest entry of the tail that waits to be indexed; undefined where there is none, or nothing lives. */
export async function firstUnindexed(
  facts: FactReader,
  survey: NamespaceSurvey,
  signal?: AbortSignal,
): Promise<SurveyedEntry | undefined> {
  const live = liveIncarnation(survey);
  const own = survey.entries.filter((entry) => entry.facts.incarnation === live);
  const body = own.findLast((entry) => entry.facts.manifestBody !== undefined)?.facts.manifestBody;
  const indexedThrough = body === undefined ? 0 : (await facts.manifest(body, signal)).indexedThrough;
  return live === undefined ? undefined : own.find((entry) => entry.generation > indexedThrough && entry.facts.isTail);
}
