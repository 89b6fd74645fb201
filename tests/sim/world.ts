import { createSeededRandom, type Random } from '@lagoon/base';
import { type Cluster, type ClusterOptions, createCluster } from './cluster.ts';
import { createFaultCounts, type FaultCounts, noFaults } from './faults.ts';
import { createSimulatedNetwork, type SimulatedNetwork } from './network.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { createSimulatedStore, type SimulatedStore } from './simulated-store.ts';

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

/** Bounds on one stretch of driving. */
export const virtualMsMax = 4 * 3_600_000;
export const eventCountMax = 3_000_000;
/** So many answers in a row that say that something is broken are no passing fault. */
const failureCountMax = 200;

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
  node?: number,
): Promise<PlainAnswer> {
  let last = '';
  let failureCount = 0;
  for (let attempt = 0; attempt < 1_000 && failureCount < failureCountMax; attempt++) {
    const answer = await drive(world, () => call(world, method, path, body, headers, node));
    last = `${answer.status} ${JSON.stringify(answer.body)}`;
    failureCount = answer.status === 500 ? failureCount + 1 : 0;
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
  node?: number,
): Promise<PlainAnswer> {
  const bytes = body === undefined ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(body));
  const request = { method, path, query: '', headers: { 'content-type': 'application/json', ...headers }, body: bytes };
  const response = await world.cluster.send(request, new AbortController().signal, node);
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
  const untilMs = world.scheduler.nowMs + durationMs + virtualMsMax;
  await world.scheduler.run(() => woken, { untilMs, eventCountMax });
}
