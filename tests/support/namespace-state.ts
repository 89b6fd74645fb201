import { type Answer, send } from './http.ts';

/** All that can be seen of a namespace: status, rows with all attributes, schema, generation of the last write. */
export interface NamespaceState {
  readonly status: number;
  readonly rows: unknown;
  readonly schema: unknown;
}

export async function stateOf(url: string, namespace: string): Promise<NamespaceState> {
  const query = { rank_by: ['id', 'asc'], limit: 10_000, include_attributes: true };
  const rows = await send(url, 'POST', `/v2/namespaces/${namespace}/query`, { body: query });
  const schema = await send(url, 'GET', `/v1/namespaces/${namespace}/schema`);
  return { status: rows.status, rows: field(rows, 'rows'), schema: schema.json };
}

/** Ids of all rows, in order. */
export async function idsOf(url: string, namespace: string): Promise<number[]> {
  const ids: number[] = [];
  for (;;) {
    const filters = ids.length === 0 ? undefined : ['id', 'Gt', ids.at(-1)];
    const body = { rank_by: ['id', 'asc'], limit: 10_000, filters };
    const answer = await send(url, 'POST', `/v2/namespaces/${namespace}/query`, { body });
    if (answer.status !== 200) throw new Error(`query: ${answer.status} ${answer.text}`);
    const page = field(answer, 'rows') as readonly { readonly id: number }[];
    for (const { id } of page) ids.push(id);
    if (page.length < 10_000) return ids;
  }
}

export function field(answer: Answer, name: string): unknown {
  return typeof answer.json === 'object' && answer.json !== null
    ? (answer.json as Record<string, unknown>)[name]
    : undefined;
}
