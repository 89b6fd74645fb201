import { invalidAt } from '@lagoon/base';
import { limits } from '@lagoon/format';
import type { SparseRank, VectorRank } from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { RankBy } from '@lagoon/query';

/** `path`: of the ranking or the computed value, which begins with the attribute. */
export function readSparseRank({ attribute, query }: SparseRank, path: string): Extract<RankBy, { kind: 'sparse' }> {
  const { dimensions = [], weights = [] } = query ?? {};
  if (dimensions.length !== weights.length)
    throw invalidAt(`${path}[2]`, 'each dimension has one weight', { attribute });
  const entries = dimensions.map((dimension, i) => ({ dimension, weight: weights[i] as number }));
  return { kind: 'sparse', attribute, query: entries.sort((a, b) => a.dimension - b.dimension) };
}

export function readVectorRank(
  { attribute, query, exact, recall }: VectorRank,
  path: string,
): Extract<RankBy, { kind: 'vector' }> {
  if (query.length % 4 !== 0 || query.length > 4 * limits.dimensionsMax) {
    throw invalidAt(`${path}[2]`, 'query vector is no packed f32', { attribute, bytes: query.length });
  }
  const vector = new Float32Array(query.length / 4);
  new Uint8Array(vector.buffer).set(query); // little-endian, as every machine that runs Node is
  return { kind: 'vector', attribute, query: vector, exact, ...(recall === 0 ? {} : { recall }) };
}
