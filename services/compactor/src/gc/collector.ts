import { type Clock, type Log, mapBounded, toLagoonError } from '@lagoon/base';
import {
  catalogKey,
  createFactReader,
  type EntryDraft,
  type FactReader,
  type FamilyCensus,
  type FamilyVerdict,
  firstUnindexed,
  floorKey,
  type Garbage,
  garbageKinds,
  isRetentionOver,
  judgeFamily,
  listRecordedFamilies,
  type NamespaceLog,
  type NamespaceSurvey,
  type NamespaceView,
  nextFloor,
  revocationCountMax,
  type StuckBirth,
  surveyForGarbage,
  takeCensus,
  type UnfinishedJob,
  writeDirtyMarker,
} from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { GcConfig } from './gc-config.ts';
import { gcGraceMsMin } from './gc-config.ts';
import { createReport, type GcReport, type ReportBuilder } from './report.ts';
import { createSightings } from './sightings.ts';

export interface CollectorDeps {
  readonly store: ObjectStore;
  readonly namespaceLog: NamespaceLog;
  readonly clock: Clock;
  readonly log: Log;
}

/** One process's garbage collection; any number of them may work on one store. */
export interface Collector {
  /**
   * One pass over the names and over every family that they, or the given families, touch. `settled` are the names of which nothing is left
   * to do, now or later, unless something about them changes.
   */
  pass(scope: PassScope, signal?: AbortSignal): Promise<PassResult>;
}

export interface PassScope {
  readonly names: Iterable<string>;
  readonly families?: Iterable<string>;
  /** Nothing is written or deleted. */
  readonly dryRun?: boolean;
}

/** A name of which nothing is left to do as long as its keys, and those of its families, are what these fingerprints say. */
export interface Settled {
  readonly print: number;
  readonly families: ReadonlyMap<string, number>;
}

export interface PassResult {
  readonly report: GcReport;
  /** Every name that was looked at, with its families. */
  readonly looked: ReadonlyMap<string, ReadonlySet<string>>;
  readonly settled: ReadonlyMap<string, Settled>;
  /** Families of which something is left to do: a name may not lead to them any more. */
  readonly openFamilies: ReadonlySet<string>;
}

/** For bodies of what was never born: a name without any family, which no random id can be. */
const noFamily = 'none';
const jobsPerRevocationMax = 1_000;
/** A tail that is older than this should have been indexed. */
const tailMsMax = 600_000;

const deedOf = ({ key }: { readonly key: string }) => `revoke ${key}`;

interface Pass {
  readonly report: ReportBuilder;
  readonly dryRun: boolean;
  /** The family of every recorded incarnation: a listing of all of them, so only where no log tells. */
  recorded(): Promise<ReadonlyMap<string, string>>;
  readonly looked: Map<string, Set<string>>;
  /** Names of which something is left to do. */
  readonly open: Set<string>;
  readonly openFamilies: Set<string>;
  /** As they were first seen: whatever changed behind that is looked at again. */
  readonly prints: Map<string, number>;
  readonly familyPrints: Map<string, number>;
  readonly signal: AbortSignal | undefined;
}

/** Bodies of which neither a log nor a record of the family tells whose they are. */
function hasUntoldBodies({ surveys, members }: FamilyCensus): boolean {
  const told = new Set(members.map(({ incarnation }) => incarnation));
  for (const { entries } of surveys.values()) for (const { facts } of entries) told.add(facts.incarnation);
  return [...surveys.values()].some(({ bodies }) => bodies.some(({ incarnation }) => !told.has(incarnation)));
}

/** They are kept for days, so there may be no room for more of them: then those jobs wait. */
function revocationCountOf({ live }: NamespaceView): number {
  return live === undefined ? 0 : live.revokedJobs.length + live.manifest.revocations.length;
}

function note(prints: Map<string, number>, subject: string, print: number): void {
  if (!prints.has(subject)) prints.set(subject, print);
}

