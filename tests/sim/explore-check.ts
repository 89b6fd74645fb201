import { createHash } from 'node:crypto';
import { fsck } from '@lagoon/server';
import { createReader, createSender, type RequestRecord, type Sender } from './explore-client.ts';
import type { ExploreModel } from './explore-model.ts';
import { indexNamespace, upsert } from './explore-operations.ts';
import { createProcess, type Process, type SharedTime } from './explore-process.ts';
import { type ExploreRun, untilOver } from './explore-run.ts';
import { createExploreStore, type ExploreStore } from './explore-store.ts';
import { readLogModel } from './log-model.ts';

/** Says what is wrong with the end of a run; empty when all holds. */
export type CheckRun = (run: ExploreRun) => Promise<string[]>;

type Rows = readonly (readonly [number, number])[] | undefined;
type Content = Readonly<Record<string, Rows>>;

const names = ['alpha', 'beta', 'gamma'];

interface EndState {
  readonly content: Content;
  readonly wrong: readonly string[];
}

/**
 * What must be true at the end of every run: each operation has come to its end; answers and contents are those of its requests one after
 * the other in some order that agrees with who was answered before whom asked; what was acknowledged is in the log at its generation, whose
 * chain holds and of which no number was used twice; a query node that knows nothing reads it; `fsck` finds nothing; and a new writer and a
 * new compactor can go on. Equal stores are looked at once.
 */
export function createChecker(before: ExploreModel): CheckRun {
  const seen = new Map<string, EndState>();
  return async (run) => {
    const wrong = [...run.store.wrong];
    for (const client of run.clients) {
      if (!client.isOver) wrong.push('an operation has not come to its end');
      if (client.failure !== undefined) wrong.push(`an operation failed: ${String(client.failure)}`);
    }
    const print = fingerprint(run.store);
    const state = seen.get(print) ?? (await lookAt(run.store, run.time));
    seen.set(print, state);
    wrong.push(...state.wrong);
    const records = run.clients.flatMap((client) => client.records);
    wrong.push(...checkAcknowledged(run.store, records));
    if (!isSequential(before, records, state.content)) wrong.push(`no order explains ${tell(records, state.content)}`);
    return wrong;
  };
}

function fingerprint(store: ExploreStore): string {
  const hash = createHash('sha1');
  for (const [key, { bytes }] of [...store.objects].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    hash.update(key).update(bytes);
  }
  return hash.digest('hex');
}

async function lookAt(original: ExploreStore, time: SharedTime): Promise<EndState> {
  const wrong: string[] = [];
  const copy = createExploreStore({ nowMs: time.nowMs }, original);
  const content = await readAll(copy, time);
  const report = await byItself('fsck', time, (process) => fsck(copy.handle(process)));
  wrong.push(...report.problems.map(({ key, problem }) => `fsck: ${key}: ${problem}`));
  for (const name of names) wrong.push(...checkLog(original, name, content[name]));
  const living = names.filter((name) => content[name] !== undefined);
  for (const name of new Set([...living, 'alpha'])) await goOn(copy, time, name);
  const after = await readAll(copy, time);
  for (const name of new Set([...living, 'alpha'])) {
    const expected = [...(content[name] ?? []), [90, 9]];
    if (JSON.stringify(after[name]) !== JSON.stringify(expected))
      wrong.push(
        `${name} shows ${JSON.stringify(after[name])} after one more write, and not ${JSON.stringify(expected)}`,
      );
  }
  return { content, wrong };
}

async function readAll(store: ExploreStore, time: SharedTime): Promise<Content> {
  return await byItself('reader', time, async (process) => {
    const send = createReader(process, store);
    const content: Record<string, Rows> = {};
    for (const name of names) content[name] = await readRows(send, name);
    return content;
  });
}

async function readRows(send: Sender, name: string): Promise<Rows> {
  const body = { rank_by: ['id', 'asc'], limit: 100, include_attributes: ['w'] };
  const answer = await send({ method: 'POST', path: `/v2/namespaces/${name}/query`, body });
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw new Error(`${name} cannot be read: ${JSON.stringify(answer.body)}`);
  return (answer.body.rows as { id: number; w: number }[]).map(({ id, w }) => [id, w] as const);
}

