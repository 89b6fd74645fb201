import { type Clock, deadlineSignal, LagoonError } from '@lagoon/base';
import { isObject } from '../json/shape.ts';
import { type Reranker, rerankLimits } from './reranker.ts';

export interface HttpRerankerOptions {
  /** Where each model answers. */
  readonly urls: ReadonlyMap<string, string>;
  readonly timeoutMs: number;
}

/**
 * Models behind HTTP, by the form that rerank services have in common: `POST {model, query, documents: [text]}` answers
 * `{results: [{index, relevance_score}]}`. One attempt: a slow search is worse than the fused order.
 */
export function createHttpReranker(clock: Clock, { urls, timeoutMs }: HttpRerankerOptions): Reranker {
  return {
    models: [...urls.keys()],
    score: async (model, query, texts, signal) => {
      const url = urls.get(model);
      if (url === undefined) throw failure('is not configured', { model });
      using deadline = deadlineSignal(clock, timeoutMs, signal);
      try {
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model, query, documents: texts }),
          signal: deadline.signal,
          redirect: 'error',
        });
        const body = await readBody(response, model);
        if (!response.ok) throw failure('answered with an error', { model, status: response.status });
        return toScores(body, texts.length, model);
      } catch (error) {
        signal?.throwIfAborted();
        if (deadline.signal.aborted) throw failure('did not answer in time', { model, timeoutMs });
        if (error instanceof LagoonError) throw error;
        throw failure('cannot be reached', { model });
      }
    },
  };
}

async function readBody(response: Response, model: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > rerankLimits.answerBytesMax) throw failure('answered too much', { model });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function toScores(body: string, count: number, model: string): readonly (number | undefined)[] {
  const nonsense = (): LagoonError => failure('answered something else than scores', { model });
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    throw nonsense();
  }
  if (!isObject(answer) || !Array.isArray(answer.results)) throw nonsense();
  const scores = new Array<number | undefined>(count).fill(undefined);
  for (const result of answer.results) {
    if (!isObject(result)) throw nonsense();
    const { index, relevance_score: score } = result;
    if (typeof index !== 'number' || !(index in scores) || scores[index] !== undefined) throw nonsense();
    if (typeof score !== 'number' || !Number.isFinite(score)) throw nonsense();
    scores[index] = score;
  }
  return scores;
}

function failure(what: string, context: Readonly<Record<string, string | number>>): LagoonError {
  return new LagoonError('unavailable', `reranker ${what}`, { context });
}
