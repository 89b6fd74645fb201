import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidAt, type Random } from '@lagoon/base';
import { limits } from '@lagoon/format';
import type { MeasureRecallRequest, MeasureRecallResponseSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { QueryEngine, QueryResult, QuerySpec, SampledVectors } from '@lagoon/query';
import { readFilter } from '@lagoon/query-message';
import { readVectorRank } from './read-rank.ts';
import { resultRow } from './write-result.ts';

const searchCountDefault = 25;
const searchCountMax = 100;
const rowCountDefault = 10;

const strong = { level: 'strong', stalenessMsMax: 0, generationMin: 0 } as const;

/** Each search is asked twice at one generation, by ANN and exactly; what both find is compared by id. */
export async function measureRecall(
  engine: QueryEngine,
  random: Random,
  request: MeasureRecallRequest,
  signal?: AbortSignal,
): Promise<MessageInitShape<typeof MeasureRecallResponseSchema>> {
  const { namespace, includeGroundTruth } = request;
  const limit = request.topK === 0 ? rowCountDefault : request.topK;
  if (limit > limits.topKMax) throw invalidAt('top_k', 'out of range', { found: limit, max: limits.topKMax });
  const { attribute, vectors } = await targetsOf(engine, random, request, signal);
  const specOf = (query: Float32Array, exact: boolean): QuerySpec => ({
    rankBy: { kind: 'vector', attribute, query, exact, ...(request.recall === 0 ? {} : { recall: request.recall }) },
    ...(request.filter === undefined ? {} : { filter: readFilter(request.filter, 'filters') }),
    limit,
    projection: includeGroundTruth && exact ? { kind: 'include', names: [attribute] } : { kind: 'none' },
  });
  const sums = { recall: 0, ann: 0, exact: 0 };
  const groundTruth = [];
  for (const query of vectors) {
    const [ann, exact] = await engine.queryAll(namespace, [specOf(query, false), specOf(query, true)], strong, signal);
    if (ann === undefined || exact === undefined) continue;
    sums.recall += recallOf(ann, exact);
    sums.ann += ann.rows.length;
    sums.exact += exact.rows.length;
    if (!includeGroundTruth) continue;
    const queryVector = new Uint8Array(query.buffer, query.byteOffset, query.byteLength);
    groundTruth.push({ queryVector, nearestNeighbors: exact.rows.map((row) => resultRow(exact.idKind, row)) });
  }
  const count = Math.max(1, vectors.length);
  return {
    avgRecall: vectors.length === 0 ? 1 : sums.recall / count,
    avgAnnCount: sums.ann / count,
    avgExhaustiveCount: sums.exact / count,
    groundTruth,
  };
}

async function targetsOf(
  engine: QueryEngine,
  random: Random,
  { namespace, num, rankBy }: MeasureRecallRequest,
  signal?: AbortSignal,
): Promise<SampledVectors> {
  if (num > searchCountMax) throw invalidAt('num', 'out of range', { found: num, max: searchCountMax });
  if (rankBy === undefined) {
    return await engine.sampleVectors(namespace, num === 0 ? searchCountDefault : num, random, signal);
  }
  if (num > 1) throw invalidAt('num', 'with rank_by there is one search', { num });
  const { attribute, query } = readVectorRank(rankBy, 'rank_by');
  return { attribute, vectors: [query] };
}

function recallOf(ann: QueryResult, exact: QueryResult): number {
  if (exact.rows.length === 0) return 1;
  const found = new Set(ann.rows.map(({ id }) => id));
  return exact.rows.filter(({ id }) => found.has(id)).length / exact.rows.length;
}
