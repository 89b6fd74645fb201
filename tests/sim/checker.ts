import { checkConditionals } from './conditional-checker.ts';
import {
  type BirthRecord,
  type History,
  type ListRecord,
  type ReadRecord,
  type SeenVector,
  stalenessMsMax,
  type WriteRecord,
} from './history.ts';
import type { LogModel, ModelGeneration } from './log-model.ts';

/**
 * What must be true of every run, whatever failed:
 *
 * 1. An acknowledged write is in the log, whole, at the generation that was named. No incarnation holds a write twice, whatever was
 *    retried; one without a key, which nobody retries, is there at most once.
 * 2. A write that was refused for good is not in the log. One that took another's idempotency key is in no incarnation of the other.
 * 3. A read shows exactly what the log says at the generation that it names: rows, or the schema's attributes. One by ANN shows as many of these
 *    rows as it asks for; distances are those of the rows' vectors, whatever found them.
 * 4. A strong read is not behind any write that was acknowledged, nor any read that had ended, before it began; an eventual one not
 *    behind those of so long before it as it may be stale.
 * 5. A read is not behind its least generation, nor behind a read that the same query node had answered before it began.
 * 6. A read that finds no namespace does so only if there was none at some generation that was not behind (4, 5).
 * 7. A namespace that was there all the time since an acknowledged write is listed.
 * 8. An acknowledged birth from another namespace is in the log, from the instant that was named: the one asked for, or one that is not behind
 *    what was acknowledged before it began.
 * 9. Writes that depend on rows did what the rows before them say (`conditional-checker.ts`).
 *
 * Returns what is wrong, in words; empty when all holds.
 */
export function checkHistory(history: History, models: ReadonlyMap<string, LogModel>): string[] {
  const wrong: string[] = [];
  for (const [namespace, model] of models) {
    const writes = history.writes.filter((write) => write.namespace === namespace);
    const places = placesOf(model);
    for (const write of writes) checkWrite(write, places, model, wrong);
    for (const read of history.reads) {
      if (read.namespace === namespace) checkRead(read, leastGeneration(read, history), model, wrong);
    }
    for (const birth of history.births) {
      if (birth.namespace === namespace) checkBirth(birth, history, model, wrong);
    }
    for (const list of history.lists) checkList(list, namespace, writes, model, wrong);
    checkConditionals(history, namespace, model, wrong);
  }
  return wrong;
}

type Places = ReadonlyMap<number, readonly ModelGeneration[]>;

function placesOf(model: LogModel): Places {
  const places = new Map<number, ModelGeneration[]>();
  for (const generation of model.generations) {
    for (const w of generation.writes) places.set(w, [...(places.get(w) ?? []), generation]);
  }
  return places;
}

function checkWrite(write: WriteRecord, all: Places, model: LogModel, wrong: string[]): void {
  const places = all.get(write.w) ?? [];
  const name = `write ${write.w} to ${write.namespace}`;
  const at = places.map((place) => place.generation).join(', ');
  const incarnations = new Set(places.map((place) => place.incarnation));
  if (incarnations.size < places.length) wrong.push(`${name} was applied more than once, at ${at}`);
  if (write.refused !== undefined && places.length > 0)
    wrong.push(`${name} was refused (${write.refused}) but is at ${at}`);
  const rivals = write.rivalOf === undefined ? [] : (all.get(write.rivalOf) ?? []);
  if (rivals.some((rival) => incarnations.has(rival.incarnation)))
    wrong.push(`${name}, at ${at}, took the key of write ${write.rivalOf} of the same incarnation`);
  for (const generation of write.generations) {
    if (places.some((place) => place.generation === generation)) continue;
    const after = model.generations[generation - 1]; // a birth may share its group with deletes that came before it
    const isVoid = write.isDeleteOnly && (after?.alive !== true || after.kind === 'birth');
    if (!isVoid) {
      wrong.push(`${name} was acknowledged at ${generation} but is ${places.length === 0 ? 'nowhere' : `at ${at}`}`);
      return;
    }
  }
  for (const place of places) checkWhole(write, place, wrong);
}

/** Each id of the write is, right after it, what the write or another member of the same group made of it. */
function checkWhole(write: WriteRecord, after: ModelGeneration, wrong: string[]): void {
  const group = new Set(after.writes);
  for (const id of [...write.upserts, ...write.deletes]) {
    const w = after.rows.get(id);
    if (w !== undefined && !group.has(w))
      wrong.push(`write ${write.w} is torn: id ${id} still shows ${w} at ${after.generation}`);
  }
}

/** What the read must not be behind. */
function leastGeneration(
  read: Pick<ReadRecord, 'namespace' | 'level' | 'startedMs' | 'generationMin' | 'kind' | 'node'>,
  history: History,
): number {
  const knownMs = read.level === 'strong' ? read.startedMs : read.startedMs - stalenessMsMax;
  let least = read.generationMin;
  for (const write of history.writes) {
    if (write.namespace !== read.namespace || write.acknowledgedMs === undefined) continue;
    if (write.acknowledgedMs < knownMs) least = Math.max(least, ...write.generations.slice(0, 1));
  }
  for (const end of history.ends) {
    if (end.namespace === read.namespace && end.acknowledgedMs < knownMs) least = Math.max(least, end.generation);
  }
  for (const birth of history.births) {
    if (birth.namespace === read.namespace && birth.acknowledgedMs < knownMs) least = Math.max(least, birth.generation);
  }
  for (const other of history.reads) {
    if (other.namespace !== read.namespace || other.seen === undefined) continue;
    const isBefore =
      other.endedMs < knownMs ||
      (other.node === read.node &&
        other.kind !== 'metadata' &&
        other.kind !== 'export' &&
        other.endedMs < read.startedMs);
    if (isBefore) least = Math.max(least, other.seen.generation);
  }
  return least;
}

