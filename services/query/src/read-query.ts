import { inPlace, invalidAt } from '@lagoon/base';
import { limits, queryLimits } from '@lagoon/format';
import {
  AggregateFunction,
  type Consistency,
  Consistency_Level,
  type Projection as ProjectionMessage,
  type QueryRequest,
  type RankBy as RankByMessage,
  type SparseRank,
  type VectorRank,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { ConsistencySpec, Projection, QuerySpec, RankBy } from '@lagoon/query';
import { readFilter } from '@lagoon/query-message';
import { readComputed } from './read-highlight.ts';
import { readScore, readText } from './read-score.ts';

/** A query as it came, as the engine's plain values; `invalid_argument` for messages that say nothing. */
export function readQuery(request: QueryRequest): QuerySpec {
  return {
    rankBy: request.aggregation === undefined ? readRankBy(request.rankBy) : readAggregation(request),
    ...(request.filter === undefined ? {} : { filter: readFilter(request.filter, 'filters') }),
    limit: request.limit,
    ...(request.limitPer === undefined
      ? {}
      : { limitPer: { attributes: request.limitPer.attributes, limit: request.limitPer.limit } }),
    projection: readProjection(request.projection),
    highlights: request.compute.map(readComputed),
    traced: request.traced,
  };
}

/** Queries of one instant. */
export function readQueries(requests: readonly QueryRequest[]): readonly QuerySpec[] {
  if (requests.length === 0 || requests.length > queryLimits.queryCountMax) {
    throw invalidAt('queries', 'wrong number of queries', { count: requests.length, max: queryLimits.queryCountMax });
  }
  return requests.map((request, i) => {
    const place = `queries[${i}].`;
    return { ...inPlace(place, () => readQuery(request)), place };
  });
}

/** Strong where nothing is said. */
export function readConsistency(message: Consistency | undefined): ConsistencySpec {
  const generationMin = Number(message?.minManifestGeneration ?? 0n);
  if (!Number.isSafeInteger(generationMin))
    throw invalidAt('consistency.min_manifest_generation', 'no generation is that large');
  if (message?.level === Consistency_Level.EVENTUAL) {
    return { level: 'eventual', stalenessMsMax: message.stalenessMsMax, generationMin };
  }
  return { level: 'strong', stalenessMsMax: 0, generationMin };
}

function readRankBy(message: RankByMessage | undefined): RankBy {
  const kind = message?.kind;
  switch (kind?.case) {
    case 'vector':
      return readVectorRank(kind.value);
    case 'text':
      return { kind: 'text', expression: readText(kind.value, 'rank_by') };
    case 'score':
      return { kind: 'text', expression: readScore(kind.value, 'rank_by') };
    case 'sparse':
      return readSparseRank(kind.value);
    case 'orderBy':
      return {
        kind: 'order',
        keys: kind.value.keys.map(({ attribute, descending }) => ({ attribute, descending })),
      };
    default:
      throw invalidAt('rank_by', 'expected a ranking, found nothing');
  }
}

function readAggregation({ aggregation, rankBy }: QueryRequest): RankBy {
  if (rankBy !== undefined) throw invalidAt('rank_by', 'does not go together with aggregate_by');
  const { aggregates = [], groupBy = [] } = aggregation ?? {};
  return {
    kind: 'aggregate',
    aggregates: aggregates.map(({ label, function: kind, attribute }) => ({
      kind: readAggregateFunction(kind, label),
      label,
      attribute,
    })),
    groupBy: groupBy.map(({ label, attribute, eachElement }) => ({ label, attribute, eachElement })),
  };
}

function readAggregateFunction(message: AggregateFunction, label: string): 'count' | 'sum' {
  if (message === AggregateFunction.COUNT) return 'count';
  if (message === AggregateFunction.SUM) return 'sum';
  throw invalidAt(`aggregate_by.${label}[0]`, 'unknown function of an aggregate', { found: message });
}

function readSparseRank({ attribute, query }: SparseRank): RankBy {
  const { dimensions = [], weights = [] } = query ?? {};
  if (dimensions.length !== weights.length)
    throw invalidAt('rank_by[2]', 'each dimension has one weight', { attribute });
  const entries = dimensions.map((dimension, i) => ({ dimension, weight: weights[i] as number }));
  return { kind: 'sparse', attribute, query: entries.sort((a, b) => a.dimension - b.dimension) };
}

export function readVectorRank({ attribute, query, exact, recall }: VectorRank): Extract<RankBy, { kind: 'vector' }> {
  if (query.length % 4 !== 0 || query.length > 4 * limits.dimensionsMax) {
    throw invalidAt('rank_by[2]', 'query vector is no packed f32', { attribute, bytes: query.length });
  }
  const vector = new Float32Array(query.length / 4);
  new Uint8Array(vector.buffer).set(query); // little-endian, as every machine that runs Node is
  return { kind: 'vector', attribute, query: vector, exact, ...(recall === 0 ? {} : { recall }) };
}

function readProjection(message: ProjectionMessage | undefined): Projection {
  const kind = message?.kind;
  switch (kind?.case) {
    case 'all':
      return { kind: kind.value ? 'all' : 'none' };
    case 'include':
    case 'exclude':
      return { kind: kind.case, names: kind.value.names };
    default:
      return { kind: 'none' };
  }
}
