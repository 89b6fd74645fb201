import type { ListedObject } from '@lagoon/object-store';
import type { FamilyCensus } from './gc-census.ts';
import type { MemberRecord } from './gc-records.ts';
import { isStructural, largestFloor, liveIncarnation, type NamespaceSurvey } from './gc-survey.ts';
import { logKey, parseKeyAs } from './keys.ts';

/** In the order in which they are deleted: what tells whose something is goes after it. */
export const garbageKinds = [
  'object',
  'body',
  'log',
  'birth',
  'floor',
  'head',
  'catalogue',
  'pin',
  'operation',
  'record',
] as const;
export type GarbageKind = (typeof garbageKinds)[number];

export interface Garbage extends ListedObject {
  readonly kind: GarbageKind;
  readonly reason: string;
}

/** Something that nothing needs and that may not be deleted yet. */
export interface Waiting extends ListedObject {
  readonly reason: string;
}

/** A job that has not finished within a day: to be revoked by a generation of the namespace. */
export interface UnfinishedJob {
  readonly name: string;
  readonly job: string;
  /** What is seen in two passes before it is revoked. */
  readonly key: string;
}

/** A birth whose record stands alone: to be given up by taking its number. */
export interface StuckBirth {
  readonly name: string;
  readonly generation: number;
  readonly key: string;
}

export interface FamilyVerdict {
  readonly garbage: readonly Garbage[];
  readonly waiting: readonly Waiting[];
  readonly unfinished: readonly UnfinishedJob[];
  readonly stuckBirths: readonly StuckBirth[];
  /** Incarnations that live and are not listed. */
  readonly unlisted: readonly { readonly name: string; readonly incarnation: string }[];
}

export interface VerdictOptions {
  readonly storeNowMs: number;
  /** Whether any family has a record of this incarnation; asked for those that no log tells of. */
  isRecorded(incarnation: string): boolean;
}

const dayMs = 24 * 3_600_000;
const birthMsMax = 3_600_000;

/** What of a family is garbage, and why, or why not yet; pure. */
export function judgeFamily(census: FamilyCensus, options: VerdictOptions): FamilyVerdict {
  const verdict = createVerdict(options);
  const members = new Map(census.members.map((member) => [member.incarnation, member]));
  const names = [...census.surveys.values()].map((survey) => createNameJudge(census, survey, members));
  for (const name of names) {
    judgeLog(census, name, verdict);
    judgeBodies(census, name, options, verdict);
    judgeMarkers(name, verdict);
    judgeOperations(name, verdict);
  }
  judgeData(census, members, names, verdict);
  judgePins(census, verdict);
  judgeRecords(census, names, verdict);
  return verdict.result;
}

/** What becomes of an incarnation under one name. */
type Fate = 'retained' | 'ended' | 'unknown';

interface NameJudge {
  readonly survey: NamespaceSurvey;
  readonly floor: number;
  readonly revoked: ReadonlySet<string>;
  fateOf(incarnation: string): Fate;
  /** Undefined: nothing tells. */
  familyOf(incarnation: string): string | undefined;
}

function createNameJudge(
  census: FamilyCensus,
  survey: NamespaceSurvey,
  members: ReadonlyMap<string, MemberRecord>,
): NameJudge {
  const { name, entries } = survey;
  const floor = census.floors.get(name) ?? 0;
  const families = new Map<string, string>();
  const seen = new Set<string>();
  const retained = new Set<string>();
  for (const { generation, facts } of entries) {
    if (facts.incarnation === '') continue;
    seen.add(facts.incarnation);
    if (facts.family !== '') families.set(facts.incarnation, facts.family);
    // Right above the floor, the end of an incarnation keeps nothing of it; an Aborted keeps nothing anywhere.
    const isItsEnd = facts.kind === 'truncate' && generation === floor + 1;
    if (generation > floor && !isItsEnd && facts.kind !== 'aborted') retained.add(facts.incarnation);
  }
  const live = liveIncarnation(survey);
  if (live !== undefined) retained.add(live);
  return {
    survey,
    floor,
    revoked: census.revoked.get(name) ?? new Set(),
    fateOf: (incarnation) => {
      if (retained.has(incarnation)) return 'retained';
      if (seen.has(incarnation)) return 'ended';
      const member = members.get(incarnation);
      if (member === undefined || member.name !== name) return 'unknown';
      if (member.birthGeneration <= floor) return 'ended';
      const birthKey = logKey(name, member.birthGeneration);
      return entries.some(({ key }) => key === birthKey) ? 'ended' : 'unknown'; // the number is another's
    },
    familyOf: (incarnation) =>
      families.get(incarnation) ?? (members.get(incarnation)?.name === name ? census.family : undefined),
  };
}

