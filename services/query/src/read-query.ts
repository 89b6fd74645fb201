import { inPlace, invalidAt } from '@lagoon/base';
import { queryLimits } from '@lagoon/format';
import {
  AggregateFunction,
  type Consistency,
  Consistency_Level,
  type Projection as ProjectionMessage,
  type QueryRequest,
  type RankBy as RankByMessage,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { ConsistencySpec, Projection, QuerySpec, RankBy } from '@lagoon/query';
import { readFilter } from '@lagoon/query-message';
import { readComputed } from './read-computed.ts';
import { readSparseRank, readVectorRank } from './read-rank.ts';
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
    ...readComputed(request.compute),
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
      return readVectorRank(kind.value, 'rank_by');
    case 'text':
      return { kind: 'text', expression: readText(kind.value, 'rank_by') };
    case 'score':
      return { kind: 'text', expression: readScore(kind.value, 'rank_by') };
    case 'sparse':
      return readSparseRank(kind.value, 'rank_by');
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
