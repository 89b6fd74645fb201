import { invalidArgument, unreachable } from '@lagoon/base';
import { limits } from '@lagoon/format';
import {
  AggregateFunction,
  type Comparison,
  type Consistency,
  Consistency_Level,
  type Filter as FilterMessage,
  ComparisonOperator as OperatorMessage,
  type Projection as ProjectionMessage,
  type QueryRequest,
  type RankBy as RankByMessage,
  type VectorRank,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import {
  type ComparisonOperator,
  type ConsistencySpec,
  type Filter,
  type Projection,
  type QuerySpec,
  queryLimits,
  type RankBy,
} from '@lagoon/query';
import { readScore, readText } from './read-score.ts';
import { readValue } from './read-value.ts';

/** A query as it came, as the engine's plain values; `invalid_argument` for messages that say nothing. */
export function readQuery(request: QueryRequest): QuerySpec {
  return {
    rankBy: request.aggregation === undefined ? readRankBy(request.rankBy) : readAggregation(request),
    ...(request.filter === undefined ? {} : { filter: readFilter(request.filter, 1) }),
    limit: request.limit,
    ...(request.limitPer === undefined
      ? {}
      : { limitPer: { attributes: request.limitPer.attributes, limit: request.limitPer.limit } }),
    projection: readProjection(request.projection),
  };
}

/** Queries of one instant. */
export function readQueries(requests: readonly QueryRequest[]): readonly QuerySpec[] {
  if (requests.length === 0 || requests.length > queryLimits.queryCountMax) {
    throw invalidArgument('wrong number of queries', { count: requests.length, max: queryLimits.queryCountMax });
  }
  return requests.map(readQuery);
}

/** Strong where nothing is said. */
export function readConsistency(message: Consistency | undefined): ConsistencySpec {
  const generationMin = Number(message?.minManifestGeneration ?? 0n);
  if (!Number.isSafeInteger(generationMin)) throw invalidArgument('no generation is that large');
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
      return { kind: 'text', expression: readText(kind.value) };
    case 'score':
      return { kind: 'text', expression: readScore(kind.value, (filter) => readFilter(filter, 1)) };
    case 'orderBy':
      return {
        kind: 'order',
        keys: kind.value.keys.map(({ attribute, descending }) => ({ attribute, descending })),
      };
    default:
      throw invalidArgument('a query has a rank_by');
  }
}

function readAggregation({ aggregation, rankBy }: QueryRequest): RankBy {
  if (rankBy !== undefined) throw invalidArgument('a query has either a rank_by or an aggregation');
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
  throw invalidArgument('unknown function of an aggregate', { aggregate: label, function: message });
}

function readVectorRank({ attribute, query, exact }: VectorRank): RankBy {
  if (query.length % 4 !== 0 || query.length > 4 * limits.dimensionsMax) {
    throw invalidArgument('query vector is no packed f32', { attribute, bytes: query.length });
  }
  const vector = new Float32Array(query.length / 4);
  new Uint8Array(vector.buffer).set(query); // little-endian, as every machine that runs Node is
  return { kind: 'vector', attribute, query: vector, exact };
}

function readFilter(message: FilterMessage, depth: number): Filter {
  if (depth > queryLimits.filterDepthMax) {
    throw invalidArgument('filter is nested too deeply', { depthMax: queryLimits.filterDepthMax });
  }
  const { kind } = message;
  switch (kind.case) {
    case 'and':
    case 'or':
      return { kind: kind.case, filters: kind.value.filters.map((inner) => readFilter(inner, depth + 1)) };
    case 'not':
      return { kind: 'not', filter: readFilter(kind.value, depth + 1) };
    case 'comparison':
      return readComparison(kind.value);
    case undefined:
      throw invalidArgument('a filter says what it compares');
    default:
      return unreachable(kind, 'filter');
  }
}

function readComparison({ attribute, operator, values }: Comparison): Filter {
  return {
    kind: 'comparison',
    attribute,
    operator: readOperator(operator, attribute),
    values: values.map((value) => readValue(value)),
  };
}

function readOperator(operator: OperatorMessage, attribute: string): ComparisonOperator {
  switch (operator) {
    case OperatorMessage.EQ:
      return 'eq';
    case OperatorMessage.NOT_EQ:
      return 'notEq';
    case OperatorMessage.IN:
      return 'in';
    case OperatorMessage.NOT_IN:
      return 'notIn';
    case OperatorMessage.LT:
      return 'lt';
    case OperatorMessage.LTE:
      return 'lte';
    case OperatorMessage.GT:
      return 'gt';
    case OperatorMessage.GTE:
      return 'gte';
    default:
      throw invalidArgument('unknown operator in a filter', { attribute, operator });
  }
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
