import { create, toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { QueryRequestSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createTestGateway } from '../testing/recording-backends.ts';

async function ask(body: unknown) {
  const { call, backends } = createTestGateway();
  const answer = await call('POST', '/v2/namespaces/a/query', body);
  return { answer, backends };
}

describe('aggregations', () => {
  test('are sent on with their labels, for all groups unless limited', async () => {
    const body = {
      aggregate_by: { n: ['Count'], sizes: ['Count', 'size'], total: ['Sum', 'size'] },
      group_by: ['color', { tag: ['ForEachUnique', 'tags'] }],
      filters: ['size', 'Gt', 1],
    };
    const { backends } = await ask(body);
    const [request] = backends.queries;
    expect(toJson(QueryRequestSchema, create(QueryRequestSchema, request))).toMatchObject({
      aggregation: {
        aggregates: [
          { label: 'n', function: 'AGGREGATE_FUNCTION_COUNT' },
          { label: 'sizes', function: 'AGGREGATE_FUNCTION_COUNT', attribute: 'size' },
          { label: 'total', function: 'AGGREGATE_FUNCTION_SUM', attribute: 'size' },
        ],
        groupBy: [
          { label: 'color', attribute: 'color' },
          { label: 'tag', attribute: 'tags', eachElement: true },
        ],
      },
      filter: { comparison: { attribute: 'size' } },
      limit: 10_000,
    });
    expect((await ask({ ...body, limit: 3 })).backends.queries[0]?.limit).toBe(3);
  });

  test('answer one object, or one per group', async () => {
    const { call, backends } = createTestGateway();
    const number = (intValue: bigint) => ({ kind: { case: 'intValue' as const, value: intValue } });
    const values = [{ name: 'n', value: number(2n ** 60n) }];
    backends.queryResponse = { groups: [{ values }] };
    const one = await call('POST', '/v2/namespaces/a/query', { aggregate_by: { n: ['Count'] } });
    expect(one.text).toContain('{"aggregations":{"n":1152921504606846976},');
    backends.queryResponse = { groups: [{ keys: [{ name: 'color' }], values }] };
    const grouped = await call('POST', '/v2/namespaces/a/query', {
      aggregate_by: { n: ['Count'] },
      group_by: ['color'],
    });
    expect(grouped.text).toContain('{"aggregation_groups":[{"color":null,"n":1152921504606846976}],');
  });

  const n = { n: ['Count'] };
  test.each<[string, Record<string, unknown>, number, RegExp]>([
    ['no object', { aggregate_by: ['Count'] }, 422, /^aggregate_by: expected an object, found an array/],
    ['no aggregate', { aggregate_by: {} }, 400, /^aggregate_by: too few or too many aggregates \(found=0, max=32\)/],
    ['no array', { aggregate_by: { n: 'Count' } }, 422, /^aggregate_by\.n: expected \["Count"\], .* found a string/],
    [
      'another function',
      { aggregate_by: { n: ['Avg', 'a'] } },
      400,
      /^aggregate_by\.n\[0\]: expected one of Count, Sum/,
    ],
    ['a sum of nothing', { aggregate_by: { n: ['Sum'] } }, 400, /^aggregate_by\.n: expected \["Count"\]/],
    ['a number as attribute', { aggregate_by: { n: ['Sum', 1] } }, 422, /^aggregate_by\.n\[1\]: expected the name/],
    ['no key', { aggregate_by: n, group_by: [] }, 400, /^group_by: too few or too many attributes/],
    [
      'a number as key',
      { aggregate_by: n, group_by: [1] },
      422,
      /^group_by\[0\]: expected the name of an attribute or/,
    ],
    ['two labels', { aggregate_by: n, group_by: [{ a: [], b: [] }] }, 400, /^group_by\[0\]: expected one label/],
    [
      'another key',
      { aggregate_by: n, group_by: [{ a: ['Each', 'b'] }] },
      400,
      /^group_by\[0\]\.a\[0\]: expected one of/,
    ],
    ['group_by alone', { rank_by: ['id', 'asc'], group_by: ['a'] }, 400, /^group_by: only goes with aggregate_by/],
    [
      'rank_by too',
      { rank_by: ['id', 'asc'], aggregate_by: n },
      400,
      /^rank_by: does not go together with aggregate_by/,
    ],
    ['offset', { offset: 1, aggregate_by: n }, 400, /^offset: does not go together with aggregate_by/],
  ])('%s is refused', async (_name, body, status, message) => {
    const { answer, backends } = await ask(body);
    expect((answer.json as { error: string }).error).toMatch(message);
    expect(answer.status).toBe(status);
    expect(backends.queries).toHaveLength(0);
  });
});