export function createCollector(deps: CollectorDeps, config: GcConfig): Collector {
  const facts: FactReader = createFactReader(deps.store);
  const sightings = createSightings(deps.clock, config.graceMs, config.sightingCountMax);
  const storeNowMs = (survey: NamespaceSurvey | undefined) => survey?.storeTimeMs ?? deps.namespaceLog.storeTimeMs();

  /** A floor counts when it has stood for the grace by the store's times, and for ten minutes under this process's eyes. */
  const standingFloor = (survey: NamespaceSurvey, dryRun: boolean): number => {
    let standing = 0;
    for (const floor of survey.floors) {
      const hasStood = storeNowMs(survey) - floor.lastModifiedMs >= config.graceMs;
      const isKnown = sightings.knownMs(floor.key) >= gcGraceMsMin || dryRun; // which deletes nothing
      if (isKnown && hasStood) standing = floor.generation;
    }
    return standing;
  };

  const censusDeps = (dryRun: boolean) => ({
    store: deps.store,
    facts,
    standingFloor: (survey: NamespaceSurvey) => standingFloor(survey, dryRun),
  });

  const pass: Collector['pass'] = async (scope, signal) => {
    const report = createReport();
    let listing: Promise<ReadonlyMap<string, string>> | undefined;
    const recorded = () => {
      listing ??= listRecordedFamilies(deps.store, signal);
      return listing;
    };
    const looked = new Map<string, Set<string>>();
    const state: Pass = {
      report,
      dryRun: scope.dryRun === true,
      recorded,
      looked,
      open: new Set(),
      openFamilies: new Set(),
      prints: new Map(),
      familyPrints: new Map(),
      signal,
    };
    const families = new Map<string, Set<string>>();
    for (const family of scope.families ?? []) families.set(family, new Set());
    await mapBounded([...scope.names], config.concurrencyMax, async (name) => {
      await guarded(state, name, [name], async () => {
        for (const family of await lookAt(state, name)) {
          families.set(family, (families.get(family) ?? new Set()).add(name));
        }
      });
    });
    await mapBounded([...families], config.concurrencyMax, ([family, names]) =>
      guarded(state, family, names, async () => {
        if (family !== noFamily) state.openFamilies.add(family); // until it is known to be done
        await collectFamily(state, family, names);
      }),
    );
    return { report: report.report, looked, settled: settledOf(state), openFamilies: state.openFamilies };
  };

  const settledOf = (state: Pass): Map<string, Settled> => {
    const settled = new Map<string, Settled>();
    for (const [name, families] of state.looked) {
      if (state.open.has(name)) continue;
      const prints = [...families].map((family): [string, number] => [family, state.familyPrints.get(family) ?? 0]);
      settled.set(name, { print: state.prints.get(name) ?? 0, families: new Map(prints) });
    }
    return settled;
  };

  /** What fails stays for the next pass, loudly; the others go on. */
  const guarded = async (state: Pass, subject: string, names: Iterable<string>, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      state.signal?.throwIfAborted();
      for (const name of names) {
        state.open.add(name);
        if (!state.looked.has(name)) state.looked.set(name, new Set());
      }
      state.report.addFailure(subject, error);
      deps.log.error('garbage of a family is not collected', { subject, error: toLagoonError(error) });
    }
  };

  /** Raises the floor where that is due; returns the families that the name touches. */
  const lookAt = async (state: Pass, name: string): Promise<Set<string>> => {
    const survey = await surveyForGarbage({ store: deps.store, facts }, name, state.signal);
    note(state.prints, name, survey.print);
    const families = new Set<string>();
    const told = new Set<string>();
    for (const { facts: entry } of survey.entries) {
      if (entry.family === '') continue;
      families.add(entry.family);
      told.add(entry.incarnation);
    }
    const untold = [
      ...survey.entries.map((entry) => entry.facts.incarnation),
      ...survey.bodies.map((body) => body.incarnation),
    ].filter((incarnation) => incarnation !== '' && !told.has(incarnation));
    if (untold.length > 0) {
      const recorded = await state.recorded();
      for (const incarnation of untold) families.add(recorded.get(incarnation) ?? noFamily);
    }
    if (families.size === 0) families.add(noFamily);
    state.looked.set(name, new Set([...families].filter((family) => family !== noFamily)));
    if (!isRetentionOver(survey)) state.open.add(name);
    await markTail(state, survey);
    const floor = nextFloor(survey, storeNowMs(survey), config.retentionMs);
    if (floor > 0) {
      state.open.add(name);
      if (!state.dryRun) {
        const { outcome } = await deps.store.create(floorKey(name, floor), new Uint8Array(0), state.signal);
        deps.log.debug('floor raised', { namespace: name, floor, outcome });
      }
      state.report.addFloor();
    }
    return families;
  };

  /** A tail whose ingester died before it told anybody: a marker brings a compactor to it. */
  const markTail = async (state: Pass, survey: NamespaceSurvey): Promise<void> => {
    const tail = await firstUnindexed(facts, survey, state.signal);
    if (tail === undefined) return;
    state.open.add(survey.name);
    if (state.dryRun || storeNowMs(survey) - tail.lastModifiedMs < tailMsMax) return;
    await writeDirtyMarker(deps.store, survey.name, tail.generation, state.signal);
    state.report.addMarker();
  };

  const collectFamily = async (state: Pass, family: string, names: ReadonlySet<string>): Promise<void> => {
    const { verdict, nowMs, names: all } = await judge(state, family, names);
    state.report.addVerdict(verdict);
    for (const name of all) {
      const families = state.looked.get(name) ?? new Set();
      if (family !== noFamily) families.add(family);
      state.looked.set(name, families);
    }
    const isOpen = verdict.garbage.length + verdict.waiting.length > 0;
    if (isOpen) for (const name of all) state.open.add(name);
    else state.openFamilies.delete(family);
    const { garbage, unfinished, stuckBirths, unlisted } = verdict;
    // Two passes for the deed itself, then two more for what it makes garbage.
    const deeds = [...unfinished, ...stuckBirths].map(deedOf);
    sightings.saw(family, [...garbage.map(({ key }) => key), ...deeds], nowMs);
    if (state.dryRun) return;
    const isDue = (deed: UnfinishedJob | StuckBirth) => sightings.isRipe(family, deedOf(deed), nowMs);
    await revoke(state, unfinished.filter(isDue));
    for (const birth of stuckBirths.filter(isDue)) await giveUp(state, birth);
    for (const { name, incarnation } of unlisted) {
      await deps.store.put(catalogKey(name, incarnation), new Uint8Array(0), state.signal);
      state.report.addMarker();
    }
    const ripe = garbage.filter(({ key }) => sightings.isRipe(family, key, nowMs));
    await deleteRipe(state, family, names, ripe);
  };

  const judge = async (state: Pass, family: string, names: ReadonlySet<string>) => {
    const census = await takeCensus(censusDeps(state.dryRun), family, names, state.signal);
    note(state.familyPrints, family, census.print);
    for (const survey of census.surveys.values()) note(state.prints, survey.name, survey.print);
    const [first] = census.surveys.values();
    const nowMs = storeNowMs(first);
    const needsRecords = hasUntoldBodies(census);
    const recorded = needsRecords ? await state.recorded() : undefined;
    const isRecorded = (incarnation: string) => recorded?.has(incarnation) === true;
    const verdict: FamilyVerdict = judgeFamily(census, { storeNowMs: nowMs, isRecorded });
    return { verdict, nowMs, names: [...census.surveys.keys()] };
  };

  /** Deletes kind by kind, in batches, each after everything was read and judged again. */
  const deleteRipe = async (
    state: Pass,
    family: string,
    names: ReadonlySet<string>,
    ripe: readonly Garbage[],
  ): Promise<void> => {
    let left = config.deleteCountMax;
    for (const kind of garbageKinds) {
      const ofKind = ripe.filter((item) => item.kind === kind).slice(0, left);
      left -= ofKind.length;
      for (let start = 0; start < ofKind.length; start += config.batchCountMax) {
        const { verdict } = await judge(state, family, names);
        const still = new Set(verdict.garbage.map(({ key }) => key));
        const batch = ofKind.slice(start, start + config.batchCountMax).filter(({ key }) => still.has(key));
        if (batch.length === 0) continue;
        await deps.store.delete(
          batch.map(({ key }) => key),
          state.signal,
        );
        for (const item of batch) state.report.addDeleted(kind, item.size);
      }
    }
  };

  /** Whatever the jobs have in flight loses its number to this generation, sees that they are revoked, and is dropped. */
  const revoke = async (state: Pass, unfinished: readonly UnfinishedJob[]): Promise<void> => {
    const byName = new Map<string, Set<string>>();
    for (const { name, job } of unfinished) byName.set(name, (byName.get(name) ?? new Set()).add(job));
    for (const [name, all] of byName) {
      const jobs = [...all].slice(0, jobsPerRevocationMax);
      const { view } = await deps.namespaceLog.open(name, {}, state.signal);
      let revokedCount = 0;
      const build = (newest: NamespaceView): EntryDraft | 'nothing' => {
        const room = revocationCountMax - revocationCountOf(newest);
        const revokedJobs = jobs.slice(0, Math.max(0, room));
        revokedCount = revokedJobs.length;
        return revokedCount === 0 ? 'nothing' : { kind: 'aborted', revokedJobs };
      };
      await deps.namespaceLog.append(view, build, state.signal);
      state.report.addRevoked(revokedCount);
      deps.log.info('unfinished jobs revoked', { namespace: name, jobs: revokedCount });
    }
  };

  /** Takes the number of a birth that has not come; what it finds there instead is as good. */
  const giveUp = async (state: Pass, birth: StuckBirth): Promise<void> => {
    const { view } = await deps.namespaceLog.open(birth.name, {}, state.signal);
    const result = await deps.namespaceLog.append(
      view,
      (newest) => (newest.generation + 1 === birth.generation ? { kind: 'aborted', revokedJobs: [] } : 'nothing'),
      state.signal,
    );
    if (result.outcome === 'committed') state.report.addBirth();
    deps.log.info('birth given up', { namespace: birth.name, generation: birth.generation, outcome: result.outcome });
  };

  return { pass };
}
