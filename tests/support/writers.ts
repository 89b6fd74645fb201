import { createKeepAliveAgent, send } from './http.ts';

/** What became of the batches of one load: by the numbers of their rows. */
export interface LoadResult {
  /** Answered with 200. */
  readonly acknowledged: readonly (readonly number[])[];
  /** Answered with an error, by its status. */
  readonly refused: readonly { readonly ids: readonly number[]; readonly status: number; readonly text: string }[];
  /** The connection was refused: certainly never received. */
  readonly unconnected: readonly (readonly number[])[];
  /** The connection ended without a byte of an answer. */
  readonly unanswered: readonly (readonly number[])[];
}

export interface Load {
  /** Batches answered with 200 so far. */
  readonly acknowledgedCount: () => number;
  /** Ends it; resolves when every request has its end. */
  finish(): Promise<LoadResult>;
}

export const rowsPerBatch = 3;

/** Keeps `concurrency` writes of three rows each under way on as many connections, with new ids each, until it is finished or a writer cannot connect any more. */
export function startWriters(url: string, namespace: string, concurrency: number): Load {
  const agent = createKeepAliveAgent(concurrency);
  const acknowledged: number[][] = [];
  const refused: { ids: number[]; status: number; text: string }[] = [];
  const unconnected: number[][] = [];
  const unanswered: number[][] = [];
  let next = 0;
  let finished = false;
  const writeOnce = async (): Promise<boolean> => {
    const ids = Array.from({ length: rowsPerBatch }, () => next++);
    const body = { upsert_rows: ids.map((id) => ({ id, vector: [id, 1], text: `row ${id}` })) };
    try {
      const { status, text } = await send(url, 'POST', `/v2/namespaces/${namespace}`, { body, agent });
      if (status === 200) acknowledged.push(ids);
      else refused.push({ ids, status, text });
      return true;
    } catch (error) {
      const isUnconnected =
        typeof error === 'object' && error !== null && 'code' in error && error.code === 'ECONNREFUSED';
      (isUnconnected ? unconnected : unanswered).push(ids);
      return false;
    }
  };
  const writer = async () => {
    while (!finished && (await writeOnce()));
  };
  const writers = Array.from({ length: concurrency }, writer);
  return {
    acknowledgedCount: () => acknowledged.length,
    finish: async () => {
      finished = true;
      await Promise.all(writers);
      agent.destroy();
      return { acknowledged, refused, unconnected, unanswered };
    },
  };
}
