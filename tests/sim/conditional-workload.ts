import type { Random } from '@lagoon/base';
import type { Actor } from './actor.ts';
import { type Answer, request, requestUntilKnown, type Send } from './client-call.ts';
import { type ConditionalRecord, counterIdFirst, type History, witnessOf } from './history.ts';

/** Writes that depend on the rows that are there: counters that nobody may lose an increment of, and writes by filter. */
export interface ConditionalWorkload {
  run(namespace: string): Promise<void>;
}

export interface ConditionalWorkloadDeps {
  readonly actor: Actor;
  readonly random: Random;
  readonly history: History;
  readonly nextWrite: () => number;
  readonly send: Send;
}

const counterCount = 2;

export function createConditionalWorkload(deps: ConditionalWorkloadDeps): ConditionalWorkload {
  const { actor, random, history, send } = deps;

  return {
    run: async (namespace) => {
      if (random.float() < 0.7) await increment(namespace);
      else await writeByFilter(namespace);
    },
  };

  /** Compare and set: reads the counter from whatever node answers, and writes one more if it is still that. */
  async function increment(namespace: string): Promise<void> {
    const id = counterIdFirst + random.integer(counterCount);
    const present = await readCounter(namespace, id);
    if (present === undefined) return;
    const isPatch = present.count !== undefined && random.float() < 0.5;
    const record = begin(namespace, { id, kind: 'increment' });
    const { w } = record;
    const row = { id, w, count: (present.count ?? 0) + 1 };
    const condition = present.count === undefined ? ['id', 'Eq', null] : ['count', 'Eq', present.count];
    const witness = plainRow(witnessOf(w), w);
    const schema = { ...textSchema, count: 'int' };
    const body = isPatch
      ? { upsert_rows: [witness], patch_rows: [row], patch_condition: condition, schema }
      : { upsert_rows: [{ ...plainRow(id, w), ...row }, witness], upsert_condition: condition, schema };
    const answer = await sendKeyed(namespace, record, body);
    if (answer?.status !== 200) return;
    record.appliedCount = isPatch ? Number(answer.body.rows_patched ?? 0) : Number(answer.body.rows_upserted) - 1;
  }

  /** Of the rows that were last written before some write: those with ids below the counters' are deleted, or stamped. */
  async function writeByFilter(namespace: string): Promise<void> {
    const isDelete = random.float() < 0.5;
    const record = begin(namespace, { kind: isDelete ? 'filterDelete' : 'filterPatch' });
    const { w } = record;
    record.below = Math.max(1, w - random.integer(20));
    const filter = [
      'And',
      [
        ['id', 'Lt', counterIdFirst],
        ['w', 'Lt', record.below],
      ],
    ];
    const work = isDelete ? { delete_by_filter: filter } : { patch_by_filter: { filters: filter, patch: { w } } };
    // The filter's attribute may be new to the namespace: the witness brings it.
    const answer = await sendKeyed(namespace, record, {
      upsert_rows: [plainRow(witnessOf(w), w)],
      schema: textSchema,
      ...work,
    });
    if (answer?.status !== 200) return;
    record.appliedCount = Number((isDelete ? answer.body.rows_deleted : answer.body.rows_patched) ?? 0);
  }

  function begin(namespace: string, of: Pick<ConditionalRecord, 'kind' | 'id'>): ConditionalRecord {
    const record: ConditionalRecord = {
      namespace,
      w: deps.nextWrite(),
      upserts: [],
      deletes: [],
      startedMs: actor.clock.wallMs(),
      isDeleteOnly: false,
      rivalOf: undefined,
      generations: [],
      acknowledgedMs: undefined,
      refused: undefined,
      ...of,
      below: 0,
      appliedCount: undefined,
    };
    history.writes.push(record);
    history.conditionals.push(record);
    return record;
  }

  async function sendKeyed(namespace: string, record: ConditionalRecord, body: unknown): Promise<Answer> {
    const call = { method: 'POST', path: `/v2/namespaces/${namespace}`, key: `key-${record.w}`, body } as const;
    const twin = random.float() < 0.1 ? request(actor, send, call) : undefined;
    const answer = await requestUntilKnown(actor, random, send, call);
    if (answer.status === 200) {
      record.generations.push(Number(answer.body.manifest_generation));
      record.acknowledgedMs = actor.clock.wallMs();
    } else record.refused = `${answer.status} ${String(answer.body.error)}`;
    const other = await twin;
    if (other?.status === 200) record.generations.push(Number(other.body.manifest_generation));
    return answer;
  }

  /** Undefined: no answer. A stale one will do: the condition decides. */
  async function readCounter(
    namespace: string,
    id: number,
  ): Promise<{ readonly count: number | undefined } | undefined> {
    const body = { rank_by: ['id', 'asc'], limit: 1, filters: ['id', 'Eq', id], include_attributes: true };
    const answer = await request(actor, send, { method: 'POST', path: `/v2/namespaces/${namespace}/query`, body });
    if (answer?.status === 404) return { count: undefined };
    if (answer?.status !== 200) return undefined;
    const [row] = answer.body.rows as { count?: number }[];
    return { count: row?.count ?? undefined };
  }
}

/** What every ranking of the workload finds. */
function plainRow(id: number, w: number): Record<string, unknown> {
  return { id, w, vector: [w, 1], text: `common w${w}` };
}

const textSchema = { text: { type: 'string', full_text_search: true } };
