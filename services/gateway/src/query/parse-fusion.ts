import type { MessageInitShape } from '@bufbuild/protobuf';
import { type FusionSchema, Normalization } from '@lagoon/proto/lagoon/v1/query_pb.js';
import {
  asArray,
  asFiniteNumber,
  asObject,
  asOneOf,
  asString,
  isObject,
  type JsonObject,
  refuseUnknownFields,
  wrongValue,
} from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';

type FusionInit = MessageInitShape<typeof FusionSchema>;

const normalizations = {
  none: Normalization.NONE,
  min_max: Normalization.MIN_MAX,
  z_score: Normalization.Z_SCORE,
} as const;

/** `rerank_by`: how the lists of several queries become one. `limit` counts the rows that an offset skips. */
export function parseFusion(value: unknown, queryCount: number, limit: number): FusionInit {
  if (isObject(value)) return { kind: { case: 'model', value: parseModel(value) }, limit };
  const parts = asArray(value, 'rerank_by', '["RRF"], ["RRF", {…}], ["WeightedSum", {…}] or {model, query, attribute}');
  const name = asOneOf(parts[0], 'rerank_by[0]', ['RRF', 'WeightedSum']);
  if (parts.length > 2) throw wrongValue('rerank_by', 'expected one or two parts', { found: parts.length });
  const options = isGiven(parts[1]) ? asObject(parts[1], 'rerank_by[1]') : {};
  if (name === 'RRF') return { kind: { case: 'reciprocalRank', value: parseRrf(options, queryCount) }, limit };
  return { kind: { case: 'weightedSum', value: parseWeightedSum(options, queryCount) }, limit };
}

const modelFields = new Set(['model', 'query', 'attribute']);

function parseModel(value: JsonObject) {
  refuseUnknownFields(value, 'rerank_by', modelFields);
  return {
    model: asString(value.model, 'rerank_by.model', 'the name of a configured reranker'),
    query: asString(value.query, 'rerank_by.query', 'a query text'),
    attribute: asString(value.attribute, 'rerank_by.attribute', 'the name of an attribute'),
  };
}

const rrfFields = new Set(['rank_constant', 'weights']);

function parseRrf(options: JsonObject, queryCount: number) {
  refuseUnknownFields(options, 'rerank_by[1]', rrfFields);
  return {
    ...(isGiven(options.rank_constant) ? { rankConstant: parseRankConstant(options.rank_constant) } : {}),
    weights: parseWeights(options.weights, queryCount),
  };
}

function parseRankConstant(value: unknown): number {
  const path = 'rerank_by[1].rank_constant';
  const constant = asFiniteNumber(value, path);
  if (constant <= 0) throw wrongValue(path, 'must be above 0', { found: constant });
  return constant;
}

const weightedSumFields = new Set(['weights', 'normalize']);

function parseWeightedSum(options: JsonObject, queryCount: number) {
  refuseUnknownFields(options, 'rerank_by[1]', weightedSumFields);
  const names = Object.keys(normalizations) as (keyof typeof normalizations)[];
  const normalize = isGiven(options.normalize)
    ? asOneOf(asString(options.normalize, 'rerank_by[1].normalize'), 'rerank_by[1].normalize', names)
    : 'min_max';
  return { weights: parseWeights(options.weights, queryCount), normalization: normalizations[normalize] };
}

function parseWeights(value: unknown, queryCount: number): number[] {
  if (!isGiven(value)) return [];
  const path = 'rerank_by[1].weights';
  const weights = asArray(value, path, 'an array of numbers').map((one, i) => asFiniteNumber(one, `${path}[${i}]`));
  if (weights.length !== queryCount) {
    throw wrongValue(path, 'there is one weight per query', { found: weights.length, queries: queryCount });
  }
  const negative = weights.findIndex((weight) => weight < 0);
  if (negative >= 0) throw wrongValue(`${path}[${negative}]`, 'must not be negative');
  return weights;
}
