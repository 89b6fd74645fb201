import type { Random } from '@lagoon/base';
import type { Actor } from './actor.ts';
import { type Answer, isFinal, request, requestUntilKnown, type Send } from './client-call.ts';
import { createConditionalWorkload } from './conditional-workload.ts';
import {
  type History,
  type ReadRecord,
  type SeenVector,
  stalenessMsMax,
  type WriteRecord,
  witnessOf,
} from './history.ts';
import { createLineageWorkload } from './lineage-workload.ts';

/** One client of the cluster: does one thing after the other, retries what may be retried, and writes down what it saw. */
export interface WorkloadClient {
  /** Ends when it has done its share and every keyed write of it is known to be applied or refused. */
  run(operationCount: number): Promise<void>;
}

export interface WorkloadDeps {
  readonly actor: Actor;
  readonly random: Random;
  readonly history: History;
  readonly namespaces: readonly string[];
  readonly queryNodeCount: number;
  readonly nextWrite: () => number;
  readonly send: Send;
  /** Share of operations that end a whole namespace. */
  readonly endShare: number;
  /** Share of branches, snapshots, restores and exports. */
  readonly lineageShare?: number;
  /** Names that are born from others; default: all. */
  readonly heirs?: readonly string[];
  /** Longest wait between two operations. */
  readonly pauseMsMax: number;
}

const idCount = 12;
const wideAttributeCount = 5;
/** More than the cluster of the simulation keeps in an entry. */
const paddingLength = 4_000;
const limitMax = 10_000;
const annLimits = [limitMax, 3];

