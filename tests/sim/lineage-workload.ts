import { type Random, utf8Decode } from '@lagoon/base';
import type { Actor } from './actor.ts';
import { type Answer, request, requestUntilKnown, type Send } from './client-call.ts';
import type { History } from './history.ts';

/** Branches, snapshots, restores and exports of one client. What makes a name out of another one often ends it first. */
export interface LineageWorkload {
  run(): Promise<void>;
}

export interface LineageWorkloadDeps {
  readonly actor: Actor;
  readonly random: Random;
  readonly history: History;
  readonly namespaces: readonly string[];
  /** Names that are ended and born again from others; default: all. */
  readonly heirs?: readonly string[] | undefined;
  readonly queryNodeCount: number;
  readonly send: Send;
  end(namespace: string): Promise<void>;
}

export function createLineageWorkload(deps: LineageWorkloadDeps): LineageWorkload {
  const { actor, random, history, send } = deps;
  const pick = <T>(items: readonly T[]): T => items[random.integer(items.length)] as T;
  const nowMs = () => actor.clock.wallMs();
  let keyCount = 0;

  return {
    run: async () => {
      const draw = random.float();
      if (draw < 0.45) await branch();
      else if (draw < 0.65) await snapshot();
      else if (draw < 0.8) await restore();
      else if (draw < 0.85) await deleteSnapshot();
      else await exportAll(pick(deps.namespaces));
    },
  };

  async function branch(): Promise<void> {
    const source = pick(deps.namespaces);
    const target = await makeRoom(source);
    const generation = random.float() < 0.3 ? olderGeneration(source) : undefined;
    const from = generation === undefined ? source : { source_namespace: source, generation };
    await bear(target, source, `/v2/namespaces/${target}`, { branch_from_namespace: from }, generation);
  }

  async function restore(): Promise<void> {
    if (history.snapshots.length === 0) return;
    const { namespace, name, generation } = pick(history.snapshots);
    const into = await makeRoom(undefined);
    await bear(into, namespace, `/v2/namespaces/${namespace}/restore`, { snapshot: name, into }, generation);
  }

  /** Nothing that was acknowledged before it began may be missing from what is born, unless an older instant was asked for. */
  async function bear(
    namespace: string,
    source: string,
    path: string,
    body: unknown,
    generation: number | undefined,
  ): Promise<void> {
    const startedMs = nowMs();
    const key = `${actor.name}/birth/${keyCount++}`;
    const answer = await requestUntilKnown(actor, random, send, { method: 'POST', path, body, key });
    if (answer.status !== 200) return;
    history.births.push({
      namespace,
      source,
      startedMs,
      acknowledgedMs: nowMs(),
      generation: numberIn(answer, 'manifest_generation'),
      sourceGeneration: numberIn(answer, 'source_generation'),
      sourceGenerationAsked: generation,
    });
  }

  async function makeRoom(but: string | undefined): Promise<string> {
    const target = pick(deps.heirs ?? deps.namespaces);
    if (target !== but && random.float() < 0.7) await deps.end(target);
    return target;
  }

  function olderGeneration(namespace: string): number | undefined {
    const known = history.writes.filter((write) => write.namespace === namespace && write.generations.length > 0);
    return known.length === 0 ? undefined : pick(known).generations[0];
  }

  async function snapshot(): Promise<void> {
    const namespace = pick(deps.namespaces);
    const name = `s${random.integer(1_000_000)}`;
    const path = `/v2/namespaces/${namespace}/snapshots`;
    const answer = await request(actor, send, { method: 'POST', path, body: { name } });
    if (answer?.status !== 200) return;
    const generation = Number((answer.body.snapshot as { manifest_generation: number }).manifest_generation);
    history.snapshots.push({ namespace, name, generation });
  }

  async function deleteSnapshot(): Promise<void> {
    if (history.snapshots.length === 0) return;
    const { namespace, name } = pick(history.snapshots);
    await request(actor, send, { method: 'DELETE', path: `/v2/namespaces/${namespace}/snapshots/${name}` });
  }

  /** A cut export says nothing; a whole one is a read like any other. */
  async function exportAll(namespace: string): Promise<void> {
    const node = random.integer(deps.queryNodeCount);
    const startedMs = nowMs();
    try {
      const path = `/v2/namespaces/${namespace}/export`;
      const message = { method: 'GET', path, query: 'page_size=5', headers: {}, body: new Uint8Array(0) };
      const response = await send(message, new AbortController().signal, node);
      if (response.status !== 200) return;
      let text = '';
      for await (const chunk of response.stream ?? []) text += utf8Decode(chunk);
      const rows = text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { id: number; w: number });
      history.reads.push({
        namespace,
        node,
        level: 'strong',
        kind: 'export',
        generationMin: 0,
        startedMs,
        endedMs: nowMs(),
        seen: {
          generation: Number(response.headers['lagoon-generation']),
          rows: new Map(rows.map((row) => [row.id, row.w])),
          attributes: undefined,
        },
      });
    } catch {
      // a fault on the way
    }
  }
}

function numberIn(answer: Answer, name: string): number {
  return Number(answer.body[name]);
}
