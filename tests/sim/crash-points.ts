import { type ClusterOptions, defaultClusterOptions, type Member } from './cluster.ts';
import { readLogModel } from './log-model.ts';
import { call, callUntilAnswered, createWorld, drive, sleepVirtual, type World } from './world.ts';

/** A public request whose every store call, by the member that it keeps busy, is a place to die. */
export interface CrashSubject {
  readonly name: string;
  readonly victim: 'ingester' | 'compactor' | 'query node';
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  /** `w` by id afterwards; undefined: the namespace is gone. */
  readonly expected: ReadonlyMap<number, number> | undefined;
  /** Whether the namespace with its two rows is there before, indexed. */
  readonly onExisting: boolean;
  /** Entries that are no manifests, in the end. */
  readonly changeCount: number;
  /** What is looked at in the end, where it is another namespace than the one that was there before. */
  readonly target?: string;
  /** Requests before the subject, and after it is done. */
  readonly prepare?: readonly CrashRequest[];
  readonly finish?: readonly CrashRequest[];
  /** Sent again after it was cut off, this answer says that it was done. */
  readonly doneStatus?: number;
  readonly compactor?: ClusterOptions['compactor'];
  /** Segments that are left in the end, where it matters. */
  readonly segmentCount?: number;
}

interface CrashRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

export interface CrashPointReport {
  /** Store calls of the victim when nothing fails. */
  readonly pointCount: number;
  readonly wrong: readonly string[];
}

const namespace = 'alpha';
const path = `/v2/namespaces/${namespace}`;

const upsert = {
  method: 'POST',
  path,
  body: { upsert_rows: rows([2, 3], 20) },
  expected: new Map([
    [1, 1],
    [2, 20],
    [3, 20],
  ]),
  onExisting: true,
  changeCount: 2,
};
const deletion = {
  method: 'POST',
  path,
  body: { deletes: [1] },
  expected: new Map([[2, 1]]),
  onExisting: true,
  changeCount: 2,
};
const conditionalPatch = {
  method: 'POST',
  path,
  body: {
    patch_rows: [
      { id: 1, w: 7 },
      { id: 9, w: 7 },
    ],
    patch_condition: ['w', 'Eq', 1],
  },
  expected: new Map([
    [1, 7],
    [2, 1],
  ]),
  onExisting: true,
  changeCount: 2,
};
const filterDelete = {
  method: 'POST',
  path,
  body: { delete_by_filter: ['id', 'Lte', 1] },
  expected: new Map([[2, 1]]),
  onExisting: true,
  changeCount: 2,
};
const content = { rank_by: ['id', 'asc'], limit: 100, include_attributes: ['w'] };

const childPath = '/v2/namespaces/child';
const takeSnapshot = { method: 'POST', path: `${path}/snapshots`, body: { name: 'before' } };
const restoreIntoChild = { method: 'POST', path: `${path}/restore`, body: { snapshot: 'before', into: 'child' } };
const later = { method: 'POST', path, body: { upsert_rows: rows([1, 7], 70) } };
/** The child has what its source had, and no later write. */
const child = {
  target: 'child',
  expected: new Map([
    [1, 1],
    [2, 1],
  ]),
  onExisting: true,
  changeCount: 1,
};

