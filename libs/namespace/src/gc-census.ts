import { corrupt, isLagoonError, LagoonError } from '@lagoon/base';
import type { ListedObject, ObjectStore } from '@lagoon/object-store';
import type { FactReader, LogSpan, ManifestFacts, Needs } from './gc-facts.ts';
import { printOf } from './gc-print.ts';
import { type MemberRecord, type PinRecord, readMembers, readPins } from './gc-records.ts';
import { checkAboveFloor, largestFloor, listEverything, type NamespaceSurvey, surveyForGarbage } from './gc-survey.ts';
import { dataPrefix, logKey } from './keys.ts';
import type { ObjectReference } from './view.ts';

/** Everything of one family, and which of its keys are needed. Taken in the order that revivers rely on (README, Garbage). */
export interface FamilyCensus {
  readonly family: string;
  readonly pins: readonly PinRecord[];
  readonly strayConfirmations: readonly ListedObject[];
  readonly members: readonly MemberRecord[];
  readonly data: readonly ListedObject[];
  /** Of the keys of records and data. */
  readonly print: number;
  readonly surveys: ReadonlyMap<string, NamespaceSurvey>;
  /** By name: the floor below which entries may go. */
  readonly floors: ReadonlyMap<string, number>;
  /** Log entries, bodies, segments, delete vectors and births that some root needs. */
  readonly live: ReadonlySet<string>;
  /** Keys that a committed entry names or named: their jobs are over. */
  readonly committed: ReadonlySet<string>;
  /** Jobs revoked by a generation, by name. */
  readonly revoked: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface CensusDeps {
  readonly store: ObjectStore;
  readonly facts: FactReader;
  /** The largest floor of a name that has stood for its grace; 0: none. */
  standingFloor(survey: NamespaceSurvey): number;
}

const nameCountMax = 20_000;
const roundCountMax = 16;

/**
 * Reads pins, then family records, then data and heads: in this order. A reviver writes its record first and lists the floors then;
 * so either its record is seen here, or it sees a floor that stood before. Throws `corrupt` where anything of the family cannot be read.
 */
export async function takeCensus(
  deps: CensusDeps,
  family: string,
  names: Iterable<string>,
  signal?: AbortSignal,
): Promise<FamilyCensus> {
  const known = new Set(names);
  for (let round = 0; round < roundCountMax; round++) {
    const countBefore = known.size;
    const census = await takeCensusOf(deps, family, known, signal);
    if (census !== undefined) return census;
    if (known.size > nameCountMax || known.size === countBefore) break;
  }
  throw new LagoonError('resource_exhausted', 'a family that cannot be surveyed at once', {
    context: { family, nameCount: known.size },
  });
}

/** Undefined: names have come to light whose pins must be read first; they are in `names` now. */
async function takeCensusOf(
  deps: CensusDeps,
  family: string,
  names: Set<string>,
  signal?: AbortSignal,
): Promise<FamilyCensus | undefined> {
  const pins: PinRecord[] = [];
  const strayConfirmations: ListedObject[] = [];
  for (const name of names) {
    const listing = await readPins(deps.store, name, signal);
    pins.push(...listing.pins);
    strayConfirmations.push(...listing.strays);
  }
  const members = await readMembers(deps.store, family, signal);
  if (
    learn(
      names,
      members.map(({ name }) => name),
    )
  )
    return undefined;
  const { objects: data } = await listEverything(deps.store, dataPrefix(family), signal);
  const surveys = new Map<string, NamespaceSurvey>();
  const floors = new Map<string, number>();
  for (const name of names) {
    const survey = await surveyForGarbage(deps, name, signal);
    const floor = deps.standingFloor(survey);
    checkAboveFloor(survey, largestFloor(survey));
    surveys.set(name, survey);
    floors.set(name, floor);
  }
  const roots = createRoots(deps.facts, surveys, floors, signal);
  for (const survey of surveys.values()) await roots.addLog(survey);
  for (const pin of pins) await roots.addNeeds(pin.needs, pin.confirmation !== undefined ? 'required' : 'unproven');
  for (const member of members) await roots.addMember(member);
  roots.addSpannedBodies();
  if (learn(names, roots.names())) return undefined;
  const { live, committed, revoked } = roots;
  const print = printOf(members, data);
  return { family, pins, strayConfirmations, members, data, print, surveys, floors, live, committed, revoked };
}

function learn(names: Set<string>, more: Iterable<string>): boolean {
  const before = names.size;
  for (const name of more) names.add(name);
  return names.size > before;
}

/** Whether what a birth or a pin names must be there: one whose maker was refused may name what is gone already. */
type Standing = 'required' | 'unproven';

const spanCountMax = 1_000_000;

/** Gathers what is needed. */
function createRoots(
  facts: FactReader,
  surveys: ReadonlyMap<string, NamespaceSurvey>,
  floors: ReadonlyMap<string, number>,
  signal: AbortSignal | undefined,
) {
  const live = new Set<string>();
  const committed = new Set<string>();
  const revoked = new Map<string, Set<string>>();
  const spans: LogSpan[] = [];

  const addManifest = async (body: ObjectReference, standing: Standing): Promise<ManifestFacts | undefined> => {
    live.add(body.key);
    try {
      const manifest = await facts.manifest(body, signal);
      for (const key of manifest.named) live.add(key);
      if (manifest.inherited !== undefined) await addNeeds(manifest.inherited, standing);
      return manifest;
    } catch (error) {
      if (standing === 'required' || !isLagoonError(error, 'corrupt')) throw error;
      return undefined;
    }
  };

  const addNeeds = async (needs: Needs, standing: Standing): Promise<void> => {
    spans.push(...needs.spans);
    if (needs.manifestBody !== undefined) await addManifest(needs.manifestBody, standing);
  };

  /** Entries above the floor with everything that they name; and what those below it say of jobs that are over. */
  const addLog = async (survey: NamespaceSurvey): Promise<void> => {
    const floor = floors.get(survey.name) ?? 0;
    const jobs = new Set<string>();
    revoked.set(survey.name, jobs);
    for (const { key, generation, facts: entry } of survey.entries) {
      for (const job of entry.revokedJobs) jobs.add(job);
      if (entry.bodyKey !== undefined) committed.add(entry.bodyKey);
      if (generation <= floor) {
        if (entry.manifestBody !== undefined) await addCommitted(entry.manifestBody);
        continue;
      }
      live.add(key);
      if (entry.bodyKey !== undefined) live.add(entry.bodyKey);
      // Between the floor that counts for this process and the largest, another collector may have been already.
      const standing = generation > largestFloor(survey) ? 'required' : 'unproven';
      if (entry.origin !== undefined) await addNeeds(entry.origin, standing);
      const manifest = entry.manifestBody === undefined ? undefined : await addManifest(entry.manifestBody, standing);
      if (manifest === undefined) continue;
      for (const obsolete of manifest.obsolete) committed.add(obsolete);
      for (const job of manifest.revokedJobs) jobs.add(job);
      // Readers walk from behind `indexedThrough`, also over what lies below the floor.
      const first = manifest.indexedThrough + 1;
      if (first <= floor) spans.push({ name: survey.name, first, last: floor });
    }
  };

  /** A manifest below the floor: its body may be gone already. */
  const addCommitted = async (body: ObjectReference): Promise<void> => {
    committed.add(body.key);
    try {
      const manifest = await facts.manifest(body, signal);
      for (const key of [...manifest.named, ...manifest.obsolete]) committed.add(key);
    } catch (error) {
      if (!isLagoonError(error, 'corrupt')) throw error;
    }
  };

  /** A birth in progress needs its instant. The birth entry itself stays while the record stands: it says that there was a birth. */
  const addMember = async (member: MemberRecord): Promise<void> => {
    if (member.origin === undefined) return;
    const birthKey = logKey(member.name, member.birthGeneration);
    live.add(birthKey);
    const isDecided = surveys.get(member.name)?.entries.some(({ key }) => key === birthKey) === true;
    if (!isDecided) await addNeeds(member.origin, 'unproven');
  };

  return {
    live,
    committed,
    revoked,
    addLog,
    addNeeds,
    addMember,
    names: () => spans.map(({ name }) => name),
    /** Entries that are needed by name, and their bodies. */
    addSpannedBodies: (): void => {
      for (const { name, first, last } of spans) {
        const entries = surveys.get(name)?.entries ?? [];
        if (last - first > spanCountMax)
          throw corrupt('a range of too many log entries', { namespace: name, first, last });
        for (const { key, generation, facts: entry } of entries) {
          if (generation < first || generation > last) continue;
          live.add(key);
          if (entry.bodyKey !== undefined) live.add(entry.bodyKey);
        }
      }
    },
  };
}
