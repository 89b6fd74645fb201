import { expect } from '@jest/globals';
import { decodeEntry, floorKey, logKey, logPrefix } from '@lagoon/namespace';
import { type ClusterOptions, defaultClusterOptions } from '../cluster.ts';
import { readLogModel } from '../log-model.ts';
import type { StoreCall } from '../simulated-store.ts';
import { call, callUntilAnswered, createWorld, eventCountMax, type PlainAnswer, type World } from '../world.ts';

/** Helpers of the named scenarios: a world without chance faults, driven by hand, and one namespace in it. */
export const namespace = 'alpha';
export const path = `/v2/namespaces/${namespace}`;

export interface ScenarioOptions extends Partial<ClusterOptions> {
  readonly seed?: number;
}

/** Garbage collection that finds everything too young: scenarios raise floors and remove objects by hand, or say otherwise. */
const keepsAll: ClusterOptions['gc'] = { retentionMs: 1e12, graceMs: 1e12 };

export function createScenario(options: ScenarioOptions = {}): World {
  return createWorld(options.seed ?? 1, { ...defaultClusterOptions, gc: keepsAll, ...options });
}

/** A compactor that never finds a tail due. */
export const idleCompactor: ClusterOptions['compactor'] = {
  ...defaultClusterOptions.compactor,
  tailAgeMs: 1e9,
  smallTailAgeMs: 1e9,
  indexEntryCountMin: 1e6,
};

export interface Pending {
  /** The answer, once there is one. */
  readonly answer: PlainAnswer | undefined;
}

/** Sends a write and does not wait. Rows are `{id, w}`. */
export function startWrite(world: World, w: number, ids: readonly number[], key?: string): Pending {
  return start(
    world,
    'POST',
    path,
    { upsert_rows: rowsOf(w, ids) },
    key === undefined ? {} : { 'idempotency-key': key },
  );
}

export function start(
  world: World,
  method: string,
  at: string,
  body: unknown,
  headers: Record<string, string> = {},
): Pending {
  const pending: { answer: PlainAnswer | undefined } = { answer: undefined };
  call(world, method, at, body, headers).then(
    (answer) => {
      pending.answer = answer;
    },
    (error: unknown) => {
      pending.answer = { status: 599, body: { error: String(error) } };
    },
  );
  return pending;
}

/** Retries until there is an answer that stands. */
export async function write(world: World, w: number, ids: readonly number[], key?: string): Promise<PlainAnswer> {
  const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
  return await callUntilAnswered(world, 'POST', path, { upsert_rows: rowsOf(w, ids) }, headers);
}

function rowsOf(w: number, ids: readonly number[]): { id: number; w: number }[] {
  return ids.map((id) => ({ id, w }));
}

export async function until(world: World, done: () => boolean, withinMs = 600_000): Promise<void> {
  await world.scheduler.run(done, { untilMs: world.scheduler.nowMs + withinMs, eventCountMax });
}

export async function answered(world: World, pending: Pending): Promise<PlainAnswer> {
  await until(world, () => pending.answer !== undefined);
  return pending.answer ?? { status: 0, body: {} };
}

/** Calls back at the first store call of such an actor, verb and key, and at no later one. */
export function onFirst(
  world: World,
  match: { readonly actor?: RegExp; readonly verb: StoreCall['verb']; readonly key: RegExp },
  action: NonNullable<World['store']['onCall']>,
): { readonly isHit: boolean } {
  const state = { isHit: false };
  const before = world.store.onCall;
  world.store.onCall = (storeCall) => {
    const hits =
      !state.isHit &&
      storeCall.verb === match.verb &&
      match.key.test(storeCall.key) &&
      (match.actor === undefined || match.actor.test(storeCall.actor.name));
    if (!hits) return before?.(storeCall);
    state.isHit = true;
    return action(storeCall);
  };
  return state;
}

export function logLength(world: World): number {
  return [...world.store.objects.keys()].filter((key) => key.startsWith(logPrefix(namespace))).length;
}

export async function indexed(world: World): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const metadata = await callUntilAnswered(world, 'GET', `${path}/metadata`, undefined);
    if (metadata.status === 404 || (metadata.body.index as { status: string }).status === 'up-to-date') return;
    await until(world, timePassed(world, 1_000));
  }
  throw new Error('the namespace is never indexed');
}

export function timePassed(world: World, durationMs: number): () => boolean {
  let isOver = false;
  world.scheduler.schedule(durationMs, () => {
    isOver = true;
  });
  return () => isOver;
}

export async function pass(world: World, durationMs: number): Promise<void> {
  await until(world, timePassed(world, durationMs), durationMs + 60_000);
}

/** What a retry must repeat. */
export function outcomeOf({ status, body }: PlainAnswer): unknown {
  return { status, generation: body.manifest_generation, rowsAffected: body.rows_affected };
}

export type Content = Readonly<Record<number, number>>;

/** What each query node shows by a strong read. */
export async function expectContent(world: World, expected: Content | undefined): Promise<void> {
  const body = { rank_by: ['id', 'asc'], limit: 10_000, include_attributes: ['w'] };
  for (const node of world.cluster.queryNodes.keys()) {
    const answer = await callUntilAnswered(world, 'POST', `${path}/query`, body, {}, node);
    expect({ node, content: contentOf(answer) }).toEqual({ node, content: expected });
  }
}

export function contentOf(answer: PlainAnswer): Content | undefined {
  if (answer.status === 404) return undefined;
  const rows = answer.body.rows as { id: number; w: number }[];
  return Object.fromEntries(rows.map(({ id, w }) => [id, w]));
}

/** How often the write is in the log. */
export function applicationsOf(world: World, w: number): number {
  return kindsOf(world, w).length;
}

function kindsOf(world: World, w: number): string[] {
  const { generations } = readLogModel(world.store.objects, namespace);
  return generations
    .filter(({ rows }, index) => {
      const before = generations[index - 1]?.rows;
      return [...rows].some(([id, value]) => value === w && before?.get(id) !== w);
    })
    .map(({ kind }) => kind);
}

export function manifestCount(world: World): number {
  return readLogModel(world.store.objects, namespace).generations.filter(({ kind }) => kind === 'manifest').length;
}

/** What the garbage collector will do: a floor before the newest entry, which must be a manifest; then what only it needed goes. */
export function raiseFloor(world: World): number {
  const { head } = readLogModel(world.store.objects, namespace);
  const newest = logKey(namespace, head);
  const { kind } = decodeEntry(newest, world.store.objects.get(newest)?.bytes ?? new Uint8Array(0)).header;
  if (kind.case !== 'manifest') throw new Error('the newest entry is no manifest');
  world.store.insert(floorKey(namespace, head - 1), new Uint8Array(0));
  const last = Math.min(head - 1, Number(kind.value.indexedThrough));
  for (let generation = 1; generation <= last; generation++) world.store.remove(logKey(namespace, generation));
  return head - 1;
}

/** All query nodes start again, knowing nothing. */
export async function restartQueryNodes(world: World): Promise<void> {
  for (const node of world.cluster.queryNodes) node.restart(10);
  await pass(world, 100);
}
