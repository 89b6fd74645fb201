import { type Random, utf8Decode, utf8Encode } from '@lagoon/base';
import type { GatewayRequest, GatewayResponse } from '@lagoon/gateway';
import type { Actor } from './actor.ts';
import type { History, ReadRecord, WriteRecord } from './history.ts';

/** One client of the cluster: does one thing after the other, retries what may be retried, and writes down what it saw. */
export interface WorkloadClient {
  /** Ends when it has done its share and every write of it is known to be applied or refused. */
  run(operationCount: number): Promise<void>;
}

export interface WorkloadDeps {
  readonly actor: Actor;
  readonly random: Random;
  readonly history: History;
  readonly namespaces: readonly string[];
  readonly nextWrite: () => number;
  readonly send: (request: GatewayRequest, signal: AbortSignal) => Promise<GatewayResponse>;
  /** Share of operations that end a whole namespace. */
  readonly endShare: number;
}

const idCount = 12;
const retryCountMax = 4_000;
const requestTimeoutMs = 40_000;

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export function createWorkloadClient(deps: WorkloadDeps): WorkloadClient {
  const { actor, random, history } = deps;
  const pick = <T>(items: readonly T[]): T => items[random.integer(items.length)] as T;
  const known = new Map<string, number>();

  return {
    run: async (operationCount) => {
      for (let i = 0; i < operationCount; i++) {
        const draw = random.float();
        if (draw < deps.endShare) await endNamespace(pick(deps.namespaces));
        else if (draw < 0.5) await write(pick(deps.namespaces));
        else await read(pick(deps.namespaces));
        await actor.clock.sleep(random.float() * 400);
      }
    },
  };

  async function send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: unknown,
  ): Promise<Answer | undefined> {
    const controller = new AbortController();
    const timer = actor.clock.setTimer(requestTimeoutMs, () =>
      controller.abort(new DOMException('client gave up', 'AbortError')),
    );
    try {
      const request = {
        method,
        path,
        query: '',
        headers,
        body: body === undefined ? new Uint8Array(0) : utf8Encode(JSON.stringify(body)),
      };
      const response = await deps.send(request, controller.signal);
      return { status: response.status, body: JSON.parse(utf8Decode(response.body)) as Record<string, unknown> };
    } catch {
      return undefined; // no answer
    } finally {
      timer.cancel();
    }
  }

  async function write(namespace: string): Promise<void> {
    const ids = new Set(Array.from({ length: 1 + random.integer(4) }, () => random.integer(idCount)));
    const deletes = [...ids].filter(() => random.float() < 0.25);
    const record: WriteRecord = {
      namespace,
      w: deps.nextWrite(),
      upserts: [...ids].filter((id) => !deletes.includes(id)),
      deletes,
      startedMs: actor.clock.wallMs(),
      generations: [],
      acknowledgedMs: undefined,
      refused: undefined,
    };
    const witness = 1_000 + record.w; // a row of its own: every write leaves a trace in the log
    history.writes.push(record);
    const rows = [...record.upserts, witness].map((id) => ({
      id,
      w: record.w,
      vector: [record.w, 1],
      text: `common w${record.w}`,
    }));
    const body = {
      upsert_rows: rows,
      ...(deletes.length > 0 ? { deletes } : {}),
      schema: { text: { type: 'string', full_text_search: true } },
    };
    const headers = { 'content-type': 'application/json', 'idempotency-key': `key-${record.w}` };
    await writeUntilKnown(record, namespace, headers, body);
  }

  async function writeUntilKnown(
    record: WriteRecord,
    namespace: string,
    headers: Record<string, string>,
    body: unknown,
  ): Promise<void> {
    for (let attempt = 0; attempt < retryCountMax; attempt++) {
      const answer = await send('POST', `/v2/namespaces/${namespace}`, headers, body);
      if (answer?.status === 200) {
        acknowledge(record, Number(answer.body.manifest_generation));
        known.set(namespace, Math.max(known.get(namespace) ?? 0, ...record.generations));
        if (random.float() > 0.1) return;
        const again = await send('POST', `/v2/namespaces/${namespace}`, headers, body); // a retry of what was heard
        if (again?.status === 200) record.generations.push(Number(again.body.manifest_generation));
        return;
      }
      if (answer !== undefined && isFinal(answer.status)) {
        record.refused = `${answer.status} ${String(answer.body.error)}`;
        return;
      }
      await actor.clock.sleep(50 + random.float() * Math.min(3_000, 100 * 2 ** attempt));
    }
    throw new Error(`write ${record.w} found no answer in ${retryCountMax} attempts`);
  }

  function acknowledge(record: WriteRecord, generation: number): void {
    record.generations.push(generation);
    record.acknowledgedMs = actor.clock.wallMs();
  }

  async function read(namespace: string): Promise<void> {
    const level = random.float() < 0.6 ? 'strong' : 'eventual';
    const generationMin = random.float() < 0.2 ? (known.get(namespace) ?? 0) : 0;
    const ranking = pick(['id', 'kNN', 'BM25']);
    const rankBy =
      ranking === 'id' ? ['id', 'asc'] : ranking === 'kNN' ? ['vector', 'kNN', [1, 1]] : ['text', 'BM25', 'common'];
    const startedMs = actor.clock.wallMs();
    const answer = await send(
      'POST',
      `/v2/namespaces/${namespace}/query`,
      { 'content-type': 'application/json' },
      {
        rank_by: rankBy,
        limit: 10_000,
        include_attributes: ['w'],
        consistency: {
          level,
          ...(level === 'eventual' ? { max_staleness_seconds: 2 } : {}),
          ...(generationMin > 0 ? { min_manifest_generation: generationMin } : {}),
        },
      },
    );
    if (answer?.status !== 200 && answer?.status !== 404) return; // a fault: no answer is not a wrong answer
    const record: ReadRecord = {
      namespace,
      level,
      ranking,
      generationMin,
      startedMs,
      endedMs: actor.clock.wallMs(),
      seen: answer.status === 404 ? undefined : readSeen(answer.body),
    };
    history.reads.push(record);
  }

  async function endNamespace(namespace: string): Promise<void> {
    const startedMs = actor.clock.wallMs();
    const answer = await send('DELETE', `/v2/namespaces/${namespace}`, {}, undefined);
    if (answer?.status !== 200) return;
    history.ends.push({
      namespace,
      startedMs,
      generation: Number(answer.body.manifest_generation),
      acknowledgedMs: actor.clock.wallMs(),
    });
  }
}

/** Whether the same request would be refused again; 499 is the client's own giving up. */
function isFinal(status: number): boolean {
  return status < 500 && ![408, 409, 429, 499].includes(status);
}

function readSeen(body: Record<string, unknown>): { generation: number; rows: Map<number, number> } {
  const rows = new Map<number, number>();
  for (const row of body.rows as { id: number; w: number }[]) {
    if (rows.has(row.id)) throw new Error(`id ${row.id} is in one answer twice`);
    rows.set(row.id, row.w);
  }
  return { generation: Number(body.manifest_generation), rows };
}