export const crashSubjects: readonly CrashSubject[] = [
  {
    name: 'branch of an indexed namespace',
    victim: 'ingester',
    method: 'POST',
    path: childPath,
    body: { branch_from_namespace: namespace },
    ...child,
  },
  {
    name: 'branch with a tail, and its first index job',
    victim: 'compactor',
    prepare: [{ method: 'POST', path, body: { upsert_rows: rows([2, 3], 5) } }],
    method: 'POST',
    path: childPath,
    body: { branch_from_namespace: namespace },
    ...child,
    expected: new Map([
      [1, 1],
      [2, 5],
      [3, 5],
    ]),
  },
  {
    name: 'snapshot',
    victim: 'ingester',
    ...takeSnapshot,
    doneStatus: 400,
    finish: [later, restoreIntoChild],
    ...child,
  },
  {
    name: 'restore',
    victim: 'ingester',
    prepare: [takeSnapshot, later],
    ...restoreIntoChild,
    ...child,
  },
  {
    name: 'delete of a snapshot',
    victim: 'ingester',
    prepare: [takeSnapshot, restoreIntoChild],
    method: 'DELETE',
    path: `${path}/snapshots/before`,
    body: undefined,
    doneStatus: 404,
    ...child,
  },
  {
    name: 'first upsert of a namespace',
    victim: 'ingester',
    method: 'POST',
    path,
    body: { upsert_rows: rows([1, 2], 10) },
    expected: new Map([
      [1, 10],
      [2, 10],
    ]),
    onExisting: false,
    changeCount: 1,
  },
  { name: 'upsert', victim: 'ingester', ...upsert },
  { name: 'delete of a row', victim: 'ingester', ...deletion },
  { name: 'conditional patch', victim: 'ingester', ...conditionalPatch },
  { name: 'delete by filter', victim: 'ingester', ...filterDelete },
  {
    name: 'delete of the namespace',
    victim: 'ingester',
    method: 'DELETE',
    path,
    body: undefined,
    expected: undefined,
    onExisting: true,
    changeCount: 2,
  },
  { name: 'index job of an upsert', victim: 'compactor', ...upsert },
  {
    name: 'index job and merge of an upsert',
    victim: 'compactor',
    prepare: [{ method: 'POST', path, body: { upsert_rows: rows([2, 3], 5) } }],
    ...upsert,
    // A merge that was forgotten with its process is found when the namespace is written again.
    finish: [{ method: 'POST', path, body: { upsert_rows: rows([9], 30) } }],
    expected: new Map([...upsert.expected, [9, 30]]),
    changeCount: 4,
    compactor: { absorbBytesMax: 0, mergeFanIn: 2 },
    segmentCount: 1,
  },
  {
    name: 'index job of a branch that overwrites what it has, and a merge',
    victim: 'compactor',
    prepare: [{ method: 'POST', path: childPath, body: { branch_from_namespace: namespace } }],
    method: 'POST',
    path: childPath,
    body: { upsert_rows: rows([2, 3], 20), deletes: [1] },
    target: 'child',
    expected: new Map([
      [2, 20],
      [3, 20],
    ]),
    onExisting: true,
    changeCount: 2,
    compactor: { absorbBytesMax: 0, mergeFanIn: 2, mergeDeadBytesMin: 0 },
    segmentCount: 1,
  },
  { name: 'index job of a delete', victim: 'compactor', ...deletion },
  {
    name: 'query of a node that knows nothing',
    victim: 'query node',
    method: 'POST',
    path: `${path}/query`,
    body: content,
    expected: new Map([
      [1, 1],
      [2, 1],
    ]),
    onExisting: true,
    changeCount: 1,
  },
];

const settleMs = 30_000;

/**
 * Runs the operation again and again; in run n the victim dies at its n-th store call, once before the call reaches the store and once after it
 * did, and another one starts. The client retries with the same key. Every time the outcome must be that of one application.
 */
export async function explore(subject: CrashSubject): Promise<CrashPointReport> {
  const wrong: string[] = [];
  for (let point = 0; ; point++) {
    for (const moment of ['before', 'after'] as const) {
      const run = await runOnce(subject, point, moment);
      if (!run.crashed && moment === 'before') return { pointCount: point, wrong };
      wrong.push(...run.wrong.map((text) => `${subject.name}, ${moment} store call ${point}: ${text}`));
    }
  }
}