function checkBirth(birth: BirthRecord, history: History, model: LogModel, wrong: string[]): void {
  const { source, generation, sourceGeneration, sourceGenerationAsked } = birth;
  const name = `birth of ${birth.namespace} at ${generation} from ${source} at ${sourceGeneration}`;
  const origin = model.generations[generation - 1]?.origin;
  if (origin?.namespace !== source || origin.generation !== sourceGeneration) {
    wrong.push(`${name} is not in the log, which has ${JSON.stringify(origin)} there`);
  }
  const read = { namespace: source, level: 'strong', startedMs: birth.startedMs, generationMin: 0 } as const;
  const least = sourceGenerationAsked ?? leastGeneration({ ...read, kind: 'id', node: -1 }, history);
  const isRight = sourceGenerationAsked === undefined ? sourceGeneration >= least : sourceGeneration === least;
  if (!isRight) wrong.push(`${name} should be from ${least}`);
}

function checkRead(read: ReadRecord, least: number, model: LogModel, wrong: string[]): void {
  const name = `${read.level} read (${read.kind}) of ${read.namespace} at ${read.startedMs.toFixed(0)} ms`;
  if (read.seen === undefined) {
    const possible =
      least === 0 || model.generations.some((generation) => generation.generation >= least && !generation.alive);
    if (!possible) wrong.push(`${name} found no namespace, but it was there from generation ${least} on`);
    return;
  }
  const { generation, rows, attributes, vectors = [] } = read.seen;
  if (generation < least) wrong.push(`${name} saw generation ${generation}, but ${least} was known before`);
  const expected = model.generations[generation - 1];
  if (expected === undefined) {
    wrong.push(`${name} names generation ${generation}, but the log ends at ${model.head}`);
    return;
  }
  if (!expected.alive) wrong.push(`${name} shows generation ${generation}, where there is no namespace`);
  const difference = rows === undefined ? undefined : differenceOf(read, expected.rows, rows);
  const distance = wrongDistance(vectors);
  if (distance !== undefined) wrong.push(`${name} at generation ${generation}: ${distance}`);
  if (difference !== undefined) wrong.push(`${name} at generation ${generation}: ${difference}`);
  if (attributes !== undefined && attributes.join() !== expected.attributes.join())
    wrong.push(
      `${name} at generation ${generation} has attributes ${attributes.join()} and not ${expected.attributes}`,
    );
}

/** [1, 1] is asked for: sums are exact, so these are the steps of every kernel. */
function wrongDistance(vectors: readonly SeenVector[]): string | undefined {
  const inverseNorm = (x: number): number => Math.fround(1 / Math.sqrt(x * x + 1));
  for (const { id, x, distance } of vectors) {
    const exact = Math.fround(1 - Math.fround(Math.fround((x + 1) * inverseNorm(x)) * inverseNorm(1)));
    if (distance !== exact) return `id ${id} with [${x}, 1] is ${distance} away, not ${exact}`;
  }
  return undefined;
}

function differenceOf(
  { limit }: ReadRecord,
  expected: ReadonlyMap<number, number>,
  seen: ReadonlyMap<number, number>,
): string | undefined {
  const count = Math.min(limit ?? expected.size, expected.size);
  if (limit !== undefined && seen.size !== count) return `${seen.size} rows are in the answer, not ${count}`;
  for (const [id, w] of expected) {
    const isMissing = limit === undefined && !seen.has(id);
    if (isMissing || (seen.has(id) && seen.get(id) !== w))
      return `id ${id} is ${w} in the log and ${seen.get(id) ?? 'missing'} in the answer`;
  }
  for (const [id, w] of seen) {
    if (!expected.has(id)) return `id ${id} is not in the log and ${w} in the answer`;
  }
  return undefined;
}

/** A marker may outlive its namespace until a sweep, so what is listed need not live; what lives must be listed. */
function checkList(
  list: ListRecord,
  namespace: string,
  writes: readonly WriteRecord[],
  model: LogModel,
  wrong: string[],
): void {
  if (list.names.includes(namespace)) return;
  const acknowledged = writes.filter(
    ({ acknowledgedMs }) => acknowledgedMs !== undefined && acknowledgedMs < list.startedMs,
  );
  const least = Math.max(0, ...acknowledged.flatMap((write) => write.generations.slice(0, 1))); // what was heard by then
  const isSurelyThere = least > 0 && model.generations.slice(least - 1).every((generation) => generation.alive);
  if (isSurelyThere) wrong.push(`the list at ${list.startedMs} ms misses ${namespace}, there since ${least}`);
}
