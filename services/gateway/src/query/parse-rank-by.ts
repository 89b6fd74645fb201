import type { MessageInitShape } from '@bufbuild/protobuf';
import { unimplemented } from '@lagoon/base';
import { queryLimits } from '@lagoon/format';
import type {
  OrderKeySchema,
  RankBySchema,
  SparseRankSchema,
  VectorRankSchema,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import { asArray, asString, clip, isObject, wrongShape, wrongValue } from '../json/shape.ts';
import { readSparse, sparseMessage } from '../write/sparse-values.ts';
import { readVector } from '../write/vector-values.ts';
import { isScore, parseScore, parseText } from './parse-score.ts';

type RankByInit = MessageInitShape<typeof RankBySchema>;
type OrderKeyInit = MessageInitShape<typeof OrderKeySchema>;

/**
 * Reads `[attribute, "ANN" | "kNN", vector]`, `[attribute, "asc" | "desc"]` or a list of these, or the expression of a score
 * (`parse-score.ts`).
 */
export function parseRankBy(value: unknown, path: string): RankByInit {
  const parts = asArray(value, path, 'an array as [attribute, "ANN", vector]');
  if (parts.length > 0 && Array.isArray(parts[0]))
    return orderBy(
      parts.map((key, index) => parseOrderKey(key, `${path}[${index}]`)),
      path,
    );
  if (parts.length === 2 && isDirection(parts[1])) return orderBy([parseOrderKey(parts, path)], path);
  if (parts[1] === 'BM25') return { kind: { case: 'text', value: parseText(parts, path) } };
  if (isScore(parts)) return { kind: { case: 'score', value: parseScore(parts, path) } };
  const attribute = asString(parts[0], `${path}[0]`, 'the name of an attribute');
  const kind = asString(parts[1], `${path}[1]`, 'ANN, kNN, BM25, asc or desc');
  switch (kind) {
    case 'ANN':
    case 'kNN':
      return { kind: { case: 'vector', value: parseVectorRank(attribute, kind === 'kNN', parts, path) } };
    case 'SparseKNN':
      return { kind: { case: 'sparse', value: parseSparseRank(attribute, parts, path) } };
    default:
      throw wrongValue(`${path}[1]`, 'expected ANN, kNN, BM25, asc, desc or a filter', { found: clip(kind) });
  }
}

function isDirection(value: unknown): value is 'asc' | 'desc' {
  return value === 'asc' || value === 'desc';
}

export function parseVectorRank(
  attribute: string,
  exact: boolean,
  parts: readonly unknown[],
  path: string,
): MessageInitShape<typeof VectorRankSchema> {
  checkLength(parts, 3, path);
  const target = parts[2];
  if (isObject(target)) throw unimplemented(`an expression as the vector of ${path}`);
  if (Array.isArray(target) && target[0] === 'Embed') throw unimplemented(`Embed (${path}[2])`);
  const vector = readVector(target, `${path}[2]`);
  const query = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  return { attribute, query, exact };
}

export function parseSparseRank(
  attribute: string,
  parts: readonly unknown[],
  path: string,
): MessageInitShape<typeof SparseRankSchema> {
  checkLength(parts, 3, path);
  return { attribute, query: sparseMessage(readSparse(parts[2], `${path}[2]`)) };
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
  if (keys.length > queryLimits.orderKeyCountMax) {
    throw wrongValue(path, 'too many attributes to order by', {
      found: keys.length,
      max: queryLimits.orderKeyCountMax,
    });
  }
  return { kind: { case: 'orderBy', value: { keys } } };
}

function checkLength(parts: readonly unknown[], length: number, path: string): void {
  if (parts.length !== length) throw wrongValue(path, `expected ${length} parts`, { found: parts.length });
}
