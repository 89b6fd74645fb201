/** Which simulation a mutant is hunted with. */
export type HuntKind = 'seconds' | 'hours' | 'days';

/** A bug, put into the real code while it is loaded. */
export interface Mutant {
  readonly name: string;
  /** Relative to the repository. */
  readonly edits: readonly MutantEdit[];
  readonly hunt: HuntKind;
  /** A seed that found it when this was written: tried first, then all from 1 on. */
  readonly seed: number;
  /** What is found. */
  readonly finding: RegExp;
}

export interface MutantEdit {
  readonly file: string;
  /** Is there exactly once. */
  readonly find: string;
  readonly replace: string;
}

const append = 'libs/namespace/src/append.ts';
const committer = 'libs/namespace/src/manifest-commit.ts';
const rows = 'services/ingester/src/namespace-rows.ts';
const collector = 'services/compactor/src/gc/collector.ts';

export const mutants: readonly Mutant[] = [
  {
    name: 'acknowledges before the PUT returns',
    edits: [
      {
        file: append,
        find: 'const result = await context.store.create(key, object, signal);',
        replace: `void context.store.create(key, object, signal).catch(() => undefined);
    const result: CreateResult = { outcome: 'created', storeTimeMs: undefined };`,
      },
    ],
    hunt: 'seconds',
    seed: 1,
    finding: /is nowhere|does not chain|no answer that stands/,
  },
  {
    name: 'garbage collection that reads pins, records and heads before it writes the floor',
    edits: [
      {
        file: collector,
        find: 'const { outcome } = await deps.store.create(floorKey(name, floor)',
        replace: `await early.read(storeNowMs(survey), state.signal);
        const { outcome } = await deps.store.create(floorKey(name, floor)`,
      },
      {
        file: collector,
        find: 'const census = await takeCensus(censusDeps(state.dryRun)',
        replace:
          'const census = await takeCensus({ ...censusDeps(state.dryRun), store: early.store(deps.namespaceLog.storeTimeMs(), config.graceMs) }',
      },
      {
        file: collector,
        find: 'const sightings = createSightings(',
        replace: `const early = createEarlyReads(deps.store);
  const sightings = createSightings(`,
      },
      {
        file: collector,
        find: "import { createSightings } from './sightings.ts';",
        replace: `import { createSightings } from './sightings.ts';
import { createEarlyReads } from '../../../../tests/sim/mutants/early-reads.ts';`,
      },
    ],
    hunt: 'hours',
    seed: 2,
    finding: /missing|shows/,
  },
  {
    name: 'a builder that commits after its job was revoked',
    edits: [
      {
        file: committer,
        find: "if (live.revokedJobs.includes(entry.job) || isRevoked(live.manifest, entry.job)) return 'refused';",
        replace: '',
      },
      {
        file: committer,
        find: "if (storeTimeMs - toSafeNumber(entry.jobStartedAtMs) > jobAgeMsMax) return 'refused';",
        replace: 'void storeTimeMs;',
      },
    ],
    hunt: 'days',
    seed: 23,
    finding: /missing|shows/,
  },
  {
    name: 'conditions decided on the rows that were there when the request came, while a write is in flight',
    edits: [
      {
        file: rows,
        find: 'await reach(from, deadline.signal);',
        replace: 'arrived = await reach(from, deadline.signal);',
      },
      {
        file: rows,
        find: 'let idleTimer: Timer | undefined;',
        replace: `let idleTimer: Timer | undefined;
  let arrived: ReachedRows | undefined;`,
      },
      {
        file: rows,
        find: 'return await reach(view, signal);',
        replace: `const now = await reach(view, signal);
      const isSame = arrived?.view.live?.incarnation === now.view.live?.incarnation;
      return isSame && arrived !== undefined ? { view: now.view, rows: arrived.rows } : now;`,
      },
    ],
    hunt: 'seconds',
    seed: 7,
    finding: /counter|changed|left id/,
  },
  {
    name: 'conditions decided on the rows before the entry that won the race',
    edits: [
      {
        file: 'services/ingester/src/group-commit.ts',
        find: 'return { base: reached.rows, layers: [...layers] };',
        replace: 'return { base: reached.rows, layers: [] };',
      },
    ],
    hunt: 'seconds',
    seed: 1,
    finding: /counter|changed|left id/,
  },
  {
    name: 'delete vectors that are not carried across a merge',
    edits: [
      {
        file: 'services/compactor/src/carry-deletes.ts',
        find: 'if (now === undefined) continue;',
        replace: 'if (now === undefined || rowCount > 0) continue;',
      },
      {
        // Alone, it is refused by the accounts that every edit and every manifest must balance.
        file: 'libs/namespace/src/merge-edit.ts',
        find: "assert((segment?.liveRowCount ?? 0) === liveRowCount, 'a merge keeps every live row');",
        replace: 'void liveRowCount;',
      },
      {
        file: 'libs/namespace/src/manifest.ts',
        find: "must(liveInSegments === live, 'live rows of the segments differ from the accounting', { liveInSegments, live });",
        replace: '',
      },
    ],
    hunt: 'seconds',
    seed: 3,
    finding: /shows|is \d+ in the log|is not in the log|counts|twice/,
  },
  {
    name: 'delete vectors that are carried across a merge to the wrong rows',
    edits: [
      {
        file: 'services/compactor/src/carry-deletes.ts',
        find: 'setBit(dead, to);',
        replace: 'setBit(dead, rowCount - 1 - deadRowCount);',
      },
    ],
    hunt: 'seconds',
    seed: 5,
    finding: /shows|is \d+ in the log|is not in the log|counts|twice/,
  },
];
