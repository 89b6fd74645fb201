import { createSeededRandom, type Random } from '@lagoon/base';
import { createActor } from './actor.ts';
import { checkHistory } from './checker.ts';
import { type Cluster, type ClusterOptions, createCluster, defaultClusterOptions } from './cluster.ts';
import { createFaultCounts, type FaultCounts, type FaultPolicy, noFaults, ordinaryFaults } from './faults.ts';
import { createHistory, type History } from './history.ts';
import { type LogModel, readLogModel } from './log-model.ts';
import { createSimulatedNetwork, type SimulatedNetwork } from './network.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { createSimulatedStore, type SimulatedStore } from './simulated-store.ts';
import { createWorkloadClient } from './workload.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly clientCount: number;
  readonly operationCount: number;
  readonly namespaces: readonly string[];
  readonly endShare: number;
  readonly faults: FaultPolicy;
  /** Mean time between two deeds of the nemesis; Infinity: none. */
  readonly nemesisEveryMs: number;
  readonly lostReplyProbability: number;
  readonly cluster: ClusterOptions;
}

export const defaultSimulation: Omit<SimulationOptions, 'seed'> = {
  clientCount: 4,
  operationCount: 20,
  namespaces: ['alpha', 'beta'],
  endShare: 0.02,
  faults: ordinaryFaults,
  nemesisEveryMs: 1_500,
  lostReplyProbability: 0.01,
  cluster: defaultClusterOptions,
};

export interface SimulationResult {
  readonly seed: number;
  /** What is wrong; empty when all holds. */
  readonly wrong: readonly string[];
  readonly history: History;
  readonly counts: FaultCounts;
  readonly models: ReadonlyMap<string, LogModel>;
  readonly traceHash: string;
  readonly virtualMs: number;
  readonly storeCallCount: number;
}

/** What a run is made of, for scenarios that drive it by hand. */
export interface World {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly store: SimulatedStore;
  readonly network: SimulatedNetwork;
  readonly cluster: Cluster;
  readonly counts: FaultCounts;
}

export function createWorld(seed: number, clusterOptions: ClusterOptions): World {
  const random = createSeededRandom(seed);
  const scheduler = createScheduler(random);
  const counts = createFaultCounts();
  const store = createSimulatedStore(scheduler, random, counts);
  store.policy = noFaults;
  const network = createSimulatedNetwork(scheduler, random, counts);
  return {
    scheduler,
    random,
    store,
    network,
    counts,
    cluster: createCluster({ scheduler, random, store, network }, clusterOptions),
  };
}

const virtualMsMax = 4 * 3_600_000;
const eventCountMax = 3_000_000;

/** One run: faults while the clients work, then none until everything is known and indexed; then the check. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const world = createWorld(options.seed, options.cluster);
  const { scheduler, random, store, network } = world;
  const history = createHistory();
  let writeCount = 0;
  let finished = 0;
  let failure: unknown;
  store.policy = options.faults;
  network.lostReplyProbability = options.lostReplyProbability;
  const stopNemesis = startNemesis(world, options);

  for (let i = 0; i < options.clientCount; i++) {
    const client = createWorkloadClient({
      actor: createActor(scheduler, `client-${i}`, 0),
      random: createSeededRandom(random.integer(2 ** 31)),
      history,
      namespaces: options.namespaces,
      nextWrite: () => ++writeCount,
      send: (request, signal) => world.cluster.send(request, signal),
      endShare: options.endShare,
    });
    client.run(options.operationCount).then(
      () => finished++,
      (error: unknown) => {
        failure ??= error;
      },
    );
  }
  // Faults go on until most of the work is done, then stop: what is still open must come to its end by itself.
  scheduler.schedule(options.operationCount * 500, () => {
    stopNemesis();
    store.policy = noFaults;
    network.lostReplyProbability = 0;
  });
  const bounds = { untilMs: virtualMsMax, eventCountMax };
  await scheduler.run(() => failure !== undefined || finished === options.clientCount, bounds);
  if (failure !== undefined) throw failure;
  stopNemesis();
  store.policy = noFaults;
  network.lostReplyProbability = 0;
  const wrong = await checkLiveness(world, options.namespaces);
  const models = new Map(options.namespaces.map((namespace) => [namespace, readLogModel(store.objects, namespace)]));
  wrong.push(...checkHistory(history, models), ...(await checkFinalContent(world, models)));
  return {
    seed: options.seed,
    wrong,
    history,
    counts: world.counts,
    models,
    traceHash: store.traceHash(),
    virtualMs: scheduler.nowMs,
    storeCallCount: store.callCount,
  };
}

function startNemesis(world: World, options: SimulationOptions): () => void {
  const { scheduler, random, cluster, counts, store } = world;
  let stopped = false;
  const downMs = () => 10 + random.float() * 3_000;
  const anyMember = () => {
    const all = [...cluster.ingesters, ...cluster.queryNodes, ...cluster.compactors];
    return all[random.integer(all.length)];
  };
  const deeds: (() => void)[] = [
    () => {
      counts.crashIngester++;
      cluster.ingesters[random.integer(cluster.ingesters.length)]?.restart(downMs());
    },
    () => {
      counts.crashQuery++;
      cluster.queryNodes[random.integer(cluster.queryNodes.length)]?.restart(downMs());
    },
    () => {
      counts.crashCompactor++;
      cluster.compactors[random.integer(cluster.compactors.length)]?.restart(downMs());
    },
    () => {
      counts.pause++;
      anyMember()?.actor.pause(random.float() * 90_000);
    },
    () => {
      counts.suspend++;
      anyMember()?.actor.suspend(random.float() * 90_000);
    },
    () => {
      counts.storm++;
      const before = store.policy;
      store.policy = { ...before, unavailable: 0.9 };
      scheduler.schedule(random.float() * 5_000, () => {
        if (store.policy.unavailable === 0.9) store.policy = before;
      });
    },
    () => {
      counts.lostHint++;
      const namespace = options.namespaces[random.integer(options.namespaces.length)];
      store.remove(`ns/${namespace}/head`);
    },
  ];
  const next = (): void => {
    scheduler.schedule(options.nemesisEveryMs * 2 * random.float(), () => {
      if (stopped) return;
      deeds[random.integer(deeds.length)]?.();
      next();
    });
  };
  if (Number.isFinite(options.nemesisEveryMs)) next();
  return () => {
    stopped = true;
  };
}

const livenessMs = 600_000;

/** Once faults have stopped, every tail is indexed within a bound. */
async function checkLiveness(world: World, namespaces: readonly string[]): Promise<string[]> {
  const { scheduler } = world;
  const untilMs = scheduler.nowMs + livenessMs;
  for (const namespace of namespaces) {
    for (;;) {
      const metadata = await callUntilAnswered(world, 'GET', `/v2/namespaces/${namespace}/metadata`, undefined);
      if (metadata.status === 404) break;
      const index = metadata.body.index as { status: string };
      if (index.status === 'up-to-date') break;
      if (scheduler.nowMs > untilMs) return [`${namespace} is not indexed ${livenessMs} ms after the last fault`];
      await sleepVirtual(world, 1_000);
    }
  }
  return [];
}

