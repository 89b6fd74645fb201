import { create, toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { QueryRequestSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createTestGateway } from '../testing/recording-backends.ts';

async function sent(body: unknown): Promise<unknown> {
  const { call, backends } = createTestGateway();
  const answer = await call('POST', '/v2/namespaces/a/query', body);
  expect(answer.text).toContain('"rows"');
  return toJson(QueryRequestSchema, create(QueryRequestSchema, backends.queries[0]));
}

const order = ['id', 'asc'];

describe('query: what is sent on', () => {
  test('a vector query as floats and as base64', async () => {
    const packed = Buffer.from(Float32Array.of(1, 2.5).buffer).toString('base64');
    const expected = { rankBy: { vector: { attribute: 'vector', query: packed } }, limit: 5 };
    expect(await sent({ rank_by: ['vector', 'ANN', [1, 2.5]], limit: 5 })).toMatchObject(expected);
    expect(await sent({ rank_by: ['vector', 'ANN', packed], top_k: 5 })).toMatchObject(expected);
    expect(await sent({ rank_by: ['vector', 'kNN', [1, 2.5]], limit: { total: 5 } })).toMatchObject({
      rankBy: { vector: { exact: true } },
      limit: 5,
    });
  });

  test('rows per group', async () => {
    const per = { attributes: ['a', 'b'], limit: 2 };
    expect(await sent({ rank_by: order, limit: { total: 5, per }, offset: 3 })).toMatchObject({
      limit: 8,
      limitPer: per,
    });
  });

  test('text and order-by', async () => {
    expect(await sent({ rank_by: ['text', 'BM25', 'quick fox'] })).toMatchObject({
      rankBy: { text: { attribute: 'text', query: 'quick fox' } },
      limit: 10,
    });
    expect(await sent({ rank_by: ['text', 'BM25', 'q', { last_as_prefix: false }] })).toMatchObject({
      rankBy: { text: { query: 'q' } },
    });
    expect(await sent({ rank_by: ['size', 'desc'] })).toMatchObject({
      rankBy: { orderBy: { keys: [{ attribute: 'size', descending: true }] } },
    });
    expect(
      await sent({
        rank_by: [
          ['Sum', 'asc'],
          ['id', 'desc'],
        ],
      }),
    ).toMatchObject({
      rankBy: { orderBy: { keys: [{ attribute: 'Sum' }, { attribute: 'id', descending: true }] } },
    });
  });

  test('filters of every served kind, with values without loss', async () => {
    const body = `{"rank_by":["id","asc"],"filters":["And",[["Not",["a","Eq",null]],["Or",[["b","In",[1,2.5,"x",true]],
      ["id","Gte",18446744073709551615]]],["c","Lt",-9223372036854775808],["And","NotEq",[1,2]]]]}`;
    expect(await sent(body)).toMatchObject({
      filter: {
        and: {
          filters: [
            { not: { comparison: { attribute: 'a', operator: 'COMPARISON_OPERATOR_EQ', values: [{}] } } },
            {
              or: {
                filters: [
                  {
                    comparison: {
                      attribute: 'b',
                      values: [{ intValue: '1' }, { floatValue: 2.5 }, { stringValue: 'x' }, { boolValue: true }],
                    },
                  },
                  { comparison: { attribute: 'id', values: [{ uintValue: '18446744073709551615' }] } },
                ],
              },
            },
            { comparison: { operator: 'COMPARISON_OPERATOR_LT', values: [{ intValue: '-9223372036854775808' }] } },
            {
              comparison: {
                attribute: 'And',
                operator: 'COMPARISON_OPERATOR_NOT_EQ',
                values: [{ arrayValue: { values: [{ intValue: '1' }, { intValue: '2' }] } }],
              },
            },
          ],
        },
      },
    });
  });

  test('projections', async () => {
    expect(await sent({ rank_by: order })).toMatchObject({ projection: { all: false } });
    expect(await sent({ rank_by: order, include_attributes: true })).toMatchObject({ projection: { all: true } });
    expect(await sent({ rank_by: order, include_attributes: ['a', 'id', 'a'] })).toMatchObject({
      projection: { include: { names: ['a', 'id', 'a'] } },
    });
    expect(await sent({ rank_by: order, exclude_attributes: ['a'] })).toMatchObject({
      projection: { exclude: { names: ['a'] } },
    });
  });

  test('consistency', async () => {
    expect(await sent({ rank_by: order })).toMatchObject({ consistency: { level: 'LEVEL_STRONG' } });
    expect(await sent({ rank_by: order, consistency: { level: 'eventual' } })).toMatchObject({
      consistency: { level: 'LEVEL_EVENTUAL', stalenessMsMax: 60_000 },
    });
    const bounded = { level: 'eventual', max_staleness_seconds: 0.5, min_manifest_generation: 12 };
    expect(await sent({ rank_by: order, consistency: bounded })).toMatchObject({
      consistency: { level: 'LEVEL_EVENTUAL', stalenessMsMax: 500, minManifestGeneration: '12' },
    });
  });

  test('an offset asks for more rows and leaves the first out', async () => {
    const { call, backends } = createTestGateway();
    backends.queryResponse = {
      rows: [1n, 2n, 3n].map((id) => ({ id: { kind: { case: 'u64', value: id } } })),
    };
    const answer = await call('POST', '/v2/namespaces/a/query', { rank_by: order, limit: 1, offset: 2 });
    expect(backends.queries[0]?.limit).toBe(3);
    expect(answer.json).toMatchObject({ rows: [{ id: 3 }] });
  });
});

describe('query: bad input', () => {
  const deep = (depth: number): unknown => (depth === 0 ? ['a', 'Eq', 1] : ['Not', deep(depth - 1)]);
  test.each<[string, unknown, number, RegExp]>([
    ['no json', '{', 400, /not json/],
    ['another shape of the body', '[]', 422, /body: expected an object/],
    ['no rank_by', {}, 422, /rank_by: expected an array .* found nothing/],
    ['an unknown field', { rank_by: order, filter: [] }, 422, /filter: unknown field/],
    ['an unknown ranking', { rank_by: ['a', 'HNSW', [1]] }, 400, /rank_by\[1\]: expected ANN.*HNSW/],
    ['an empty rank_by', { rank_by: [] }, 422, /rank_by\[0\]: expected the name/],
    ['an empty vector', { rank_by: ['v', 'ANN', []] }, 400, /rank_by\[2\]: the vector is empty/],
    ['a missing vector', { rank_by: ['v', 'ANN'] }, 400, /rank_by: expected 3 parts/],
    ['null as vector', { rank_by: ['v', 'ANN', null] }, 422, /rank_by\[2\]: expected a vector/],
    ['a vector beyond f32', { rank_by: ['v', 'kNN', [1e39]] }, 400, /rank_by\[2\]\[0\]: not a finite f32/],
    ['a norm beyond f32', { rank_by: ['v', 'kNN', [3e38, 3e38]] }, 400, /squared norm/],
    ['a list of vectors', { rank_by: ['v', 'ANN', [[1], [2]]] }, 400, /lists of vectors/],
    ['a text that is a number', { rank_by: ['t', 'BM25', 5] }, 422, /rank_by\[2\]: expected a query text/],
    ['a text without end', { rank_by: ['t', 'BM25', 'x'.repeat(20_000)] }, 400, /query text is too long/],
    [
      'an unknown text parameter',
      { rank_by: ['t', 'BM25', 'x', { slop: 1 }] },
      422,
      /rank_by\[3\].slop: unknown field/,
    ],
    ['nine attributes to order by', { rank_by: new Array(9).fill(order) }, 400, /too many attributes to order by/],
    ['a wrong direction', { rank_by: [['a', 'up']] }, 400, /rank_by\[0\]\[1\]: expected asc or desc/],
    ['limit 0', { rank_by: order, limit: 0 }, 400, /limit: must be from 1 to 10000/],
    ['limit 10,001', { rank_by: order, limit: 10_001 }, 400, /limit: must be from 1/],
    ['a fractional limit', { rank_by: order, top_k: 1.5 }, 422, /top_k: expected an integer, found a float/],
    ['limit and top_k', { rank_by: order, limit: 1, top_k: 1 }, 400, /top_k: is another name of limit/],
    ['limit and offset beyond the bound', { rank_by: order, limit: 9_999, offset: 2 }, 400, /offset and limit/],
    [
      'both projections',
      { rank_by: order, include_attributes: ['a'], exclude_attributes: ['b'] },
      400,
      /does not go together/,
    ],
    [
      'a projection that is a string',
      { rank_by: order, include_attributes: 'a' },
      422,
      /include_attributes: expected a boolean/,
    ],
    [
      'an unknown operator',
      { rank_by: order, filters: ['a', 'Like', 'x'] },
      400,
      /filters\[1\]: unknown operator \(found=Like/,
    ],
    [
      'an operator that every object has',
      { rank_by: order, filters: ['a', 'constructor', 'x'] },
      400,
      /unknown operator/,
    ],
    ['a filter that is an object', { rank_by: order, filters: {} }, 422, /filters: expected a filter/],
    ['a filter of two parts', { rank_by: order, filters: ['a', 'Eq'] }, 400, /filters: a filter of two parts/],
    [
      'a wrong part deep inside',
      {
        rank_by: order,
        filters: [
          'And',
          [
            ['a', 'Eq', 1],
            ['Or', [5]],
          ],
        ],
      },
      422,
      /filters\[1\]\[1\]\[1\]\[0\]: expected a filter/,
    ],
    [
      'In without a list',
      { rank_by: order, filters: ['a', 'In', 5] },
      422,
      /filters\[2\]: expected an array of values/,
    ],
    ['an object as value', { rank_by: order, filters: ['a', 'Eq', {}] }, 422, /filters\[2\]: expected a scalar/],
    [
      'a value beyond 64 bits',
      '{"rank_by":["id","asc"],"filters":["a","Eq",99999999999999999999]}',
      400,
      /filters\[2\]: the integer does not fit/,
    ],
    ['a filter nested too deeply', { rank_by: order, filters: deep(64) }, 400, /nested too deeply/],
    ['too many values', { rank_by: order, filters: ['a', 'In', new Array(10_001).fill(1)] }, 400, /too many values/],
    [
      'an unknown consistency',
      { rank_by: order, consistency: { level: 'linearizable' } },
      400,
      /consistency.level: expected one of strong, eventual/,
    ],
    [
      'staleness of a strong query',
      { rank_by: order, consistency: { max_staleness_seconds: 5 } },
      400,
      /only goes with/,
    ],
    ['a negative generation', { rank_by: order, consistency: { min_manifest_generation: -1 } }, 400, /must be from 0/],
    [
      'an unknown encoding',
      { rank_by: order, vector_encoding: 'hex' },
      400,
      /vector_encoding: expected one of float, base64/,
    ],
  ])('%s', async (_name, body, status, message) => {
    const { call, backends } = createTestGateway();
    const answer = await call('POST', '/v2/namespaces/a/query', body);
    expect((answer.json as { error: string }).error).toMatch(message);
    expect(answer.status).toBe(status);
    expect(backends.queries).toHaveLength(0);
  });

  test.each<[string, Record<string, unknown>]>([
    ['Embed', { rank_by: order, compute_attributes: { d: ['Embed', 'text'] } }],
    ['distance_metric', { rank_by: order, distance_metric: 'cosine_distance' }],
    ['Embed', { rank_by: ['a', 'ANN', ['Embed', 'x']] }],
  ])('%s answers 501 with its name', async (name, body) => {
    const { call, backends } = createTestGateway();
    const answer = await call('POST', '/v2/namespaces/a/query', body);
    expect(answer.text).toContain(name);
    expect(answer.status).toBe(501);
    expect(backends.queries).toHaveLength(0);
  });
});
