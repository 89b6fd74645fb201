import { createSeededRandom } from '@lagoon/base';
import { createActor } from './actor.ts';
import { checkHistory } from './checker.ts';
import { type ClusterOptions, defaultClusterOptions } from './cluster.ts';
import { type FaultCounts, type FaultPolicy, noFaults, ordinaryFaults } from './faults.ts';
import { checkCatalogue, checkFinalContent, checkGarbage, checkLiveness } from './final-checks.ts';
import { createHistory, type History } from './history.ts';
import { type LogModel, readLogModel } from './log-model.ts';
import { startNemesis } from './nemesis.ts';
import { createWorkloadClient } from './workload.ts';
import { createWorld, eventCountMax, sleepVirtual, virtualMsMax, type World } from './world.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly clientCount: number;
  readonly operationCount: number;
  readonly namespaces: readonly string[];
  readonly endShare: number;
  readonly lineageShare: number;
  readonly faults: FaultPolicy;
  /** Mean time between two deeds of the nemesis; Infinity: none. */
  readonly nemesisEveryMs: number;
  readonly lostReplyProbability: number;
  readonly lostRequestProbability: number;
  readonly cluster: ClusterOptions;
  /** Longest wait of a client between two operations. */
  readonly pauseMsMax: number;
  /** Longest time that a process is stopped, or that a request takes to arrive. */
  readonly stopMsMax: number;
  readonly lateMsMax: number;
  /** Of builders stopped right after they wrote an object, and of floors under way; 0: none. */
  readonly holdMsMax: number;
  /** Once faults have stopped, everything is indexed within this: a process may still be stopped, a tail unknown until a sweep. */
  readonly livenessMs: number;
  /** How long nothing happens in the end, so that everything that can become garbage is gone. */
  readonly quietMs: number;
}

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
  /** Log entries and bodies that were there once and are gone. */
  readonly collectedCount: number;
  /** Merges that committed. */
  readonly mergeCount: number;
}

/** What the seed stands for: besides the order of events, sizes of the cluster and bounds that bring rare paths into every run. */
export function simulationOf(seed: number): SimulationOptions {
  const random = createSeededRandom(seed + 0x5eed_0000);
  const chance = (probability: number): boolean => random.float() < probability;
  const cluster: ClusterOptions = {
    ...defaultClusterOptions,
    ingesterCount: 1 + random.integer(3),
    ingester: {
      ...defaultClusterOptions.ingester,
      ...(chance(0.2) ? { groupWriteCountMax: 2 } : {}),
      ...(chance(0.15) ? { unindexedEntryCountMax: 6 } : {}),
      ...(chance(0.3) ? { writerIdleMs: 500 } : {}),
    },
    compactor: {
      ...defaultClusterOptions.compactor,
      ...(chance(0.7) ? { absorbBytesMax: 0, mergeFanIn: 2 + random.integer(3) } : {}),
      ...(chance(0.3) ? { mergeBytesMax: 16 << 10 } : {}),
      ...(chance(0.5) ? { mergeDeadBytesMin: 0 } : {}),
      ...(chance(0.3) ? { idempotencyPartCountMax: 1 } : {}),
      ...(chance(0.3) ? { jobBytesMax: 4 << 10 } : {}),
      ...(chance(0.3) ? { segmentBytesMax: 2 << 10 } : {}),
      ...(chance(0.3) ? { leaseBytesMin: 0 } : {}),
      // By the seed itself, so that what is drawn stays what it was.
      ...(seed % 2 === 0 ? { clusterRowCountMin: 3 } : {}),
    },
  };
  return {
    seed,
    clientCount: 3 + random.integer(4),
    operationCount: 20,
    namespaces: chance(0.3) ? ['alpha', 'beta', 'gamma', 'delta'] : ['alpha', 'beta'].slice(random.integer(2)),
    endShare: 0.02,
    lineageShare: chance(0.5) ? 0.15 : 0.03,
    faults: { ...ordinaryFaults, slowSegment: chance(0.5) ? 0.8 : 0 },
    nemesisEveryMs: 1_500,
    lostReplyProbability: 0.01,
    lostRequestProbability: chance(0.3) ? 0.3 : 0.01,
    cluster,
    pauseMsMax: 400,
    stopMsMax: 90_000,
    lateMsMax: 120_000,
    holdMsMax: 0,
    livenessMs: 700_000,
    quietMs: 0,
  };
}

