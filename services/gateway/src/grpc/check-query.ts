import { inPlace } from '@lagoon/base';
import { limits, queryLimits } from '@lagoon/format';
import {
  type Aggregation,
  ComparisonOperator,
  type ComputedAttribute,
  type Filter,
  type MultiQueryRequest,
  type QueryRequest,
  type RankBy,
  type ScoreExpression,
  type TextRank,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import { wrongValue } from '../json/shape.ts';
import { takesList } from '../query/parse-filter.ts';
import { checkAttributeName } from '../write/names.ts';
import { readSparseMessage } from '../write/sparse-values.ts';
import { readVector } from '../write/vector-values.ts';

/** The bounds that the HTTP parser keeps while it reads, for a query that comes as a message. */
export function checkQuery(request: QueryRequest): void {
  if (request.limit < 1 || request.limit > limits.topKMax) {
    throw wrongValue('limit', 'out of range', { found: request.limit, max: limits.topKMax });
  }
  if (request.aggregation === undefined) checkRankBy(request.rankBy);
  else checkAggregation(request.aggregation);
  if (request.filter !== undefined) checkFilter(request.filter, 'filter');
  checkComputed(request.compute);
}

export function checkMultiQuery({ queries, fusion }: MultiQueryRequest): void {
  if (queries.length === 0 || queries.length > queryLimits.queryCountMax) {
    throw wrongValue('queries', 'too few or too many queries', {
      found: queries.length,
      max: queryLimits.queryCountMax,
    });
  }
  for (const [i, query] of queries.entries()) {
    if (query.consistency !== undefined)
      throw wrongValue(`queries[${i}].consistency`, 'queries of one instant have one consistency');
    if (query.disableCache) throw wrongValue(`queries[${i}].disable_cache`, 'goes beside queries');
    inPlace(`queries[${i}].`, () => checkQuery(query));
  }
  if (fusion === undefined) return;
  if (fusion.limit < 1 || fusion.limit > limits.topKMax) {
    throw wrongValue('fusion.limit', 'out of range', { found: fusion.limit, max: limits.topKMax });
  }
}

function checkAggregation({ aggregates, groupBy }: Aggregation): void {
  const { aggregateCountMax, groupKeyCountMax } = queryLimits;
  if (aggregates.length >= 1 && aggregates.length <= aggregateCountMax && groupBy.length <= groupKeyCountMax) return;
  throw wrongValue('aggregation', 'too few or too many aggregates or group keys', {
    aggregates: aggregates.length,
    groupKeys: groupBy.length,
  });
}

function checkRankBy(rankBy: RankBy | undefined): void {
  const kind = rankBy?.kind;
  switch (kind?.case) {
    case 'vector':
      readVector(kind.value.query, 'rank_by.vector.query');
      return;
    case 'text':
      checkText(kind.value, 'rank_by.text');
      return;
    case 'score':
      checkScore(kind.value, 'rank_by.score', { nodeCount: 0 }, 1);
      return;
    case 'sparse':
      readSparseMessage(kind.value.query, 'rank_by.sparse.query');
      return;
    case 'orderBy': {
      const found = kind.value.keys.length;
      if (found >= 1 && found <= queryLimits.orderKeyCountMax) return;
      throw wrongValue('rank_by.order_by', 'too few or too many attributes to order by', {
        found,
        max: queryLimits.orderKeyCountMax,
      });
    }
    default:
      throw wrongValue('rank_by', 'expected a ranking, found nothing');
  }
}

function checkComputed(compute: readonly ComputedAttribute[]): void {
  if (compute.length > queryLimits.highlightCountMax)
    throw wrongValue('compute', 'too many computed attributes', { found: compute.length });
  for (const [i, { name, kind }] of compute.entries()) {
    checkAttributeName(name, `compute[${i}].name`);
    checkComputedKind(kind, name, `compute[${i}]`);
  }
}

function checkComputedKind(kind: ComputedAttribute['kind'], name: string, path: string): void {
  switch (kind.case) {
    case 'highlight': {
      const { wordsOf } = kind.value;
      if (wordsOf !== undefined) checkScore(wordsOf, `${path}.highlight.words_of`, { nodeCount: 0 }, 1);
      return;
    }
    case 'score':
      checkScore(kind.value, `${path}.score`, { nodeCount: 0 }, 1);
      return;
    case 'distance':
      readVector(kind.value.query, `${path}.distance.query`);
      return;
    case 'product':
      readSparseMessage(kind.value.query, `${path}.product.query`);
      return;
    default:
      throw wrongValue(path, 'a computed attribute says nothing', { name });
  }
}

function checkText({ query, tokens }: TextRank, path: string): void {
  const { queryTextBytesMax: bytesMax, queryTermCountMax: countMax } = queryLimits;
  const bytes = tokens.reduce((sum, token) => sum + Buffer.byteLength(token), Buffer.byteLength(query));
  if (bytes <= bytesMax && tokens.length <= countMax) return;
  throw wrongValue(path, 'the query text is too long', { bytes, bytesMax, countMax });
}

function checkScore(
  score: ScoreExpression | undefined,
  path: string,
  budget: { nodeCount: number },
  depth: number,
): void {
  if (depth > queryLimits.scoreDepthMax || ++budget.nodeCount > queryLimits.scoreNodeCountMax) {
    throw wrongValue(path, 'the expression is too deep or has too many parts');
  }
  const kind = score?.kind;
  switch (kind?.case) {
    case 'text':
      checkText(kind.value, path);
      return;
    case 'sum':
    case 'max':
      for (const [i, part] of kind.value.parts.entries()) {
        checkScore(part, `${path}.${kind.case}[${i}]`, budget, depth + 1);
      }
      return;
    case 'filter':
      checkFilter(kind.value, `${path}.filter`);
      return;
    case 'attribute':
      return;
    case 'product':
    case 'saturate':
    case 'decay':
    case 'dist':
      checkScore(kind.value.part, `${path}.${kind.case}.part`, budget, depth + 1);
      return;
    default:
      throw wrongValue(path, 'the expression is empty');
  }
}

/** The bounds of size; whether the rest of it means something is checked where it is read. */
export function checkFilter(filter: Filter, path: string): void {
  checkNode(filter, path, { nodeCount: 0, valueCount: 0 }, 1);
}

function checkNode(
  filter: Filter,
  path: string,
  budget: { nodeCount: number; valueCount: number },
  depth: number,
): void {
  if (depth > queryLimits.filterDepthMax || ++budget.nodeCount > queryLimits.filterNodeCountMax) {
    throw wrongValue(path, 'the filter is too deep or has too many parts');
  }
  const kind = filter.kind;
  switch (kind.case) {
    case 'and':
    case 'or':
      for (const [i, part] of kind.value.filters.entries()) {
        checkNode(part, `${path}.${kind.case}[${i}]`, budget, depth + 1);
      }
      return;
    case 'not':
      checkNode(kind.value, `${path}.not`, budget, depth + 1);
      return;
    case 'comparison': {
      const { operator, values } = kind.value;
      if (operator === ComparisonOperator.UNSPECIFIED) throw wrongValue(path, 'the comparison has no operator');
      budget.valueCount += values.length;
      const isTooMuch = budget.valueCount > queryLimits.filterValueCountMax;
      if (!isTooMuch && (takesList(operator) ? values.length <= queryLimits.inValueCountMax : values.length === 1))
        return;
      throw wrongValue(path, 'the comparison has too few or too many values', { found: values.length });
    }
    case 'pattern':
    case 'fuzzy':
    case 'tokens':
      return;
    default:
      throw wrongValue(path, 'the filter is empty');
  }
}
