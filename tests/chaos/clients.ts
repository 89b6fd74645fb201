import { type Clock, createSeededRandom, createSystemClock, type Random, utf8Encode } from '@lagoon/base';
import type { Actor } from '../sim/actor.ts';
import { requestUntilKnown, type Send } from '../sim/client-call.ts';
import type { History } from '../sim/history.ts';
import { createWorkloadClient } from '../sim/workload.ts';
import { send as sendHttp } from '../support/http.ts';
import type { ChaosCluster } from './cluster.ts';

/** Without a byte for so long, a client hangs up. */
const idleTimeoutMs = 15_000;
const endShare = 0.004;
const lineageShare = 0.03;
const pauseMsMax = 200;
/** How much more often than any other a client takes the first namespace: enough writes for the compactors. */
const busyFactor = 4;

export interface ClientsOptions {
  readonly count: number;
  readonly namespaces: readonly string[];
  /** By the clock of the clients; each begins no new operation after it. */
  readonly untilMs: number;
  /** Past it a client that still has no answer fails. */
  readonly patience: AbortSignal;
}

/** The clients of the simulation over HTTP: what they send, retry and write down is the same. */
export async function runClients(
  cluster: ChaosCluster,
  history: History,
  random: Random,
  options: ClientsOptions,
): Promise<void> {
  let writeCount = 0;
  const busy = Array.from({ length: busyFactor - 1 }, () => options.namespaces[0] ?? []).flat();
  const run = async (seed: number): Promise<void> => {
    const actor = createChaosActor(options.patience, `client-${seed}`);
    const own = createSeededRandom(seed);
    const client = createWorkloadClient({
      actor,
      random: own,
      history,
      namespaces: [...busy, ...options.namespaces],
      queryNodeCount: cluster.gatewayUrls.length, // a read names the gateway that it asks
      nextWrite: () => ++writeCount,
      send: sendTo(cluster, own),
      endShare,
      lineageShare,
      heirs: options.namespaces.slice(1), // the busy one lives long, so that it is merged
      pauseMsMax,
    });
    while (actor.clock.wallMs() < options.untilMs) await client.run(1);
  };
  const seeds = Array.from({ length: options.count }, () => random.integer(2 ** 31));
  await Promise.all(seeds.map(run));
}

/** Asks every gateway once more for all there is, strongly; the checker compares it with the end of the log. */
export async function readAll(
  cluster: ChaosCluster,
  history: History,
  random: Random,
  options: Pick<ClientsOptions, 'namespaces' | 'patience'>,
): Promise<void> {
  const actor = createChaosActor(options.patience);
  const send = sendTo(cluster, random);
  const body = { rank_by: ['id', 'asc'], limit: 10_000, include_attributes: ['w'] };
  for (const namespace of options.namespaces) {
    for (const node of cluster.gatewayUrls.keys()) {
      const startedMs = actor.clock.wallMs();
      const path = `/v2/namespaces/${namespace}/query`;
      const answer = await requestUntilKnown(actor, random, send, { method: 'POST', path, body, node });
      if (answer.status !== 200 && answer.status !== 404) throw new Error(`${path}: ${JSON.stringify(answer)}`);
      const rows = answer.status === 404 ? undefined : (answer.body.rows as readonly { id: number; w: number }[]);
      const seen = rows && {
        generation: Number(answer.body.manifest_generation),
        rows: new Map(rows.map(({ id, w }) => [id, w] as const)),
        attributes: undefined,
      };
      const times = { startedMs, endedMs: actor.clock.wallMs() };
      history.reads.push({ namespace, node, level: 'strong', kind: 'id', generationMin: 0, ...times, seen });
    }
  }
  const startedMs = actor.clock.wallMs();
  const list = await requestUntilKnown(actor, random, send, { method: 'GET', path: '/v1/namespaces' });
  history.lists.push({ startedMs, names: (list.body.namespaces as readonly { id: string }[]).map(({ id }) => id) });
}

/** A client in real time, by a name of its own, which its idempotency keys hold: its wall clock never jumps, so that the order of what clients saw is known; its sleep ends with its patience. */
export function createChaosActor(patience: AbortSignal, name = 'observer'): Actor {
  const system = createSystemClock();
  const clock: Clock = {
    ...system,
    wallMs: system.monotonicMs,
    sleep: (durationMs) => system.sleep(durationMs, patience),
  };
  const never = () => {
    throw new Error('a client of real processes is neither stopped nor killed');
  };
  return {
    name,
    clock,
    alive: true,
    deliver: (action) => action(),
    crash: never,
    pause: never,
    suspend: never,
    onCrash: never,
  };
}

/** Where no gateway is named any will do. Every request has a connection of its own, so none is sent twice by a pool. */
export function sendTo(cluster: ChaosCluster, random: Random): Send {
  return async (message, _signal, node) => {
    const url = cluster.gatewayUrls[node ?? random.integer(cluster.gatewayUrls.length)];
    if (url === undefined) throw new Error(`no gateway ${node}`);
    const headers = Object.fromEntries(
      Object.entries(message.headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
    const path = message.query === '' ? message.path : `${message.path}?${message.query}`;
    const {
      status,
      text,
      headers: answered,
    } = await sendHttp(url, message.method, path, {
      body: message.body,
      headers,
      timeoutMs: idleTimeoutMs,
    });
    const body = utf8Encode(text);
    const generation = answered['lagoon-generation'];
    if (typeof generation !== 'string') return { status, headers: {}, body };
    return { status, headers: { 'lagoon-generation': generation }, body, stream: oneChunk(body) };
  };
}

async function* oneChunk(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}
