import { create, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { MultiQueryRequestSchema, type QueryResponseSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createTestGateway } from '../testing/recording-backends.ts';

const byVector = { rank_by: ['vector', 'kNN', [1, 0]] };
const byText = { rank_by: ['text', 'BM25', 'fox'] };
const byOrder = { rank_by: ['id', 'asc'] };

type Result = MessageInitShape<typeof QueryResponseSchema>;

/** Rows of ids with their distances or scores, best first. */
function result(...rows: readonly (readonly [bigint, number?])[]): Result {
  return {
    rows: rows.map(([id, dist]) => ({
      id: { kind: { case: 'u64' as const, value: id } },
      ...(dist === undefined ? {} : { dist }),
    })),
  };
}

async function ask(body: unknown, results: Result[] = []) {
  const { call, backends } = createTestGateway();
  backends.multiQueryResponse = { results, manifestGeneration: 9n };
  const answer = await call('POST', '/v2/namespaces/a/query', body);
  const json = answer.json as {
    readonly error?: string;
    readonly results?: { readonly rows: { readonly id: number; readonly $dist?: number }[] }[];
  };
  const fused = json.results?.[0]?.rows.map(({ id, $dist }) => [id, $dist]);
  return { answer, json, backends, fused };
}

describe('several queries', () => {
  test('are sent on as they are, and each has its result', async () => {
    const { json, backends } = await ask(
      { queries: [{ ...byVector, limit: 2, offset: 1 }, byText], consistency: { level: 'eventual' } },
      [result([1n, 0.1], [2n, 0.2], [3n, 0.3]), result([4n, 7])],
    );
    const request = create(MultiQueryRequestSchema, backends.multiQueries[0]);
    expect(toJson(MultiQueryRequestSchema, request)).toMatchObject({
      namespace: 'a',
      queries: [
        { rankBy: { vector: {} }, limit: 3 },
        { rankBy: { text: {} }, limit: 10 },
      ],
      consistency: { level: 'LEVEL_EVENTUAL' },
    });
    expect(request.fusion).toBeUndefined();
    expect(json).toMatchObject({
      results: [{ rows: [{ id: 2 }, { id: 3 }] }, { rows: [{ id: 4, $dist: 7 }] }],
      manifest_generation: 9,
    });
  });

  test('RRF: one list by the sum of 1 / (60 + rank), ties by id', async () => {
    const { fused, backends } = await ask({ queries: [byVector, byText, byOrder], rerank_by: ['RRF'] }, [
      result([1n, 0.1], [2n, 0.2], [5n, 0.3]),
      result([2n, 9], [3n, 8]),
      result([5n], [9n]),
    ]);
    expect(backends.multiQueries[0]?.fusion).toBeUndefined();
    expect(fused).toEqual([
      [2, 1 / 62 + 1 / 61],
      [5, 1 / 63 + 1 / 61],
      [1, 1 / 61],
      [3, 1 / 62],
      [9, 1 / 62],
    ]);
  });

  test('RRF with a constant, weights, limit and offset', async () => {
    const rerank_by = ['RRF', { rank_constant: 1, weights: [1, 3] }];
    const { fused } = await ask({ queries: [byVector, byText], rerank_by, limit: 2, offset: 1 }, [
      result([1n, 0.1], [2n, 0.2]),
      result([3n, 9], [2n, 8], [4n, 7]),
    ]);
    expect(fused).toEqual([
      [2, 1 / 3 + 3 / 3],
      [4, 3 / 4],
    ]);
  });

  test('WeightedSum: distances count downwards, lists are normalized', async () => {
    const queries = [byVector, byText];
    const lists = [result([1n, 0.1], [2n, 0.3], [3n, 0.5]), result([3n, 8], [2n, 2])];
    const minMax = await ask({ queries, rerank_by: ['WeightedSum', { weights: [1, 2] }] }, lists);
    expect(minMax.fused?.map(([id]) => id)).toEqual([3, 1, 2]);
    expect(minMax.fused?.[0]?.[1]).toBe(2);
    expect(minMax.fused?.[2]?.[1]).toBeCloseTo(0.5);
    const none = await ask({ queries, rerank_by: ['WeightedSum', { normalize: 'none' }] }, lists);
    expect(none.fused).toEqual([
      [3, 7.5],
      [2, 1.7],
      [1, -0.1],
    ]);
    const zScore = await ask({ queries, rerank_by: ['WeightedSum', { normalize: 'z_score' }] }, lists);
    expect(zScore.fused?.map(([id]) => id)).toEqual([1, 3, 2]);
  });

  test('rows that are all alike are all best; empty lists add nothing', async () => {
    const queries = [byVector, byText];
    const { fused } = await ask({ queries, rerank_by: ['WeightedSum'] }, [result([1n, 0.5], [2n, 0.5]), result()]);
    expect(fused).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  test.each<[string, Record<string, unknown>, number, RegExp]>([
    ['no queries', { queries: [] }, 400, /^queries: too few or too many queries \(found=0, max=16\)/],
    ['17', { queries: Array(17).fill(byOrder) }, 400, /^queries: too few or too many queries \(found=17, max=16\)/],
    ['no array', { queries: byOrder }, 422, /^queries: expected an array of queries, found an object/],
    ['a bad one', { queries: [byOrder, { rank_by: 1 }] }, 422, /^queries\[1\]\.rank_by: expected/],
    ['no object', { queries: [1] }, 422, /^queries\[0\]: expected an object, found an integer/],
    [
      'consistency inside',
      { queries: [{ ...byOrder, consistency: {} }] },
      400,
      /^queries\[0\]\.consistency: goes beside/,
    ],
    ['an unknown field', { queries: [byOrder], rankby: 1 }, 422, /^rankby: unknown field/],
    ['limit of nothing', { queries: [byOrder], limit: 1 }, 400, /^limit: only goes with rerank_by/],
    ['rerank_by alone', { ...byOrder, rerank_by: ['RRF'] }, 400, /^rerank_by: goes with queries/],
    [
      'another fusion',
      { queries: [byOrder], rerank_by: ['Borda'] },
      400,
      /^rerank_by\[0\]: expected one of RRF, Weighted/,
    ],
    ['a text', { queries: [byOrder], rerank_by: 'RRF' }, 422, /^rerank_by: expected \["RRF"\], .* found a string/],
    [
      'weights of others',
      { queries: [byOrder], rerank_by: ['RRF', { weights: [1, 2] }] },
      400,
      /^rerank_by\[1\]\.weights: there is one weight per query \(found=2, queries=1\)/,
    ],
    [
      'a negative weight',
      { queries: [byOrder], rerank_by: ['RRF', { weights: [-1] }] },
      400,
      /weights\[0\]: must not be neg/,
    ],
    [
      'no constant',
      { queries: [byOrder], rerank_by: ['RRF', { rank_constant: 0 }] },
      400,
      /rank_constant: must be above 0/,
    ],
    [
      'scores of orders',
      { queries: [byOrder], rerank_by: ['WeightedSum'] },
      400,
      /queries\[0\]\.rank_by: .*no score to sum up: use RRF/,
    ],
    [
      'numbers',
      { queries: [{ aggregate_by: { n: ['Count'] } }], rerank_by: ['RRF'] },
      400,
      /queries\[0\]\.aggregate_by: an aggregation has no rows to fuse/,
    ],
  ])('%s is refused', async (_name, body, status, message) => {
    const { answer, json, backends } = await ask(body);
    expect(json.error).toMatch(message);
    expect(answer.status).toBe(status);
    expect(backends.multiQueries).toHaveLength(0);
  });
});
