import type { MessageInitShape } from '@bufbuild/protobuf';
import { inPlace } from '@lagoon/base';
import { queryLimits } from '@lagoon/format';
import type { MultiQueryRequestSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { asArray, asObject, isObject, refuseUnknownFields, wrongValue } from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';
import { parseFusion } from './parse-fusion.ts';
import { type ParsedQuery, parseConsistency, parseDisableCache, parseQuery, parseRange } from './parse-query.ts';

export interface ParsedMultiQuery {
  readonly request: MessageInitShape<typeof MultiQueryRequestSchema>;
  readonly queries: readonly ParsedQuery[];
  /** Of the fused list. */
  readonly offset: number;
}

const knownFields = new Set(['queries', 'rerank_by', 'limit', 'top_k', 'offset', 'consistency', 'disable_cache']);

/** Whether a body asks several queries of one instant. */
export function isMultiQuery(value: unknown): boolean {
  return isObject(value) && isGiven(value.queries);
}

export function parseMultiQuery(value: unknown, namespace: string): ParsedMultiQuery {
  const body = asObject(value, 'body');
  refuseUnknownFields(body, '', knownFields);
  const list = asArray(body.queries, 'queries', 'an array of queries');
  if (list.length === 0 || list.length > queryLimits.queryCountMax) {
    throw wrongValue('queries', 'too few or too many queries', { found: list.length, max: queryLimits.queryCountMax });
  }
  const queries = list.map((query, index) => parseOne(query, index));
  const isFused = isGiven(body.rerank_by);
  for (const name of ['limit', 'top_k', 'offset'] as const) {
    if (!isFused && isGiven(body[name]))
      throw wrongValue(name, 'only goes with rerank_by here: each query has its own');
  }
  const { offset, limit } = isFused ? parseRange(body) : { offset: 0, limit: 0 };
  return {
    request: {
      namespace,
      queries: queries.map(({ request }) => request),
      consistency: parseConsistency(body.consistency),
      disableCache: parseDisableCache(body),
      ...(isFused ? { fusion: parseFusion(body.rerank_by, queries.length, limit) } : {}),
    },
    queries,
    offset,
  };
}

/** Messages name the place inside the list. */
function parseOne(value: unknown, index: number): ParsedQuery {
  const path = `queries[${index}]`;
  const query = asObject(value, path);
  for (const name of ['consistency', 'disable_cache'] as const) {
    if (isGiven(query[name])) throw wrongValue(`${path}.${name}`, 'goes beside queries: they are of one instant');
  }
  return inPlace(`${path}.`, () => parseQuery(value, ''));
}
