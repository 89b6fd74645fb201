import type { MessageInitShape } from '@bufbuild/protobuf';
import { unimplemented } from '@lagoon/base';
import type { OrderKeySchema, RankBySchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import {
  asArray,
  asBoolean,
  asObject,
  asString,
  clip,
  isObject,
  refuseUnknownFields,
  wrongShape,
  wrongValue,
} from '../json/shape.ts';
import { readVector } from '../write/vector-values.ts';
import { isOperatorName } from './parse-filter.ts';

type RankByInit = MessageInitShape<typeof RankBySchema>;
type OrderKeyInit = MessageInitShape<typeof OrderKeySchema>;

export const rankLimits = { orderKeyCountMax: 8, queryTextBytesMax: 16 << 10 } as const;

/** Expressions over scores: known, not served yet. */
const unservedExpressions: ReadonlySet<string> = new Set([
  'Sum',
  'Max',
  'Product',
  'Attribute',
  'Saturate',
  'Decay',
  'Dist',
  'And',
  'Or',
  'Not',
]);

/** Reads `[attribute, "ANN" | "kNN", vector]`, `[attribute, "BM25", text]`, `[attribute, "asc" | "desc"]` or a list of the last. */
export function parseRankBy(value: unknown, path: string): RankByInit {
  const parts = asArray(value, path, 'an array as [attribute, "ANN", vector]');
  if (parts.length > 0 && Array.isArray(parts[0]))
    return orderBy(
      parts.map((key, index) => parseOrderKey(key, `${path}[${index}]`)),
      path,
    );
  if (parts.length === 2 && isDirection(parts[1])) return orderBy([parseOrderKey(parts, path)], path);
  const attribute = asString(parts[0], `${path}[0]`, 'the name of an attribute');
  if (unservedExpressions.has(attribute) && !isKindName(parts[1])) throw unimplemented(`${path} ${attribute}`);
  const kind = asString(parts[1], `${path}[1]`, 'ANN, kNN, BM25, asc or desc');
  switch (kind) {
    case 'ANN':
    case 'kNN':
      return parseVectorRank(attribute, kind, parts, path);
    case 'BM25':
      return parseTextRank(attribute, parts, path);
    case 'SparseKNN':
      throw unimplemented(`${path} SparseKNN`);
    default:
      if (isOperatorName(kind)) throw unimplemented(`${path} by a filter (${kind})`);
      throw wrongValue(`${path}[1]`, 'expected ANN, kNN, BM25, asc or desc', { found: clip(kind) });
  }
}

function isKindName(value: unknown): boolean {
  return value === 'ANN' || value === 'kNN' || value === 'BM25' || value === 'SparseKNN';
}

function isDirection(value: unknown): value is 'asc' | 'desc' {
  return value === 'asc' || value === 'desc';
}

function parseVectorRank(attribute: string, kind: 'ANN' | 'kNN', parts: readonly unknown[], path: string): RankByInit {
  checkLength(parts, 3, path);
  const target = parts[2];
  if (isObject(target)) throw unimplemented(`an expression as the vector of ${path}`);
  if (Array.isArray(target) && target[0] === 'Embed') throw unimplemented(`Embed (${path}[2])`);
  const vector = readVector(target, `${path}[2]`);
  const query = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  return { kind: { case: 'vector', value: { attribute, query, exact: kind === 'kNN' } } };
}

const textParameters = new Set(['last_as_prefix']);

function parseTextRank(attribute: string, parts: readonly unknown[], path: string): RankByInit {
  if (parts.length === 4) {
    const parameters = asObject(parts[3], `${path}[3]`);
    refuseUnknownFields(parameters, `${path}[3]`, textParameters);
    const prefix = parameters.last_as_prefix ?? false;
    if (asBoolean(prefix, `${path}[3].last_as_prefix`)) throw unimplemented(`last_as_prefix (${path}[3])`);
  } else checkLength(parts, 3, path);
  if (Array.isArray(parts[2])) throw unimplemented(`BM25 with a list of tokens (${path}[2])`);
  const query = asString(parts[2], `${path}[2]`, 'a query text');
  const bytes = Buffer.byteLength(query);
  if (bytes > rankLimits.queryTextBytesMax) {
    throw wrongValue(`${path}[2]`, 'the query text is too long', { bytes, bytesMax: rankLimits.queryTextBytesMax });
  }
  return { kind: { case: 'text', value: { attribute, query } } };
}

function parseOrderKey(value: unknown, path: string): OrderKeyInit {
  const parts = asArray(value, path, '[attribute, "asc" or "desc"]');
  if (parts.length !== 2) throw wrongShape(path, '[attribute, "asc" or "desc"]', value);
  if (Array.isArray(parts[0])) throw wrongShape(`${path}[0]`, 'the name of an attribute', parts[0]);
  const attribute = asString(parts[0], `${path}[0]`, 'the name of an attribute');
  const direction = asString(parts[1], `${path}[1]`, 'asc or desc');
  if (!isDirection(direction)) throw wrongValue(`${path}[1]`, 'expected asc or desc', { found: clip(direction) });
  return { attribute, descending: direction === 'desc' };
}

function orderBy(keys: OrderKeyInit[], path: string): RankByInit {
  if (keys.length > rankLimits.orderKeyCountMax) {
    throw wrongValue(path, 'too many attributes to order by', { found: keys.length, max: rankLimits.orderKeyCountMax });
  }
  return { kind: { case: 'orderBy', value: { keys } } };
}

function checkLength(parts: readonly unknown[], length: number, path: string): void {
  if (parts.length !== length) throw wrongValue(path, `expected ${length} parts`, { found: parts.length });
}
