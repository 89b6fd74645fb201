import type { History, ReadRecord, WriteRecord } from './history.ts';
import type { LogModel, ModelGeneration } from './log-model.ts';

/**
 * What must be true of every run, whatever failed:
 *
 * 1. An acknowledged write is in the log, whole, at the generation that was named. No incarnation holds a write twice, whatever was retried.
 * 2. A write that was refused for good is not in the log.
 * 3. A read shows exactly what the log says at the generation that it names.
 * 4. A strong read is not behind any write that was acknowledged, nor any strong read that had ended, before it began.
 * 5. A read with a least generation is not behind it.
 * 6. A read that finds no namespace does so only if there was none at some generation that was not behind (4).
 *
 * Returns what is wrong, in words; empty when all holds.
 */
export function checkHistory(history: History, models: ReadonlyMap<string, LogModel>): string[] {
  const wrong: string[] = [];
  for (const [namespace, model] of models) {
    const writes = history.writes.filter((write) => write.namespace === namespace);
    const places = placesOf(model);
    for (const write of writes) checkWrite(write, places.get(write.w) ?? [], model, wrong);
    for (const read of history.reads) {
      if (read.namespace === namespace) checkRead(read, leastGeneration(read, history), model, wrong);
    }
  }
  return wrong;
}

function placesOf(model: LogModel): Map<number, ModelGeneration[]> {
  const places = new Map<number, ModelGeneration[]>();
  for (const generation of model.generations) {
    for (const w of generation.writes) places.set(w, [...(places.get(w) ?? []), generation]);
  }
  return places;
}

function checkWrite(write: WriteRecord, places: readonly ModelGeneration[], model: LogModel, wrong: string[]): void {
  const name = `write ${write.w} to ${write.namespace}`;
  const at = places.map((place) => place.generation).join(', ');
  const incarnations = new Set(places.map((place) => place.incarnation));
  if (incarnations.size < places.length) wrong.push(`${name} was applied more than once, at ${at}`);
  if (write.refused !== undefined && places.length > 0)
    wrong.push(`${name} was refused (${write.refused}) but is at ${at}`);
  for (const generation of write.generations) {
    if (!places.some((place) => place.generation === generation)) {
      wrong.push(`${name} was acknowledged at ${generation} but is ${places.length === 0 ? 'nowhere' : `at ${at}`}`);
      return;
    }
  }
  checkWhole(write, model, wrong);
}

/** Each id of the write is, right after it, what the write or a later member of the same group made of it. */
function checkWhole(write: WriteRecord, model: LogModel, wrong: string[]): void {
  const after = model.generations[(write.generations[0] ?? 0) - 1];
  if (after === undefined) return;
  const group = new Set(after.writes);
  for (const id of write.upserts) {
    const w = after.rows.get(id);
    if (w !== undefined && !group.has(w))
      wrong.push(`write ${write.w} is torn: id ${id} still shows ${w} at ${after.generation}`);
  }
  for (const id of write.deletes) {
    const w = after.rows.get(id);
    if (w !== undefined && !group.has(w))
      wrong.push(`write ${write.w} is torn: id ${id} still shows ${w} at ${after.generation}`);
  }
}

function leastGeneration(read: ReadRecord, history: History): number {
  let least = read.generationMin;
  if (read.level !== 'strong') return least;
  for (const write of history.writes) {
    if (write.namespace !== read.namespace || write.acknowledgedMs === undefined) continue;
    if (write.acknowledgedMs < read.startedMs) least = Math.max(least, ...write.generations.slice(0, 1));
  }
  for (const end of history.ends) {
    if (end.namespace === read.namespace && end.acknowledgedMs < read.startedMs)
      least = Math.max(least, end.generation);
  }
  for (const other of history.reads) {
    if (other.namespace !== read.namespace || other.level !== 'strong' || other.seen === undefined) continue;
    if (other.endedMs < read.startedMs) least = Math.max(least, other.seen.generation);
  }
  return least;
}

function checkRead(read: ReadRecord, least: number, model: LogModel, wrong: string[]): void {
  const name = `${read.level} read (${read.ranking}) of ${read.namespace} at ${read.startedMs.toFixed(0)} ms`;
  if (read.seen === undefined) {
    const possible =
      least === 0 || model.generations.some((generation) => generation.generation >= least && !generation.alive);
    if (!possible) wrong.push(`${name} found no namespace, but it was there from generation ${least} on`);
    return;
  }
  const { generation, rows } = read.seen;
  if (generation < least) wrong.push(`${name} saw generation ${generation}, but ${least} was known before`);
  const expected = model.generations[generation - 1];
  if (expected === undefined) {
    wrong.push(`${name} names generation ${generation}, but the log ends at ${model.head}`);
    return;
  }
  if (!expected.alive) wrong.push(`${name} shows generation ${generation}, where there is no namespace`);
  const difference = differenceOf(expected.rows, rows);
  if (difference !== undefined) wrong.push(`${name} at generation ${generation}: ${difference}`);
}

function differenceOf(expected: ReadonlyMap<number, number>, seen: ReadonlyMap<number, number>): string | undefined {
  for (const [id, w] of expected) {
    if (seen.get(id) !== w) return `id ${id} is ${w} in the log and ${seen.get(id) ?? 'missing'} in the answer`;
  }
  for (const [id, w] of seen) {
    if (!expected.has(id)) return `id ${id} is not in the log and ${w} in the answer`;
  }
  return undefined;
}
