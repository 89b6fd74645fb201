import { describe, expect, test } from '@jest/globals';
import { createTestGateway } from '../testing/recording-backends.ts';
import { readSparse, sparseToJson } from './sparse-values.ts';

describe('sparse vectors in JSON', () => {
  test('are read in the order of their dimensions', () => {
    expect(readSparse({ '4294967295': 2, '0': -1, '10': 0.5 }, 'x')).toEqual([
      { dimension: 0, weight: -1 },
      { dimension: 10, weight: 0.5 },
      { dimension: 4_294_967_295, weight: 2 },
    ]);
    expect(readSparse({}, 'x')).toEqual([]);
  });

  test('are answered with the shortest decimals of f16', () => {
    const weights = [0.1, 0.7, 65_504, -2, 6e-8].map((weight) => Math.f16round(weight));
    expect(sparseToJson({ $typeName: 'lagoon.v1.SparseValue', dimensions: [5, 1, 2, 3, 4], weights })).toEqual({
      '5': 0.1,
      '1': 0.7,
      '2': 65_500,
      '3': -2,
      '4': 6e-8,
    });
  });

  const query = (value: unknown) => ({ rank_by: ['s', 'SparseKNN', value] });
  test.each<[string, string, unknown, number, RegExp]>([
    [
      'a dimension that is no integer',
      '/query',
      query({ '1.5': 1 }),
      400,
      /rank_by\[2\]\.1\.5: an object is a sparse vector/,
    ],
    [
      'a dimension with a zero in front',
      '/query',
      query({ '01': 1 }),
      400,
      /rank_by\[2\]\.01: an object is a sparse vector/,
    ],
    ['a dimension that is too large', '/query', query({ '4294967296': 1 }), 400, /whose dimensions are integers/],
    ['a weight that is no number', '/query', query({ '1': 'x' }), 422, /rank_by\[2\]\.1: expected a number/],
    ['a weight beyond f16', '/query', query({ '1': 65_520 }), 400, /rank_by\[2\]\.1: the weight is no finite f16/],
    ['a query that is an array', '/query', query([1, 2]), 422, /rank_by\[2\]: expected an object/],
    [
      'a declared sparse vector that is an array',
      '',
      { upsert_rows: [{ id: 1, s: [1] }], schema: { s: '{}f16' } },
      422,
      /upsert_rows\[0\]\.s: expected an object, found an array/,
    ],
    ['sparse_knn of a string', '', { schema: { s: { type: 'string', sparse_knn: true } } }, 400, /only sparse vectors/],
    [
      'another metric',
      '',
      { schema: { s: { type: '{}f16', sparse_knn: { distance_metric: 'cosine_distance' } } } },
      400,
      /schema\.s\.sparse_knn\.distance_metric: expected one of dot_product/,
    ],
  ])('%s is refused with its path', async (_, path, body, status, message) => {
    const { call } = createTestGateway();
    const answer = await call('POST', `/v2/namespaces/a${path}`, body);
    expect(answer.text).toMatch(message);
    expect(answer.status).toBe(status);
  });
});