/** What every query node shows in the end is what the log says at its head. */
async function checkFinalContent(world: World, models: ReadonlyMap<string, LogModel>): Promise<string[]> {
  const wrong: string[] = [];
  for (const [namespace, model] of models) {
    const expected = model.generations.at(-1);
    const body = { rank_by: ['id', 'asc'], limit: 10_000, include_attributes: ['w'] };
    for (let i = 0; i < 4; i++) {
      const answer = await callUntilAnswered(world, 'POST', `/v2/namespaces/${namespace}/query`, body);
      const seen =
        answer.status === 404 ? [] : (answer.body.rows as { id: number; w: number }[]).map((row) => [row.id, row.w]);
      const rows = [...(expected?.rows ?? [])].sort((a, b) => a[0] - b[0]);
      if ((answer.status === 200) !== (expected?.alive ?? false) || JSON.stringify(seen) !== JSON.stringify(rows)) {
        wrong.push(`in the end ${namespace} shows ${JSON.stringify(seen)} and the log says ${JSON.stringify(rows)}`);
      }
    }
  }
  return wrong;
}

export interface PlainAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Drives the world until the call has an answer that is not a passing fault. */
export async function callUntilAnswered(
  world: World,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<PlainAnswer> {
  let last = '';
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const answer = await drive(world, () => call(world, method, path, body, headers));
    last = `${answer.status} ${JSON.stringify(answer.body)}`;
    if (answer.status < 500 && answer.status !== 429 && answer.status !== 409) return answer;
    await sleepVirtual(world, 500);
  }
  throw new Error(`${method} ${path} has no answer but ${last}`);
}

export async function call(
  world: World,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<PlainAnswer> {
  const bytes = body === undefined ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(body));
  const request = { method, path, query: '', headers: { 'content-type': 'application/json', ...headers }, body: bytes };
  const response = await world.cluster.send(request, new AbortController().signal);
  return {
    status: response.status,
    body: JSON.parse(new TextDecoder().decode(response.body)) as Record<string, unknown>,
  };
}

/** Runs the world until the action has settled. */
export async function drive<R>(world: World, action: () => Promise<R>): Promise<R> {
  let outcome: { readonly value: R } | { readonly error: unknown } | undefined;
  action().then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  await world.scheduler.run(() => outcome !== undefined, {
    untilMs: world.scheduler.nowMs + virtualMsMax,
    eventCountMax,
  });
  if (outcome === undefined) throw new Error('unreachable');
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

export async function sleepVirtual(world: World, durationMs: number): Promise<void> {
  let woken = false;
  world.scheduler.schedule(durationMs, () => {
    woken = true;
  });
  await world.scheduler.run(() => woken, { untilMs: world.scheduler.nowMs + virtualMsMax, eventCountMax });
}
