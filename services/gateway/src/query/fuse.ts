import { create } from '@bufbuild/protobuf';
import { compareBytes, invalidAt, saturated, utf8Encode } from '@lagoon/base';
import {
  type Fusion,
  type MultiQueryResponse,
  MultiQueryResponseSchema,
  Normalization,
  type QueryRequest,
  type QueryResponse,
  type QueryStatistics,
  QueryStatisticsSchema,
  type ReciprocalRankFusion,
  type ResultRow,
  type WeightedSum,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { Id } from '@lagoon/proto/lagoon/v1/value_pb.js';

/** Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet (2009). */
const rankConstantDefault = 60;

/**
 * The answers of several queries as one list: rows by descending fused score, equal ones by id; each as the first query that
 * found it answered it.
 */
export function fuse(
  queries: readonly QueryRequest[],
  answers: MultiQueryResponse,
  fusion: Fusion,
): MultiQueryResponse {
  checkFusion(queries, fusion);
  const fused = new Map<string, ResultRow>();
  for (const [i, { rows }] of answers.results.entries()) {
    const scoreOf = scorer(fusion, queries[i] as QueryRequest, i, rows);
    for (const [position, row] of rows.entries()) {
      const key = keyOf(row.id);
      const known = fused.get(key);
      if (known === undefined) fused.set(key, { ...row, dist: scoreOf(row, position) });
      else known.dist = saturated((known.dist ?? 0) + scoreOf(row, position));
    }
  }
  const rows = [...fused.values()].sort((a, b) => (b.dist ?? 0) - (a.dist ?? 0) || compareIds(a.id, b.id));
  const [first] = answers.results;
  if (first === undefined) throw invalidAt('queries', 'there is no query to fuse');
  const statistics = sumStatistics(answers.results);
  return create(MultiQueryResponseSchema, {
    results: [{ ...first, rows: rows.slice(0, fusion.limit), statistics }],
    manifestGeneration: answers.manifestGeneration,
  });
}

/** Of all queries of one answer. They ran side by side: the longest counts. */
export function sumStatistics(results: readonly QueryResponse[]): QueryStatistics {
  const sum = create(QueryStatisticsSchema, { exact: true });
  for (const { statistics } of results) {
    if (statistics === undefined) continue;
    sum.exact &&= statistics.exact;
    sum.scoredRowCount += statistics.scoredRowCount;
    sum.exhaustiveRowCount += statistics.exhaustiveRowCount;
    sum.rowCount = statistics.rowCount;
    sum.prunedSegmentCount += statistics.prunedSegmentCount;
    sum.storeRequestCount += statistics.storeRequestCount;
    sum.storeBytes += statistics.storeBytes;
    sum.cacheHitCount += statistics.cacheHitCount;
    sum.cacheMissCount += statistics.cacheMissCount;
    sum.executionMs = Math.max(sum.executionMs, statistics.executionMs);
  }
  return sum;
}

/** What is refused before any query runs. */
export function checkFusion(queries: readonly QueryRequest[], { kind }: Fusion): void {
  if (kind.case === undefined) throw invalidAt('rerank_by', 'a fusion says how');
  const weights = kind.case === 'model' ? [] : kind.value.weights;
  if (weights.length > 0 && weights.length !== queries.length) {
    throw invalidAt('rerank_by[1].weights', 'there is one weight per query', {
      weights: weights.length,
      queries: queries.length,
    });
  }
  const wrong = weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
  if (wrong >= 0) {
    throw invalidAt(`rerank_by[1].weights[${wrong}]`, 'a weight is not negative and finite', { found: weights[wrong] });
  }
  if (kind.case === 'reciprocalRank' && !(kind.value.rankConstant >= 0 && kind.value.rankConstant < Infinity)) {
    throw invalidAt('rerank_by[1].rank_constant', 'the rank constant is above 0', { found: kind.value.rankConstant });
  }
  for (const [i, { aggregation, rankBy }] of queries.entries()) {
    if (aggregation !== undefined) throw invalidAt(`queries[${i}].aggregate_by`, 'an aggregation has no rows to fuse');
    if (kind.case === 'weightedSum' && rankBy?.kind.case === 'orderBy') {
      throw invalidAt(`queries[${i}].rank_by`, 'rows by order have no score to sum up: use RRF');
    }
  }
}

type Scorer = (row: ResultRow, position: number) => number;

function scorer({ kind }: Fusion, query: QueryRequest, index: number, rows: readonly ResultRow[]): Scorer {
  if (kind.case === 'reciprocalRank') return rankScorer(kind.value, index);
  if (kind.case === 'weightedSum') return sumScorer(kind.value, query, index, rows);
  throw invalidAt('rerank_by', 'a fusion says how');
}

function rankScorer({ rankConstant, weights }: ReciprocalRankFusion, index: number): Scorer {
  const constant = rankConstant === 0 ? rankConstantDefault : rankConstant;
  const weight = weights[index] ?? 1;
  return (_row, position) => saturated(weight / (constant + position + 1));
}

function sumScorer(
  { weights, normalization }: WeightedSum,
  { rankBy }: QueryRequest,
  index: number,
  rows: readonly ResultRow[],
): Scorer {
  const sign = rankBy?.kind.case === 'vector' ? -1 : 1;
  const scoreOf = (row: ResultRow) => sign * (row.dist ?? 0);
  const normalize = normalizer(normalization, rows.map(scoreOf));
  const weight = weights[index] ?? 1;
  return (row) => saturated(weight * normalize(scoreOf(row)));
}

/** Squares of thousands of smaller numbers have a finite sum. */
const squareMax = 1e150;

/** Rows that are all alike are all the best ones. */
function normalizer(normalization: Normalization, scores: readonly number[]): (score: number) => number {
  if (normalization === Normalization.NONE) return (score) => score;
  if (normalization === Normalization.Z_SCORE) {
    const largest = scores.reduce((most, score) => Math.max(most, Math.abs(score)), 0);
    const scale = largest > squareMax ? largest : 1;
    const mean = scores.reduce((sum, score) => sum + score / scale, 0) / scores.length;
    const variance = scores.reduce((sum, score) => sum + (score / scale - mean) ** 2, 0) / scores.length;
    const deviation = Math.sqrt(variance);
    return (score) => (deviation === 0 ? 0 : (score / scale - mean) / deviation);
  }
  const worst = scores.reduce((least, score) => Math.min(least, score), Infinity);
  const best = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  return (score) => (best === worst ? 1 : (score - worst) / (best - worst));
}

function keyOf(id: Id | undefined): string {
  const kind = id?.kind;
  return kind?.case === 'uuid' ? Buffer.from(kind.value).toString('hex') : `${kind?.value}`;
}

/** A namespace has ids of one kind. */
function compareIds(a: Id | undefined, b: Id | undefined): number {
  const [x, y] = [a?.kind.value, b?.kind.value];
  if (typeof x === 'bigint' && typeof y === 'bigint') return x < y ? -1 : x > y ? 1 : 0;
  const bytesOf = (value: typeof x) => (value instanceof Uint8Array ? value : utf8Encode(String(value)));
  return compareBytes(bytesOf(x), bytesOf(y));
}
