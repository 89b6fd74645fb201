import { create } from '@bufbuild/protobuf';
import { type Clock, invalidAt, LagoonError } from '@lagoon/base';
import {
  FusionSchema,
  type ModelRerank,
  type MultiQueryRequest,
  type MultiQueryResponse,
  type Projection,
  ProjectionSchema,
  type RerankOutcome,
  RerankOutcomeSchema,
  type ResultRow,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import { fuse } from '../query/fuse.ts';
import { type Reranker, rerankLimits } from './reranker.ts';

export interface RerankDeps {
  readonly clock: Clock;
  readonly reranker: Reranker;
}

/** Refused before any query runs. */
export function checkRerank({ models }: Reranker, { model, attribute, query }: ModelRerank): void {
  if (!models.includes(model)) {
    throw invalidAt('rerank_by.model', 'no such reranker', {
      model,
      configured: models.length === 0 ? 'none' : models.join(', '),
    });
  }
  const bytes = Buffer.byteLength(query);
  if (bytes > rerankLimits.queryBytesMax) {
    throw invalidAt('rerank_by.query', 'the query text is too long', { bytes, bytesMax: rerankLimits.queryBytesMax });
  }
  if (attribute === '') throw invalidAt('rerank_by.attribute', 'a reranker needs an attribute');
  if (query === '') throw invalidAt('rerank_by.query', 'a reranker needs a query');
}

/** The queries with the reranked attribute among what they answer. */
export function askingFor(request: MultiQueryRequest, attribute: string): MultiQueryRequest {
  const queries = request.queries.map((query) => ({ ...query, projection: including(query.projection, attribute) }));
  return { ...request, queries };
}

function including(projection: Projection | undefined, attribute: string): Projection {
  const kind = projection?.kind;
  if (projection !== undefined && answers(projection, attribute)) return projection;
  const names = kind?.case === 'include' ? [...kind.value.names, attribute] : [attribute];
  if (kind?.case !== 'exclude') return create(ProjectionSchema, { kind: { case: 'include', value: { names } } });
  const kept = kind.value.names.filter((name) => name !== attribute);
  return create(ProjectionSchema, { kind: { case: 'exclude', value: { names: kept } } });
}

function answers({ kind }: Projection, attribute: string): boolean {
  if (kind.case === 'all') return kind.value;
  if (kind.case === 'include') return kind.value.names.includes(attribute);
  return kind.case === 'exclude' && !kind.value.names.includes(attribute);
}

/**
 * The list that reciprocal ranks make of the queries, in the order of the model's scores; where the model fails, as it is, and
 * the answer says so. Rows without a text, or without a score, come last in their fused order.
 */
export async function rerank(
  { clock, reranker }: RerankDeps,
  request: MultiQueryRequest,
  answersOf: MultiQueryResponse,
  { model, query, attribute }: ModelRerank,
  limit: number,
  signal?: AbortSignal,
): Promise<MultiQueryResponse> {
  const startedMs = clock.monotonicMs();
  const kind = { case: 'reciprocalRank' as const, value: {} };
  const fusion = create(FusionSchema, { kind, limit: Math.max(limit, rerankLimits.documentCountMax) });
  const fused = fuse(request.queries, answersOf, fusion);
  const [list] = fused.results;
  if (list === undefined) return fused;
  const candidates = list.rows.slice(0, rerankLimits.documentCountMax);
  const texts = candidates.map((row) => textOf(row, attribute));
  const given = texts.filter((text) => text !== undefined);
  const outcome = (applied: boolean, reason: string): RerankOutcome =>
    create(RerankOutcomeSchema, {
      model,
      applied,
      reason,
      documentCount: given.length,
      durationMs: clock.monotonicMs() - startedMs,
    });
  const finish = (rows: readonly ResultRow[], told: RerankOutcome): MultiQueryResponse => ({
    ...fused,
    results: [{ ...list, rows: stripped(request, answersOf, rows.slice(0, limit), attribute) }],
    rerank: told,
  });
  const size = given.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (size > rerankLimits.textBytesMax) {
    return finish(list.rows, outcome(false, `the texts have ${size} bytes, more than ${rerankLimits.textBytesMax}`));
  }
  try {
    const scores = given.length === 0 ? [] : await reranker.score(model, query, given, signal);
    return finish(ordered(list.rows, texts, scores), outcome(true, ''));
  } catch (error) {
    if (!(error instanceof LagoonError) || error.code !== 'unavailable') throw error;
    signal?.throwIfAborted();
    return finish(list.rows, outcome(false, error.message));
  }
}

function textOf(row: ResultRow, attribute: string): string | undefined {
  const kind = row.attributes.find(({ name }) => name === attribute)?.value?.kind;
  if (kind?.case === undefined) return undefined;
  if (kind.case === 'stringValue') return kind.value;
  throw invalidAt('rerank_by.attribute', 'a reranker takes the texts of a string attribute', { attribute });
}

function ordered(
  rows: readonly ResultRow[],
  texts: readonly (string | undefined)[],
  scores: readonly (number | undefined)[],
): readonly ResultRow[] {
  let next = 0;
  const scored = rows.map((row, position) => {
    const score = texts[position] === undefined ? undefined : scores[next++];
    return { row, position, score };
  });
  scored.sort((a, b) => (b.score ?? -Infinity) - (a.score ?? -Infinity) || a.position - b.position);
  return scored.map(({ row, score }) => {
    const { dist: _fused, ...rest } = row;
    return score === undefined ? rest : { ...rest, dist: score };
  });
}

/** Without the attribute where the query that a row is of did not ask for it. */
function stripped(
  { queries }: MultiQueryRequest,
  { results }: MultiQueryResponse,
  rows: readonly ResultRow[],
  attribute: string,
): ResultRow[] {
  const isAsked = queries.map(({ projection }) => projection !== undefined && answers(projection, attribute));
  if (isAsked.every((asked) => asked)) return [...rows];
  const sources = new Map<ResultRow['attributes'], number>();
  for (const [i, { rows: found }] of results.entries()) for (const row of found) sources.set(row.attributes, i);
  return rows.map((row) => {
    if (isAsked[sources.get(row.attributes) ?? 0] === true) return row;
    return { ...row, attributes: row.attributes.filter(({ name }) => name !== attribute) };
  });
}