type Verdict = ReturnType<typeof createVerdict>;

function createVerdict({ storeNowMs }: VerdictOptions) {
  const garbage: Garbage[] = [];
  const waiting: Waiting[] = [];
  const unfinished: UnfinishedJob[] = [];
  const stuckBirths: StuckBirth[] = [];
  const unlisted: { name: string; incarnation: string }[] = [];
  const verdict = {
    result: { garbage, waiting, unfinished, stuckBirths, unlisted },
    ageMs: (object: ListedObject) => storeNowMs - object.lastModifiedMs,
    add: (object: ListedObject, kind: GarbageKind, reason: string) => garbage.push({ ...plain(object), kind, reason }),
    wait: (object: ListedObject, reason: string) => waiting.push({ ...plain(object), reason }),
    /** An object of a job that no entry names, of an incarnation that goes on or may yet be born. */
    addUnfinished: (
      object: ListedObject,
      kind: GarbageKind,
      name: string,
      job: string,
      revoked: ReadonlySet<string>,
    ) => {
      if (revoked.has(job)) verdict.add(object, kind, 'of a job that was revoked');
      else if (verdict.ageMs(object) < dayMs) verdict.wait(object, 'of a job that may still be running');
      else {
        verdict.wait(object, 'of a job that will be revoked');
        unfinished.push({ name, job, key: object.key });
      }
    },
  };
  return verdict;
}

function plain({ key, size, lastModifiedMs }: ListedObject): ListedObject {
  return { key, size, lastModifiedMs };
}

/** Entries below the floor that nothing names, hints of what has ended, floors below the one that counts. */
function judgeLog(census: FamilyCensus, judge: NameJudge, verdict: Verdict): void {
  const { survey, floor, familyOf } = judge;
  for (const entry of survey.entries) {
    if (entry.generation > floor || census.live.has(entry.key)) continue;
    const { incarnation, kind } = entry.facts;
    const family = incarnation === '' ? census.family : familyOf(incarnation);
    if (family === undefined) verdict.wait(entry, 'below the floor, and nothing tells its family');
    else if (family === census.family) verdict.add(entry, kind === 'birth' ? 'birth' : 'log', 'below the floor');
  }
  for (const object of survey.floors)
    if (object.generation < floor) verdict.add(object, 'floor', 'a larger one stands');
  if (largestFloor(survey) > floor) {
    const standing = survey.floors.findLast(({ generation }) => generation > floor);
    if (standing !== undefined) verdict.wait(standing, 'a floor that must stand for its grace');
  }
  // Burnt numbers may follow the end.
  const isOver =
    liveIncarnation(survey) === undefined && survey.entries.findLast(isStructural)?.generation === floor + 1;
  if (survey.hint !== undefined && isOver) verdict.add(survey.hint, 'head', 'nothing lives under the name');
}

function judgeBodies(census: FamilyCensus, judge: NameJudge, options: VerdictOptions, verdict: Verdict): void {
  const { survey, revoked } = judge;
  for (const body of survey.bodies) {
    if (census.live.has(body.key)) continue;
    const family = judge.familyOf(body.incarnation);
    // What no log and no record tells of was never born, or is what is left of something whose record is gone.
    const isOurs = family === census.family || (family === undefined && !options.isRecorded(body.incarnation));
    if (!isOurs) continue;
    if (judge.fateOf(body.incarnation) === 'ended') verdict.add(body, 'body', 'of an incarnation that has ended');
    else if (census.committed.has(body.key)) verdict.add(body, 'body', 'named only below the floor');
    else verdict.addUnfinished(body, 'body', survey.name, body.job, revoked);
  }
}