/** A write of a writer that knows nothing, and the index job for all that is not indexed. */
async function goOn(store: ExploreStore, time: SharedTime, name: string): Promise<void> {
  await byItself(`next writer of ${name}`, time, async (process) => {
    const { status, body } = await createSender(process, store)(upsert(name, 9, [90]));
    if (status !== 200) throw new Error(`${name} takes no more writes: ${JSON.stringify(body)}`);
  });
  await byItself(`next compactor of ${name}`, time, (process) => indexNamespace(process, store, name));
  const { generations } = readLogModel(withBuried(store), name);
  if (generations.at(-1)?.kind !== 'manifest') throw new Error(`${name} is not indexed any more`);
}

export async function byItself<R>(name: string, time: SharedTime, work: (process: Process) => Promise<R>): Promise<R> {
  const process = createProcess(name, { nowMs: time.nowMs });
  process.isFree = true;
  let outcome: { readonly value: R } | { readonly error: unknown } | undefined;
  work(process).then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  await untilOver(process, () => outcome !== undefined);
  if (outcome === undefined) throw new Error('unreachable');
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** What a late create puts under a collected number, at or below the floor, is nothing: the collected entry was the one. */
function withBuried(store: ExploreStore) {
  return new Map([...store.objects, ...store.buried]);
}

/** The chain holds, and where all of it was written by requests, what it says is what is read. */
function checkLog(store: ExploreStore, name: string, rows: Rows): string[] {
  const { generations } = readLogModel(withBuried(store), name);
  const last = generations.at(-1);
  const isBorn = generations.some(({ kind, rows: at }) => kind === 'birth' && at.size === 0);
  const expected = last?.alive ? [...last.rows].sort((a, b) => a[0] - b[0]) : undefined;
  if (isBorn || generations.length === 0) return []; // a branch: the model reads one namespace only
  return JSON.stringify(rows) === JSON.stringify(expected)
    ? []
    : [`${name} shows ${JSON.stringify(rows)} and its log says ${JSON.stringify(expected)}`];
}

function checkAcknowledged(store: ExploreStore, records: readonly RequestRecord[]): string[] {
  const wrong: string[] = [];
  for (const { request, status, body } of records) {
    if (request.w === undefined || status !== 200) continue;
    const { generations } = readLogModel(withBuried(store), request.namespace);
    const generation = generations[Number(body.manifest_generation) - 1];
    if (generation?.writes.includes(request.w) !== true)
      wrong.push(`write ${request.w} was acknowledged at ${String(body.manifest_generation)} and is not there`);
  }
  return wrong;
}

/** Whether some order of the requests gives these answers and these contents. Attempts without an answer may count, or not. */
function isSequential(before: ExploreModel, records: readonly RequestRecord[], content: Content): boolean {
  const extras = records.filter(({ attemptCount }) => attemptCount > 1);
  const search = (model: ExploreModel, left: readonly RequestRecord[], unknown: readonly RequestRecord[]): boolean => {
    if (left.length === 0 && names.every((name) => isSame(model.rowsOf(name), content[name]))) return true;
    for (const record of left) {
      if (left.some((other) => isBefore(other, record))) continue;
      const next = model.clone();
      if (record.request.model(next) !== record.status) continue;
      const others = left.filter((other) => other !== record);
      if (search(next, others, unknown)) return true;
    }
    for (const record of unknown) {
      if (left.some((other) => isBefore(other, record))) continue;
      const next = model.clone();
      record.request.model(next);
      const others = unknown.filter((other) => other !== record);
      if (search(next, left, others)) return true;
    }
    return false;
  };
  return search(before, records, extras);
}

function isBefore(a: RequestRecord, b: RequestRecord): boolean {
  if (a === b) return false;
  return a.operation === b.operation ? a.endedAt <= b.startedAt && a.startedAt < b.endedAt : a.endedAt < b.startedAt;
}

function isSame(a: Rows, b: Rows): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function tell(records: readonly RequestRecord[], content: Content): string {
  const answers = records.map(({ request, status, attemptCount, startedAt, endedAt }) => {
    const name = `${request.method} ${request.path} ${request.key ?? ''}`;
    return `${name}: ${status} (${attemptCount}x, ${startedAt}-${endedAt})`;
  });
  return `${answers.join('; ')} and ${JSON.stringify(content)}`;
}
