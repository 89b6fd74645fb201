import { type Clock, createSeededRandom } from '@lagoon/base';
import { fsck } from '@lagoon/server';
import { checkHistory } from '../sim/checker.ts';
import { requestUntilKnown } from '../sim/client-call.ts';
import { createHistory, type History } from '../sim/history.ts';
import type { LogModel } from '../sim/log-model.ts';
import { createChaosActor, readAll, runClients, sendTo } from './clients.ts';
import type { ChaosCluster } from './cluster.ts';
import { type DeedCounts, startNemesis } from './nemesis.ts';
import { readModels } from './read-log.ts';
import type { SharedStore } from './shared-store.ts';

export interface RoundOptions {
  readonly seed: number;
  readonly namespaces: readonly string[];
  /** How long clients begin new work. */
  readonly durationMs: number;
  readonly clientCount: number;
}

export interface RoundResult {
  /** Empty when all holds. */
  readonly wrong: readonly string[];
  readonly deeds: DeedCounts;
  readonly history: History;
  readonly models: ReadonlyMap<string, LogModel>;
}

/** After the last fault, every open request must have its answer by then. */
const recoveryMs = 60_000;
/** A small tail is indexed after a minute. */
const indexedMs = 180_000;

/** Faults while clients work on namespaces of their own, then none; when every outcome is known, the check against the log. */
export async function runRound(
  clock: Clock,
  cluster: ChaosCluster,
  store: SharedStore,
  options: RoundOptions,
): Promise<RoundResult> {
  const random = createSeededRandom(options.seed);
  const history = createHistory();
  const nemesis = startNemesis(clock, createSeededRandom(random.integer(2 ** 31)), cluster, store);
  const patience = new AbortController();
  const { namespaces } = options;
  const startedMs = clock.monotonicMs();
  const clients = runClients(cluster, history, random, {
    count: options.clientCount,
    namespaces,
    untilMs: startedMs + options.durationMs,
    patience: patience.signal,
  });
  const outcome = clients.then(
    () => [],
    (error: unknown) => [`a client failed: ${error}`],
  );
  await Promise.race([outcome, clock.sleep(options.durationMs)]);
  const wrong: string[] = [];
  await nemesis.calm().catch((error: unknown) => wrong.push(`a member did not come back: ${error}`));
  const timer = clock.setTimer(recoveryMs, () =>
    patience.abort(new Error(`no answer within ${recoveryMs} ms after the last fault`)),
  );
  try {
    wrong.push(...(await outcome));
    if (wrong.length === 0) await readAll(cluster, history, random, { namespaces, patience: patience.signal });
  } catch (error) {
    wrong.push(`the last reads failed: ${error}`);
  } finally {
    timer.cancel();
  }
  for (const { ownEnds } of cluster.members) wrong.push(...ownEnds);
  const { problems } = await fsck(store.objects);
  wrong.push(...problems.map(({ key, problem }) => `${key} ${problem}`));
  const models = await readModels(store.objects, namespaces).catch((error: unknown) => {
    wrong.push(`the logs: ${error}`);
    return new Map<string, LogModel>();
  });
  if (models.size > 0) wrong.push(...checkHistory(withKnownNodes(history, cluster.pinnedGateway), models));
  return { wrong, deeds: nemesis.counts, history, models };
}

/** Whether what the round left is indexed within a bound. */
export async function checkIndexed(
  clock: Clock,
  cluster: ChaosCluster,
  namespaces: readonly string[],
): Promise<string[]> {
  const patience = new AbortController();
  const timer = clock.setTimer(indexedMs, () => patience.abort());
  const actor = createChaosActor(patience.signal);
  const random = createSeededRandom(0);
  const wrong: string[] = [];
  for (const namespace of namespaces) {
    const path = `/v1/namespaces/${namespace}/metadata`;
    const isIndexed = async (): Promise<boolean> => {
      const { status, body } = await requestUntilKnown(actor, random, sendTo(cluster, random), { method: 'GET', path });
      return status === 404 || (body.index as { readonly status?: string } | undefined)?.status === 'up-to-date';
    };
    try {
      while (!(await isIndexed())) await actor.clock.sleep(1_000);
    } catch {
      wrong.push(`${namespace} is not indexed ${indexedMs} ms after the last fault`);
    }
  }
  timer.cancel();
  return wrong;
}

/** Which node answered is known of the pinned gateway only; any other read counts as that of a node of its own. */
function withKnownNodes(history: History, pinnedGateway: number): History {
  const reads = history.reads.map((read, index) =>
    read.node === pinnedGateway ? read : { ...read, node: -1 - index },
  );
  return { ...history, reads };
}
