import { type ConditionalRecord, counterIdFirst, type History, isCounter } from './history.ts';
import type { LogModel, ModelGeneration } from './log-model.ts';

/**
 * Writes that depend on rows:
 *
 * 1. A counter grows from one generation to the next by exactly the increments that were acknowledged there as applied, and by no more than
 *    those that nobody heard of besides: no increment is lost, none counts that was refused its condition.
 * 2. Right after a write by filter, no row that it should have changed is as it was, unless a member of its group wrote it; and alone in its
 *    generation, it changed as many rows as it says.
 */
export function checkConditionals(history: History, namespace: string, model: LogModel, wrong: string[]): void {
  const byWrite = new Map(
    history.conditionals.filter((record) => record.namespace === namespace).map((record) => [record.w, record]),
  );
  let before: ModelGeneration | undefined;
  for (const after of model.generations) {
    const records = after.writes.flatMap((w) => byWrite.get(w) ?? []);
    checkCounters(records, after, namespace, wrong);
    for (const record of records) {
      if (record.kind !== 'increment') checkFilter(record, before, after, namespace, wrong);
    }
    before = after;
  }
}

function checkCounters(
  records: readonly ConditionalRecord[],
  after: ModelGeneration,
  namespace: string,
  wrong: string[],
): void {
  if (!after.alive) return;
  // A counter that is not there begins with whatever a conditional upsert brings.
  for (const id of after.countsBefore.keys()) {
    const growth = (after.counts.get(id) ?? 0) - (after.countsBefore.get(id) ?? 0);
    const own = records.filter((record) => record.kind === 'increment' && record.id === id);
    const isHeard = (record: ConditionalRecord) => isCounted(record, after);
    const heard = own.filter(isHeard).reduce((sum, { appliedCount = 0 }) => sum + appliedCount, 0);
    const unheard = own.filter((record) => !isHeard(record)).length;
    if (growth < heard || growth > heard + unheard) {
      wrong.push(
        `counter ${id} of ${namespace} grew by ${growth} at ${after.generation}, where ${heard} increments applied and ${unheard} may have`,
      );
    }
  }
}

/** Whether the record's count is of this generation: a twin may have been applied in another life of the namespace. */
function isCounted(record: ConditionalRecord, at: ModelGeneration): boolean {
  return record.generations[0] === at.generation;
}

function checkFilter(
  record: ConditionalRecord,
  before: ModelGeneration | undefined,
  after: ModelGeneration,
  namespace: string,
  wrong: string[],
): void {
  const name = `${record.kind} ${record.w} of ${namespace} at ${after.generation}`;
  const group = new Set(after.writes);
  const isMeant = (id: number, w: number) => id < counterIdFirst && !isCounter(id) && w < record.below;
  for (const [id, w] of after.rows) {
    if (isMeant(id, w) && !group.has(w)) wrong.push(`${name} left id ${id} as ${w}`);
  }
  const isAlone = after.writes.length === 1 && after.kind === 'batch' && isCounted(record, after);
  if (!isAlone || before === undefined || record.appliedCount === undefined) return;
  const meantCount = [...before.rows].filter(([id, w]) => isMeant(id, w)).length;
  if (meantCount !== record.appliedCount)
    wrong.push(`${name} changed ${record.appliedCount} rows and not ${meantCount}`);
}
