import { describe, expect, test } from '@jest/globals';
import { LagoonError } from '@lagoon/base';
import { type AttributeSchema, type AttributeValue, fullTextSearchDefaults, type Schema } from '@lagoon/format';
import { checkFilter } from './check-filter.ts';
import type { ComparisonOperator, Filter } from './filter.ts';
import { planQuery } from './plan.ts';
import type { QuerySpec } from './query-spec.ts';

const schema: Schema = {
  idKind: 'uuid',
  attributes: new Map<string, AttributeSchema>([
    ['v', { type: { kind: 'vector', element: 'f32', dims: 2 }, filterable: true }],
    [
      'title',
      { type: { kind: 'scalar', scalar: 'string' }, filterable: false, fullTextSearch: fullTextSearchDefaults },
    ],
    ['s', { type: { kind: 'scalar', scalar: 'string' }, filterable: true }],
    ['i', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
    ['u', { type: { kind: 'scalar', scalar: 'uint' }, filterable: true }],
    ['f', { type: { kind: 'scalar', scalar: 'float' }, filterable: true }],
    ['g', { type: { kind: 'scalar', scalar: 'uuid' }, filterable: true }],
    ['d', { type: { kind: 'scalar', scalar: 'datetime' }, filterable: true }],
    ['bytes', { type: { kind: 'scalar', scalar: 'bytes' }, filterable: true }],
    ['tags', { type: { kind: 'array', scalar: 'string' }, filterable: true }],
  ]),
};
const byId: QuerySpec = {
  rankBy: { kind: 'order', keys: [{ attribute: 'id', descending: false }] },
  limit: 10,
  projection: { kind: 'none' },
};
const vectorQuery = (...query: number[]): QuerySpec => ({
  ...byId,
  rankBy: { kind: 'vector', attribute: 'v', query: Float32Array.from(query), exact: true },
});
const comparison = (attribute: string, operator: ComparisonOperator, ...values: AttributeValue[]): Filter => ({
  kind: 'comparison',
  attribute,
  operator,
  values,
});
const filtered = (filter: Filter): QuerySpec => ({ ...byId, filter });
const order = (...attributes: string[]): QuerySpec => ({
  ...byId,
  rankBy: { kind: 'order', keys: attributes.map((attribute) => ({ attribute, descending: true })) },
});

function refusal(spec: QuerySpec): LagoonError {
  try {
    if (spec.filter !== undefined) checkFilter(spec.filter, 'filters');
    planQuery(schema, spec);
  } catch (error) {
    if (error instanceof LagoonError) return error;
  }
  throw new Error('the query was planned');
}

describe('a query that does not fit the schema is refused, and what is wrong is named', () => {
  const nested = (depth: number): Filter =>
    depth === 0 ? comparison('i', 'eq', 1n) : { kind: 'not', filter: nested(depth - 1) };
  const text = (attribute: string, query: string): QuerySpec => ({
    ...byId,
    rankBy: { kind: 'text', expression: { kind: 'bm25', attribute, query, lastAsPrefix: false } },
  });

  test.each<[string, QuerySpec, object]>([
    ['zero limit', { ...byId, limit: 0 }, { found: 0 }],
    ['limit too large', { ...byId, limit: 10_001 }, { found: 10_001 }],
    ['half a limit', { ...byId, limit: 1.5 }, { found: 1.5 }],
    ['unknown ranked attribute', text('nothing', 'a'), { attribute: 'nothing' }],
    ['text without full_text_search', text('s', 'a'), { attribute: 's', type: 'string' }],
    ['text too long', text('title', 'é'.repeat(9_000)), { attribute: 'title', bytes: 18_000 }],
    ['wrong dimensions', vectorQuery(1, 2, 3), { attribute: 'v', expected: 2, found: 3 }],
    ['not a number in a vector', vectorQuery(1, Number.NaN), { attribute: 'v' }],
    ['squared norm too large', vectorQuery(3e38, 0), { attribute: 'v' }],
    [
      'vector rank of a scalar',
      { ...byId, rankBy: { kind: 'vector', attribute: 'i', query: new Float32Array(2), exact: false } },
      { attribute: 'i', type: 'int' },
    ],
    ['no order key', order(), { count: 0 }],
    ['nine order keys', order(...Array.from({ length: 9 }, () => 'i')), { count: 9 }],
    ['order by an array', order('tags'), { attribute: 'tags', type: '[]string' }],
    ['order by a vector', order('v'), { attribute: 'v' }],
    ['unknown in a filter', filtered(comparison('x', 'eq', 1n)), { attribute: 'x' }],
    ['not filterable', filtered(comparison('title', 'eq', 'a')), { attribute: 'title' }],
    [
      'string for int',
      filtered(comparison('i', 'gte', 'a')),
      { attribute: 'i', operator: 'Gte', attributeType: 'int', valueType: 'string' },
    ],
    ['float for int', filtered(comparison('i', 'eq', 1.5)), { attributeType: 'int', valueType: 'float' }],
    ['int past 64 bits', filtered(comparison('i', 'eq', 2n ** 63n)), { attribute: 'i' }],
    ['negative uint', filtered(comparison('u', 'in', 1n, -1n)), { attributeType: 'uint' }],
    ['no uuid', filtered(comparison('g', 'eq', 'abc')), { attributeType: 'uuid', valueType: 'string' }],
    ['no datetime', filtered(comparison('d', 'lt', 'yesterday')), { attributeType: 'datetime' }],
    ['range over null', filtered(comparison('i', 'lt', null)), { valueType: 'null' }],
    ['range over an array', filtered(comparison('tags', 'lt', 'a')), { attributeType: '[]string' }],
    ['scalar for an array', filtered(comparison('tags', 'eq', 'a')), { attributeType: '[]string' }],
    ['array of others', filtered(comparison('tags', 'eq', [1n])), { valueType: '[]int' }],
    ['values of a vector', filtered(comparison('v', 'eq', [1, 2])), { attribute: 'v' }],
    ['id of another kind', filtered(comparison('id', 'eq', 7n)), { attribute: 'id', attributeType: 'uuid' }],
    ['two values for eq', filtered(comparison('i', 'eq', 1n, 2n)), { operator: 'Eq', count: 2 }],
    ['no value', filtered(comparison('i', 'lt')), { operator: 'Lt', count: 0 }],
    [
      'too many values',
      filtered(comparison('i', 'in', ...Array.from({ length: 10_001 }, () => 1n))),
      { count: 10_001 },
    ],
    ['too deep', filtered(nested(64)), { depthMax: 64 }],
    [
      'too many conditions',
      filtered({ kind: 'or', filters: Array.from({ length: 10_000 }, () => comparison('i', 'eq', 1n)) }),
      { countMax: 10_000 },
    ],
    ['unknown include', { ...byId, projection: { kind: 'include', names: ['s', 'x'] } }, { attribute: 'x' }],
    ['unknown exclude', { ...byId, projection: { kind: 'exclude', names: ['x'] } }, { attribute: 'x' }],
  ])('%s', (_title, spec, context) => {
    expect(refusal(spec)).toMatchObject({ code: 'invalid_argument', context });
  });
});

describe('values take the type of their attribute', () => {
  test.each<[string, AttributeValue, unknown]>([
    ['i', 5, 5n],
    ['f', 5n, 5],
    ['d', '1970-01-01T00:00:01Z', 1000n],
    ['d', 7n, 7n],
    [
      'g',
      'FFFFFFFF-0000-0000-0000-000000000001',
      Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    ],
    ['s', 'é', Uint8Array.of(0xc3, 0xa9)],
    ['bytes', 'AQI=', Uint8Array.of(1, 2)],
  ])('%s of %s', (attribute, value, operand) => {
    expect(planQuery(schema, filtered(comparison(attribute, 'eq', value))).filter).toMatchObject({
      operands: [operand],
    });
  });
});

test('a projection names attributes in the order of the schema, and id may be named', () => {
  const project = (projection: QuerySpec['projection']) => planQuery(schema, { ...byId, projection }).projection;
  expect(project({ kind: 'include', names: ['s', 'id', 'v'] })).toEqual(['v', 's']);
  expect(project({ kind: 'exclude', names: ['v', 'title', 's', 'i', 'u', 'f', 'g'] })).toEqual(['d', 'bytes', 'tags']);
  expect(project({ kind: 'all' })).toHaveLength(10);
});