export function createWorkloadClient(deps: WorkloadDeps): WorkloadClient {
  const { actor, random, history } = deps;
  const send: Send = async (message, signal, node) => {
    const response = await deps.send(message, signal, node);
    history.statuses.set(response.status, (history.statuses.get(response.status) ?? 0) + 1);
    return response;
  };
  const pick = <T>(items: readonly T[]): T => items[random.integer(items.length)] as T;
  const chance = (probability: number): boolean => random.float() < probability;
  const nowMs = () => actor.clock.wallMs();
  const known = new Map<string, number>();
  let vectorReadCount = 0;
  const learn = (namespace: string, generation: number): void => {
    known.set(namespace, Math.max(known.get(namespace) ?? 0, generation));
  };

  const lineage = createLineageWorkload({ ...deps, send, end: endNamespace });
  const conditional = createConditionalWorkload({ ...deps, send });

  return {
    run: async (operationCount) => {
      for (let i = 0; i < operationCount; i++) {
        const draw = random.float();
        const namespace = pick(deps.namespaces);
        if (draw < deps.endShare) await endNamespace(namespace);
        else if (draw < deps.endShare + (deps.lineageShare ?? 0)) await lineage.run();
        else if (draw < 0.3) await conditional.run(namespace);
        else if (draw < 0.5) await write(namespace);
        else if (draw < 0.54) await list();
        else if (draw < 0.6) await readMetadata(namespace);
        else await read(namespace);
        await actor.clock.sleep(random.float() * deps.pauseMsMax);
      }
    },
  };

  async function write(namespace: string): Promise<void> {
    const draw = random.float();
    if (draw < 0.12) await writeOnce(namespace);
    else await writeKeyed(namespace);
    if (chance(0.3)) await read(namespace, 'strong'); // at once: somebody who saw nothing of the write is asked
  }

  function begin(namespace: string, rivalOf?: number): { readonly record: WriteRecord; readonly body: unknown } {
    const w = deps.nextWrite();
    const ids = [...new Set(Array.from({ length: 1 + random.integer(4) }, () => random.integer(idCount)))];
    const isDeleteOnly = chance(0.12);
    const deletes = ids.filter(() => isDeleteOnly || chance(0.25));
    const record: WriteRecord = {
      namespace,
      w,
      upserts: ids.filter((id) => !deletes.includes(id)),
      deletes,
      startedMs: nowMs(),
      isDeleteOnly,
      rivalOf,
      generations: [],
      acknowledgedMs: undefined,
      refused: undefined,
    };
    history.writes.push(record);
    return { record, body: isDeleteOnly ? { deletes: [...deletes, witnessOf(w)] } : bodyOf(record) };
  }

  function bodyOf({ w, upserts, deletes }: WriteRecord): unknown {
    const wide = chance(0.15) ? { [`wide${random.integer(wideAttributeCount)}`]: w } : {};
    const padding = chance(0.08) ? { padding: 'p'.repeat(paddingLength) } : {};
    return {
      upsert_rows: [...upserts, witnessOf(w)].map((id) => ({
        id,
        w,
        vector: [w, 1],
        text: `common w${w}`,
        ...wide,
        ...padding,
      })),
      ...(deletes.length > 0 ? { deletes } : {}),
      schema: {
        text: { type: 'string', full_text_search: true },
        ...('padding' in padding ? { padding: { type: 'string', filterable: false } } : {}),
      },
    };
  }

  /** Without a key, and so without a retry: applied once or not at all. */
  async function writeOnce(namespace: string): Promise<void> {
    const { record, body } = begin(namespace);
    const answer = await request(actor, send, { method: 'POST', path: pathOf(namespace), body });
    if (answer?.status === 200) acknowledge(record, answer);
    else if (answer !== undefined && isFinal(answer.status)) refuse(record, answer);
  }

  async function writeKeyed(namespace: string): Promise<void> {
    const { record, body } = begin(namespace);
    const call = { method: 'POST', path: pathOf(namespace), key: `key-${record.w}`, body } as const;
    const twin = chance(0.1) ? request(actor, send, call) : undefined; // an impatient client: the same request twice at once
    const rival = chance(0.04) ? writeRival(record) : undefined; // one of the two has the key, whichever comes first
    const answer = await requestUntilKnown(actor, random, send, call);
    if (answer.status === 200) acknowledge(record, answer);
    else if (rival === undefined) refuse(record, answer);
    await rival;
    const again = chance(0.1) ? request(actor, send, call) : undefined; // a retry of what was heard
    for (const other of [await twin, await again]) {
      if (other?.status === 200) record.generations.push(generationOf(other));
    }
    if (record.generations.length > 0 && !record.isDeleteOnly && chance(0.06)) await writeRival(record);
  }

  /** Another body under a key that was used. */
  async function writeRival(earlier: WriteRecord): Promise<void> {
    const { record, body } = begin(earlier.namespace, earlier.w);
    const key = `key-${earlier.w}`;
    const answer = await requestUntilKnown(actor, random, send, {
      method: 'POST',
      path: pathOf(earlier.namespace),
      key,
      body,
    });
    if (answer.status === 200) acknowledge(record, answer);
  }

  function acknowledge(record: WriteRecord, answer: Answer): void {
    record.generations.push(generationOf(answer));
    record.acknowledgedMs = nowMs();
    learn(record.namespace, generationOf(answer));
  }

  function refuse(record: WriteRecord, answer: Answer): void {
    record.refused = `${answer.status} ${String(answer.body.error)}`;
  }

  async function read(namespace: string, given?: ReadRecord['level']): Promise<void> {
    const level = given ?? (chance(0.6) ? 'strong' : 'eventual');
    const generationMin = chance(0.25) ? (known.get(namespace) ?? 0) : 0;
    const drawn = pick(['id', 'kNN', 'BM25'] as const);
    // By count, so that what is drawn stays what it was.
    const kind = drawn === 'kNN' && ++vectorReadCount % 3 > 0 ? 'ANN' : drawn;
    const limit = kind === 'ANN' ? (annLimits[vectorReadCount % annLimits.length] as number) : limitMax;
    const rankBy =
      kind === 'id' ? ['id', 'asc'] : kind === 'BM25' ? ['text', 'BM25', 'common'] : ['vector', kind, [1, 1]];
    const consistency = {
      level,
      ...(level === 'eventual' ? { max_staleness_seconds: stalenessMsMax / 1_000 } : {}),
      ...(generationMin > 0 ? { min_manifest_generation: generationMin } : {}),
    };
    const names = Array.isArray(rankBy[2]) ? ['w', 'vector'] : ['w'];
    const body = { rank_by: rankBy, limit, include_attributes: names, consistency };
    const node = random.integer(deps.queryNodeCount);
    const startedMs = nowMs();
    const answer = await request(actor, send, { method: 'POST', path: `${pathOf(namespace)}/query`, body, node });
    if (answer?.status !== 200 && answer?.status !== 404) return; // a fault: no answer is not a wrong answer
    const rows = answer.status === 404 ? undefined : readRows(answer.body);
    const generation = generationOf(answer);
    if (rows !== undefined) learn(namespace, generation);
    history.reads.push({
      namespace,
      node,
      level,
      kind,
      generationMin,
      startedMs,
      endedMs: nowMs(),
      ...(kind === 'ANN' ? { limit } : {}),
      seen:
        rows === undefined ? undefined : { generation, rows, vectors: readVectors(answer.body), attributes: undefined },
    });
  }

  async function readMetadata(namespace: string): Promise<void> {
    const node = random.integer(deps.queryNodeCount);
    const startedMs = nowMs();
    const answer = await request(actor, send, { method: 'GET', path: `${pathOf(namespace)}/metadata`, node });
    if (answer?.status !== 200 && answer?.status !== 404) return;
    const names = Object.keys((answer.body.schema ?? {}) as object).filter((name) => name !== 'id');
    const seen =
      answer.status === 404
        ? undefined
        : { generation: generationOf(answer), rows: undefined, attributes: names.sort() };
    const times = { startedMs, endedMs: nowMs() };
    history.reads.push({ namespace, node, level: 'strong', kind: 'metadata', generationMin: 0, ...times, seen });
  }

  async function list(): Promise<void> {
    const startedMs = nowMs();
    const answer = await request(actor, send, { method: 'GET', path: '/v1/namespaces' });
    if (answer?.status !== 200) return;
    history.lists.push({ startedMs, names: (answer.body.namespaces as { id: string }[]).map(({ id }) => id) });
  }

  async function endNamespace(namespace: string): Promise<void> {
    const startedMs = nowMs();
    const answer = await request(actor, send, { method: 'DELETE', path: pathOf(namespace) });
    if (answer?.status !== 200) return;
    history.ends.push({ namespace, startedMs, generation: generationOf(answer), acknowledgedMs: nowMs() });
  }
}

function pathOf(namespace: string): string {
  return `/v2/namespaces/${namespace}`;
}

function generationOf(answer: Answer): number {
  return Number(answer.body.manifest_generation);
}

function readRows(body: Record<string, unknown>): Map<number, number> {
  const rows = new Map<number, number>();
  for (const row of body.rows as { id: number; w: number }[]) {
    if (rows.has(row.id)) throw new Error(`id ${row.id} is in one answer twice`);
    rows.set(row.id, row.w);
  }
  return rows;
}

/** Distances are printed as the shortest decimal of an f32. */
function readVectors(body: Record<string, unknown>): SeenVector[] {
  const rows = body.rows as { readonly id: number; readonly $dist?: number; readonly vector?: number[] }[];
  return rows.flatMap(({ id, $dist, vector: [x] = [] }) =>
    $dist === undefined || x === undefined ? [] : [{ id, x, distance: Math.fround($dist) }],
  );
}