async function runOnce(
  subject: CrashSubject,
  point: number,
  moment: 'before' | 'after',
): Promise<{ crashed: boolean; wrong: string[] }> {
  const compactor = { ...oneOfEach.compactor, ...subject.compactor };
  const world = createWorld(1, { ...oneOfEach, compactor });
  if (subject.onExisting)
    await callUntilAnswered(world, 'POST', path, { upsert_rows: rows([1, 2], 1) }, { 'idempotency-key': 'before' });
  await sleepVirtual(world, settleMs);
  for (const { method, path: at, body } of subject.prepare ?? []) await callUntilAnswered(world, method, at, body);
  const victim = victimOf(world, subject);
  let callCount = 0;
  let crashed = false;
  world.store.onCall = (storeCall) => {
    if (crashed || victim === undefined || storeCall.actor !== victim.actor || callCount++ !== point) return undefined;
    crashed = true;
    if (moment === 'before') victim.restart(500);
    else world.scheduler.schedule(0, () => victim.restart(500));
    return undefined;
  };
  await retryUntilDone(world, subject);
  if (subject.victim === 'compactor') await sleepVirtual(world, settleMs);
  world.store.onCall = undefined;
  for (const { method, path: at, body } of subject.finish ?? []) await callUntilAnswered(world, method, at, body);
  await sleepVirtual(world, settleMs);
  world.cluster.queryNodes[0]?.restart(10); // reads every object that the manifest names
  await sleepVirtual(world, 100);
  const wrong = [...(await checkContent(world, subject)), ...checkLog(world, subject)];
  if (subject.expected !== undefined) wrong.push(...(await checkIndexed(world, targetOf(subject))));
  return { crashed, wrong };
}

function victimOf(world: World, subject: CrashSubject): Member | undefined {
  switch (subject.victim) {
    case 'ingester':
      return world.cluster.ingesters[0];
    case 'compactor':
      return world.cluster.compactors[0];
    case 'query node':
      world.cluster.queryNodes[0]?.restart(0);
      return world.cluster.queryNodes[0];
  }
}

/** A delete has no key: once it was cut off, a namespace that is not there any more is its success. */
async function retryUntilDone(world: World, subject: CrashSubject): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const answer = await drive(world, () =>
      call(world, subject.method, subject.path, subject.body, { 'idempotency-key': 'subject' }),
    );
    if (answer.status === 200 || (answer.status === 404 && subject.expected === undefined && attempt > 0)) return;
    if (answer.status === subject.doneStatus && attempt > 0) return;
    if (answer.status < 500)
      throw new Error(`${subject.name} was refused: ${answer.status} ${JSON.stringify(answer.body)}`);
    await sleepVirtual(world, 300);
  }
  throw new Error(`${subject.name} is never done`);
}

async function checkContent(world: World, subject: CrashSubject): Promise<string[]> {
  const answer = await callUntilAnswered(world, 'POST', `/v2/namespaces/${targetOf(subject)}/query`, content);
  if (subject.expected === undefined)
    return answer.status === 404 ? [] : [`the namespace is still there: ${JSON.stringify(answer.body)}`];
  const seen =
    answer.status === 200
      ? (answer.body.rows as { id: number; w: number }[]).map((row) => [row.id, row.w])
      : answer.body;
  const expected = [...subject.expected];
  return JSON.stringify(seen) === JSON.stringify(expected)
    ? []
    : [`shows ${JSON.stringify(seen)} instead of ${JSON.stringify(expected)}`];
}

function targetOf(subject: CrashSubject): string {
  return subject.target ?? namespace;
}

function checkLog(world: World, subject: CrashSubject): string[] {
  const model = readLogModel(world.store.objects, targetOf(subject));
  const changes = model.generations.filter((generation) => generation.kind !== 'manifest').length;
  if (subject.segmentCount !== undefined && model.segmentCount !== subject.segmentCount)
    return [`${model.segmentCount} segments are left instead of ${subject.segmentCount}`];
  return changes === subject.changeCount ? [] : [`${changes} changes are in the log instead of ${subject.changeCount}`];
}

/** Work that was cut off is resumed. */
async function checkIndexed(world: World, target: string): Promise<string[]> {
  const { body } = await callUntilAnswered(world, 'GET', `/v2/namespaces/${target}/metadata`, undefined);
  return (body.index as { status: string }).status === 'up-to-date' ? [] : ['the tail is not indexed'];
}

function rows(ids: readonly number[], w: number): { id: number; w: number; vector: number[] }[] {
  return ids.map((id) => ({ id, w, vector: [id, w] }));
}

const oneOfEach: ClusterOptions = { ...defaultClusterOptions, ingesterCount: 1, queryNodeCount: 1, compactorCount: 1 };