/** The same over hours instead of seconds, so that floors rise and are stood on, and zombies wake behind them; then two quiet days. */
export function collectingSimulationOf(seed: number): SimulationOptions {
  const options = simulationOf(seed);
  const random = createSeededRandom(seed + 0x6c00_0000);
  const minuteMs = 60_000;
  const retentionMs = random.float() < 0.5 ? 0 : random.integer(30) * minuteMs;
  return {
    ...options,
    clientCount: 3,
    endShare: 0.05,
    nemesisEveryMs: 6 * minuteMs,
    pauseMsMax: 20 * minuteMs,
    stopMsMax: 50 * minuteMs,
    lateMsMax: 120 * minuteMs,
    holdMsMax: 60 * minuteMs,
    livenessMs: 200 * minuteMs,
    quietMs: 40 * 60 * minuteMs,
    cluster: {
      ...options.cluster,
      compactor: { ...options.cluster.compactor, sweepIntervalMs: 5 * minuteMs },
      gc: { retentionMs, graceMs: 10 * minuteMs, intervalMs: 11 * minuteMs, sweepIntervalMs: 120 * minuteMs },
    },
  };
}

/** One run: faults while the clients work, then none until everything is known and indexed; then the check. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const world = createWorld(options.seed, options.cluster);
  const history = createHistory();
  world.store.policy = options.faults;
  world.store.lateMsMax = options.lateMsMax;
  world.network.lostReplyProbability = options.lostReplyProbability;
  world.network.lostRequestProbability = options.lostRequestProbability;
  const stopNemesis = startNemesis(world, {
    namespaces: options.namespaces,
    everyMs: options.nemesisEveryMs,
    stopMsMax: options.stopMsMax,
    holdMsMax: options.holdMsMax,
  });
  const stopFaults = (): void => {
    stopNemesis();
    world.store.policy = noFaults;
    world.network.lostReplyProbability = 0;
    world.network.lostRequestProbability = 0;
  };
  // Faults go on until most of the work is done, then stop: what is still open must come to its end by itself.
  world.scheduler.schedule(options.operationCount * (options.pauseMsMax / 2 + 300), stopFaults);
  await runClients(world, options, history);
  stopFaults();
  await sleepVirtual(world, options.holdMsMax); // whoever was stopped goes on
  const wrong = await checkLiveness(world, options.namespaces, options.livenessMs);
  const models = new Map(
    options.namespaces.map((namespace) => [namespace, readLogModel(world.store.remembered, namespace)]),
  );
  wrong.push(...checkHistory(history, models));
  wrong.push(...(await checkFinalContent(world, models)), ...(await checkCatalogue(world, models)));
  if (options.quietMs > 0) wrong.push(...(await checkGarbage(world, options.quietMs, models)));
  return {
    seed: options.seed,
    wrong,
    history,
    counts: world.counts,
    models,
    traceHash: world.store.traceHash(),
    virtualMs: world.scheduler.nowMs,
    storeCallCount: world.store.callCount,
    collectedCount: [...world.store.remembered.keys()].filter((key) => !world.store.objects.has(key)).length,
    mergeCount: world.cluster.counted.get('lagoon_compactor_merges_total committed') ?? 0,
  };
}

/** Until each client has done its share. */
async function runClients(world: World, options: SimulationOptions, history: History): Promise<void> {
  const { scheduler, random, cluster } = world;
  let writeCount = 0;
  let finished = 0;
  let failure: unknown;
  for (let i = 0; i < options.clientCount; i++) {
    const client = createWorkloadClient({
      actor: createActor(scheduler, `client-${i}`, 0),
      random: createSeededRandom(random.integer(2 ** 31)),
      history,
      namespaces: options.namespaces,
      queryNodeCount: cluster.queryNodes.length,
      nextWrite: () => ++writeCount,
      send: cluster.send,
      endShare: options.endShare,
      lineageShare: options.lineageShare,
      pauseMsMax: options.pauseMsMax,
    });
    client.run(options.operationCount).then(
      () => finished++,
      (error: unknown) => {
        failure ??= error;
      },
    );
  }
  const untilMs = virtualMsMax + options.operationCount * options.pauseMsMax * 2;
  const bounds = { untilMs, eventCountMax };
  await scheduler.run(() => failure !== undefined || finished === options.clientCount, bounds);
  if (failure !== undefined) throw failure;
}
