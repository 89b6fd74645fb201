import type { MessageInitShape } from '@bufbuild/protobuf';
import { unimplemented } from '@lagoon/base';
import { limits } from '@lagoon/format';
import {
  type AggregationSchema,
  Consistency_Level,
  type ConsistencySchema,
  type LimitPerSchema,
  type ProjectionSchema,
  type QueryRequestSchema,
  type RankBySchema,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import {
  asArray,
  asBoolean,
  asFiniteNumber,
  asInteger,
  asObject,
  asOneOf,
  asString,
  isObject,
  type JsonObject,
  refuseUnknownFields,
  wrongShape,
  wrongValue,
} from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';
import { parseAggregation } from './parse-aggregation.ts';
import { parseComputed } from './parse-computed.ts';
import { parseFilter } from './parse-filter.ts';
import { parseRankBy } from './parse-rank-by.ts';

export interface ParsedQuery {
  /** `limit` counts the rows that `offset` skips. */
  readonly request: MessageInitShape<typeof QueryRequestSchema>;
  readonly offset: number;
  readonly vectorEncoding: 'float' | 'base64';
  readonly profile: boolean;
}

const servedFields = [
  'rank_by',
  'filters',
  'limit',
  'top_k',
  'offset',
  'include_attributes',
  'exclude_attributes',
  'consistency',
  'vector_encoding',
  'profile',
  'aggregate_by',
  'group_by',
  'rerank_by',
  'compute_attributes',
  'recall',
  'disable_cache',
] as const;

const unservedFields = ['distance_metric'] as const;

const knownFields: ReadonlySet<string> = new Set([...servedFields, ...unservedFields]);

const limitDefault = 10;

/** A body without `queries`; `rerank_by` goes beside these. */
export function parseQuery(value: unknown, namespace: string): ParsedQuery {
  const body = asObject(value, 'body');
  refuseUnknownFields(body, '', knownFields);
  refuseUnserved(body);
  if (isGiven(body.rerank_by)) throw wrongValue('rerank_by', 'goes with queries: one list needs no fusion');
  const ranked = isGiven(body.aggregate_by) ? { aggregation: parseNumbers(body) } : { rankBy: parseRank(body) };
  const { offset, limit } = parseRange(body);
  const profile = isGiven(body.profile) && asBoolean(body.profile, 'profile');
  return {
    request: {
      namespace,
      ...ranked,
      ...(isGiven(body.filters) ? { filter: parseFilter(body.filters, 'filters') } : {}),
      limit,
      ...parseLimitPer(body),
      projection: parseProjection(body),
      ...(isGiven(body.compute_attributes)
        ? { compute: parseComputed(body.compute_attributes, 'compute_attributes') }
        : {}),
      consistency: parseConsistency(body.consistency),
      traced: profile,
      disableCache: parseDisableCache(body),
    },
    offset,
    vectorEncoding: asOneOf(body.vector_encoding ?? 'float', 'vector_encoding', ['float', 'base64']),
    profile,
  };
}

export function parseDisableCache({ disable_cache: value }: JsonObject): boolean {
  return isGiven(value) && asBoolean(value, 'disable_cache');
}

function parseRank(body: JsonObject): MessageInitShape<typeof RankBySchema> {
  if (!isGiven(body.rank_by)) throw wrongShape('rank_by', 'an array as [attribute, "ANN", vector]', body.rank_by);
  if (isGiven(body.group_by)) throw wrongValue('group_by', 'only goes with aggregate_by');
  const rankBy = parseRankBy(body.rank_by, 'rank_by');
  return isGiven(body.recall) ? withRecall(rankBy, body.recall) : rankBy;
}

function withRecall(
  rankBy: MessageInitShape<typeof RankBySchema>,
  value: unknown,
): MessageInitShape<typeof RankBySchema> {
  const recall = asFiniteNumber(value, 'recall');
  if (recall <= 0 || recall > 1) throw wrongValue('recall', 'must be above 0 and at most 1', { found: recall });
  const { kind } = rankBy;
  if (kind?.case !== 'vector' || kind.value.exact === true) throw wrongValue('recall', 'only goes with ANN');
  return { kind: { case: 'vector', value: { ...kind.value, recall } } };
}

function parseNumbers(body: JsonObject): MessageInitShape<typeof AggregationSchema> {
  for (const name of ['rank_by', 'offset', 'include_attributes', 'exclude_attributes', 'compute_attributes'] as const) {
    if (isGiven(body[name])) throw wrongValue(name, 'does not go together with aggregate_by');
  }
  return parseAggregation(body);
}

/** How many rows to skip, and how many to find with these. All groups of an aggregation, unless it says fewer. */
export function parseRange(body: JsonObject): { readonly offset: number; readonly limit: number } {
  const offset = isGiven(body.offset) ? asInteger(body.offset, 'offset', 0, limits.topKMax) : 0;
  const limit = (parseLimit(body) ?? (isGiven(body.aggregate_by) ? limits.topKMax : limitDefault)) + offset;
  if (limit > limits.topKMax)
    throw wrongValue('offset', 'offset and limit together are too large', { max: limits.topKMax });
  return { offset, limit };
}

function refuseUnserved(body: JsonObject): void {
  for (const name of unservedFields) {
    if (isGiven(body[name])) throw unimplemented(`${name} in a query`);
  }
}

const limitFields = new Set(['total', 'per']);

function parseLimit(body: JsonObject): number | undefined {
  if (isGiven(body.limit) && isGiven(body.top_k))
    throw wrongValue('top_k', 'is another name of limit: give one of them');
  if (isGiven(body.top_k)) return asInteger(body.top_k, 'top_k', 1, limits.topKMax);
  if (!isGiven(body.limit)) return undefined;
  if (!isObject(body.limit)) return asInteger(body.limit, 'limit', 1, limits.topKMax);
  refuseUnknownFields(body.limit, 'limit', limitFields);
  return asInteger(body.limit.total, 'limit.total', 1, limits.topKMax);
}

const limitPerFields = new Set(['attributes', 'limit']);

function parseLimitPer({ limit }: JsonObject): { readonly limitPer?: MessageInitShape<typeof LimitPerSchema> } {
  if (!isObject(limit) || !isGiven(limit.per)) return {};
  const per = asObject(limit.per, 'limit.per');
  refuseUnknownFields(per, 'limit.per', limitPerFields);
  const attributes = asArray(per.attributes, 'limit.per.attributes', 'an array of names').map((name, i) =>
    asString(name, `limit.per.attributes[${i}]`, 'the name of an attribute'),
  );
  return { limitPer: { attributes, limit: asInteger(per.limit, 'limit.per.limit', 1, limits.topKMax) } };
}

function parseProjection(body: JsonObject): MessageInitShape<typeof ProjectionSchema> {
  const include = body.include_attributes;
  if (isGiven(body.exclude_attributes)) {
    if (isGiven(include) && include !== true) {
      throw wrongValue('exclude_attributes', 'does not go together with include_attributes');
    }
    return { kind: { case: 'exclude', value: { names: parseNames(body.exclude_attributes, 'exclude_attributes') } } };
  }
  if (!isGiven(include)) return { kind: { case: 'all', value: false } };
  if (typeof include === 'boolean') return { kind: { case: 'all', value: include } };
  if (!Array.isArray(include)) throw wrongShape('include_attributes', 'a boolean or an array of names', include);
  return { kind: { case: 'include', value: { names: parseNames(include, 'include_attributes') } } };
}

function parseNames(value: unknown, path: string): string[] {
  const names = asArray(value, path, 'an array of names');
  if (names.length > limits.attributeCountMax + 1) {
    throw wrongValue(path, 'too many names', { found: names.length, max: limits.attributeCountMax });
  }
  return names.map((name, index) => asString(name, `${path}[${index}]`, 'the name of an attribute'));
}

const consistencyFields = new Set(['level', 'max_staleness_seconds', 'min_manifest_generation']);
const stalenessSecondsDefault = 60;
const stalenessSecondsMax = 7 * 24 * 3600;

export function parseConsistency(value: unknown): MessageInitShape<typeof ConsistencySchema> {
  if (!isGiven(value)) return { level: Consistency_Level.STRONG };
  const object = asObject(value, 'consistency');
  refuseUnknownFields(object, 'consistency', consistencyFields);
  const level = asOneOf(object.level ?? 'strong', 'consistency.level', ['strong', 'eventual']);
  const minManifestGeneration = parseGeneration(object.min_manifest_generation);
  if (level === 'strong') {
    if (isGiven(object.max_staleness_seconds)) {
      throw wrongValue('consistency.max_staleness_seconds', 'only goes with the level eventual');
    }
    return { level: Consistency_Level.STRONG, minManifestGeneration };
  }
  const path = 'consistency.max_staleness_seconds';
  const seconds = isGiven(object.max_staleness_seconds)
    ? asFiniteNumber(object.max_staleness_seconds, path)
    : stalenessSecondsDefault;
  if (seconds < 0 || seconds > stalenessSecondsMax) {
    throw wrongValue(path, `must be from 0 to ${stalenessSecondsMax}`, { found: seconds });
  }
  return { level: Consistency_Level.EVENTUAL, stalenessMsMax: Math.round(seconds * 1000), minManifestGeneration };
}

function parseGeneration(value: unknown): bigint {
  if (!isGiven(value)) return 0n;
  const path = 'consistency.min_manifest_generation';
  if (typeof value === 'bigint') throw wrongValue(path, 'no generation is that large', { found: value });
  return BigInt(asInteger(value, path, 0, Number.MAX_SAFE_INTEGER));
}
