import { type Clock, createSystemRandom } from '@lagoon/base';
import { type ChaosCluster, startCluster } from './cluster.ts';
import { checkIndexed, type RoundResult, runRound } from './round.ts';
import { openSharedStore, type SharedStore, type StoreName } from './shared-store.ts';

export interface ChaosOptions {
  readonly store: StoreName;
  readonly seed: number;
  readonly roundCount: number;
  readonly roundMs: number;
  /** Whether the end waits until the last round's writes are indexed. */
  readonly untilIndexed: boolean;
  readonly report?: (line: string) => void;
}

export interface ChaosReport {
  /** Empty when all holds. */
  readonly wrong: readonly string[];
  /** What was done to whom, what clients did and saw: how often. */
  readonly counts: ReadonlyMap<string, number>;
  /** The ends of what the members logged. */
  readonly logs: string;
}

const clientCount = 32;

/**
 * Rounds of faults on one cluster of real processes until one finds something wrong. Each round has namespaces and a seed (the first
 * one's, plus its index) of its own; a seed decides what is done and when, not how the machine orders it.
 */
export async function runChaos(
  clock: Clock,
  options: ChaosOptions,
  onStart?: (close: () => Promise<void>) => void,
): Promise<ChaosReport> {
  const counts = new Map<string, number>();
  const wrong: string[] = [];
  const store = await openSharedStore(options.store);
  let cluster: ChaosCluster | undefined;
  const close = async (): Promise<void> => {
    await cluster?.close();
    await store.close();
  };
  onStart?.(close);
  try {
    cluster = await startCluster(clock, createSystemRandom(), store);
    wrong.push(...(await runRounds(clock, cluster, store, options, counts)));
    return { wrong, counts, logs: cluster.members.map((member) => member.logs()).join('\n') };
  } finally {
    await close();
  }
}

async function runRounds(
  clock: Clock,
  cluster: ChaosCluster,
  store: SharedStore,
  options: ChaosOptions,
  counts: Map<string, number>,
): Promise<string[]> {
  let namespaces: readonly string[] = [];
  for (let index = 0; index < options.roundCount; index++) {
    const seed = options.seed + index;
    namespaces = [`round-${index}-busy`, `round-${index}-calm`, `round-${index}-heir`];
    const result = await runRound(clock, cluster, store, {
      seed,
      namespaces,
      durationMs: options.roundMs,
      clientCount,
    });
    addCounts(counts, result);
    options.report?.(`${store.name}, seed ${seed}: ${summaryOf(result)}`);
    if (result.wrong.length > 0) return result.wrong.map((one) => `${store.name}, seed ${seed}: ${one}`);
  }
  return options.untilIndexed ? await checkIndexed(clock, cluster, namespaces) : [];
}

function addCounts(totals: Map<string, number>, { deeds, history, models }: RoundResult): void {
  const add = (what: string, count: number) => totals.set(what, (totals.get(what) ?? 0) + count);
  for (const [deed, count] of deeds) add(deed, count);
  for (const [status, count] of history.statuses) add(`status ${status}`, count);
  for (const { kind } of [...models.values()].flatMap(({ generations }) => generations)) add(`entry ${kind}`, 1);
  for (const { mergeCount } of models.values()) add('merges', mergeCount);
  add('births from others', history.births.length);
  add('snapshots', history.snapshots.length);
  add('exports', history.reads.filter(({ kind }) => kind === 'export').length);
  add('writes acknowledged', history.writes.filter(({ acknowledgedMs }) => acknowledgedMs !== undefined).length);
  add('writes of unknown outcome', history.writes.filter(isUnknown).length);
  add('reads', history.reads.length);
}

function isUnknown(write: {
  readonly acknowledgedMs: number | undefined;
  readonly refused: string | undefined;
}): boolean {
  return write.acknowledgedMs === undefined && write.refused === undefined;
}

function summaryOf(result: RoundResult): string {
  const counts = new Map<string, number>();
  addCounts(counts, result);
  const what = [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
  return `${result.wrong.length === 0 ? 'nothing wrong' : `${result.wrong.length} findings`}; ${what}`;
}

/** A seed for whoever gave none. */
export function drawSeed(): number {
  return createSystemRandom().integer(2 ** 31);
}