/** Markers of names that do not live, and lives without a marker. */
function judgeMarkers({ survey }: NameJudge, verdict: Verdict): void {
  const live = liveIncarnation(survey);
  for (const marker of survey.catalogue) {
    if (marker.incarnation === live) continue;
    // A birth writes its marker first.
    if (verdict.ageMs(marker) < dayMs) verdict.wait(marker, 'a marker of a birth that may still come');
    else verdict.add(marker, 'catalogue', 'a marker of what does not live');
  }
  if (live !== undefined && !survey.catalogue.some(({ incarnation }) => incarnation === live)) {
    verdict.result.unlisted.push({ name: survey.name, incarnation: live });
  }
}

/** Records of copies are kept for a day after they were written last. */
function judgeOperations({ survey }: NameJudge, verdict: Verdict): void {
  for (const operation of survey.operations) {
    if (verdict.ageMs(operation) < dayMs) verdict.wait(operation, 'an operation that may still be asked for');
    else verdict.add(operation, 'operation', 'an operation older than a day');
  }
}

function judgeData(
  census: FamilyCensus,
  members: ReadonlyMap<string, MemberRecord>,
  names: readonly NameJudge[],
  verdict: Verdict,
): void {
  for (const object of census.data) {
    if (census.live.has(object.key)) continue;
    const { incarnation, job } = parseKeyAs(object.key, 'data');
    const member = members.get(incarnation);
    const judge = names.find(({ survey }) =>
      member === undefined
        ? survey.entries.some(({ facts }) => facts.incarnation === incarnation)
        : survey.name === member.name,
    );
    // The record is written before the first segment and removed last.
    if (judge === undefined) verdict.add(object, 'object', 'of an incarnation without a record');
    else if (judge.fateOf(incarnation) === 'ended') verdict.add(object, 'object', 'of an incarnation that has ended');
    else if (census.committed.has(object.key)) verdict.add(object, 'object', 'named only below the floor');
    else verdict.addUnfinished(object, 'object', judge.survey.name, job, judge.revoked);
  }
}

/** Snapshots stay until someone deletes them; what was never confirmed, and the leases of reads, go when they are older than a day. */
function judgePins(census: FamilyCensus, verdict: Verdict): void {
  for (const pin of census.pins) {
    if (pin.confirmation !== undefined && !pin.isLease) continue;
    if (verdict.ageMs(pin) < dayMs) verdict.wait(pin, 'a pin that may still be in use');
    else verdict.add(pin, 'pin', pin.isLease ? 'a lease older than a day' : 'a pin that was never confirmed');
  }
  for (const stray of census.strayConfirmations) verdict.add(stray, 'pin', 'a confirmation without its pin');
}

function judgeRecords(census: FamilyCensus, names: readonly NameJudge[], verdict: Verdict): void {
  for (const member of census.members) {
    const judge = names.find(({ survey }) => survey.name === member.name);
    if (judge === undefined) continue;
    const fate = judge.fateOf(member.incarnation);
    if (fate === 'retained') continue;
    const birthKey = logKey(member.name, member.birthGeneration);
    const birth = judge.survey.entries.find(({ key }) => key === birthKey);
    const isUndecided = birth === undefined && member.birthGeneration > judge.floor;
    if (isUndecided) {
      if (verdict.ageMs(member) < birthMsMax) verdict.wait(member, 'a birth that may still come');
      else {
        verdict.wait(member, 'a birth that will be given up');
        verdict.result.stuckBirths.push({ ...member, generation: member.birthGeneration });
      }
      continue;
    }
    const isLeft = isAnythingLeft(census, judge, member, birthKey);
    if (isLeft) verdict.wait(member, 'something of the incarnation is left');
    else verdict.add(member, 'record', 'nothing of the incarnation is left');
  }
}

/** Above the floor there can only be its end. */
function isAnythingLeft(
  census: FamilyCensus,
  { survey, floor }: NameJudge,
  member: MemberRecord,
  birthKey: string,
): boolean {
  const { incarnation } = member;
  return (
    census.data.some(({ key }) => parseKeyAs(key, 'data').incarnation === incarnation) ||
    survey.bodies.some((body) => body.incarnation === incarnation) ||
    survey.entries.some(
      ({ key, generation, facts }) => key !== birthKey && generation <= floor && facts.incarnation === incarnation,
    ) ||
    census.pins.some((pin) => pin.incarnation === incarnation)
  );
}
