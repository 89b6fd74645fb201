import { create, toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { isLagoonError } from '@lagoon/base';
import { ScoreExpressionSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createTestGateway } from '../testing/recording-backends.ts';
import { parseScore } from './parse-score.ts';

const text = ['t', 'BM25', 'x'];
const parsed = (value: unknown): unknown =>
  toJson(ScoreExpressionSchema, create(ScoreExpressionSchema, parseScore(value, 'rank_by')));
const textMessage = { attribute: 't', query: 'x' };

describe('a score expression', () => {
  test.each<[string, unknown, unknown]>([
    ['a clause', text, { text: textMessage }],
    [
      'tokens and a prefix',
      ['t', 'BM25', ['x', 'y'], { last_as_prefix: true }],
      { text: { attribute: 't', tokens: ['x', 'y'], lastAsPrefix: true } },
    ],
    ['a sum', ['Sum', [text, ['Attribute', 'n']]], { sum: { parts: [{ text: textMessage }, { attribute: 'n' }] } }],
    ['a maximum', ['Max', [text]], { max: { parts: [{ text: textMessage }] } }],
    ['a product', ['Product', 2, text], { product: { factor: 2, part: { text: textMessage } } }],
    [
      'a product, number last',
      ['Product', text, 0.5],
      { product: { factor: 0.5, part: { text: textMessage }, partFirst: true } },
    ],
    [
      'a filter',
      ['Not', ['a', 'Eq', 1]],
      {
        filter: {
          not: { comparison: { attribute: 'a', operator: 'COMPARISON_OPERATOR_EQ', values: [{ intValue: '1' }] } },
        },
      },
    ],
    [
      'a saturation',
      ['Saturate', text, { midpoint: 3, exponent: 2 }],
      { saturate: { part: { text: textMessage }, midpoint: 3, exponent: 2 } },
    ],
    [
      'a decay of a distance',
      ['Decay', ['Dist', ['Attribute', 'at'], '2026-01-01'], { midpoint: '1.5h' }],
      {
        decay: {
          part: { dist: { part: { attribute: 'at' }, origin: { stringValue: '2026-01-01' } } },
          midpoint: 5_400_000,
          exponent: 1,
        },
      },
    ],
    [
      'an attribute with the name of a function, filtered',
      ['Sum', 'Eq', null],
      { filter: { comparison: { attribute: 'Sum', operator: 'COMPARISON_OPERATOR_EQ', values: [{}] } } },
    ],
  ])('%s is read', (_, value, expected) => {
    expect(parsed(value)).toEqual(expected);
  });

  const deep = (depth: number): unknown => (depth === 0 ? text : ['Product', 2, deep(depth - 1)]);
  test.each<[string, unknown, number, RegExp]>([
    ['no operator', ['Sum', [['t']]], 400, /rank_by\[1\]\[0\]: expected \[attribute, .*nothing/],
    ['a part that is no array', ['Sum', ['t']], 422, /rank_by\[1\]\[0\]: expected \[attribute/],
    ['a sum of an object', ['Sum', {}], 422, /rank_by\[1\]: expected an array of expressions/],
    ['a sum of nothing', ['Max', []], 400, /rank_by\[1\]: Max of nothing/],
    ['a vector inside', ['Sum', [text, ['v', 'ANN', [1]]]], 400, /rank_by\[1\]\[1\]\[1\]: a vector cannot/],
    ['an order inside', ['Sum', [['n', 'asc']]], 400, /rank_by\[1\]\[0\]: expected/],
    ['a product without a number', ['Product', text, text], 422, /rank_by\[1\]: expected a number, found an array/],
    ['a product of numbers', ['Product', 1, 2], 422, /rank_by\[2\]: expected \[attribute/],
    ['a product of three', ['Product', 1, text, text], 400, /rank_by: expected 3 parts/],
    ['an attribute of a number', ['Attribute', 5], 422, /rank_by\[1\]: expected the name/],
    ['no midpoint', ['Saturate', text, {}], 422, /rank_by\[2\]\.midpoint: expected a number, found nothing/],
    ['midpoint 0', ['Saturate', text, { midpoint: 0 }], 400, /rank_by\[2\]\.midpoint: must be above 0/],
    ['an unknown unit', ['Decay', text, { midpoint: '6y' }], 400, /rank_by\[2\]\.midpoint: expected a number, or/],
    ['exponent below 0', ['Decay', text, { midpoint: 1, exponent: -1 }], 400, /exponent: must be above 0/],
    ['an unknown parameter', ['Decay', text, { middle: 1 }], 422, /rank_by\[2\]\.middle: unknown field/],
    ['an origin that is no datetime', ['Dist', ['Attribute', 'a'], 'soon'], 400, /rank_by\[2\]: is no datetime/],
    ['an origin of another shape', ['Dist', ['Attribute', 'a'], [1]], 422, /rank_by\[2\]: expected a number or/],
    ['a token that is a number', ['t', 'BM25', ['x', 5]], 422, /rank_by\[2\]\[1\]: expected a token/],
    ['too many tokens', ['t', 'BM25', new Array(1_025).fill('x')], 400, /rank_by\[2\]: the query text is too long/],
    ['a filter that is wrong', ['Sum', [['a', 'Like', 1]]], 400, /rank_by\[1\]\[0\]: expected/],
    ['a filter whose value is wrong', ['Sum', [['a', 'In', 1]]], 422, /rank_by\[1\]\[0\]\[2\]: expected an array/],
    ['too deep an expression', deep(16), 400, /nested too deeply/],
    ['too many parts', ['Sum', new Array(256).fill(text)], 400, /rank_by\[1\]\[255\]: .* too many parts/],
  ])('%s is refused with its path', async (_, rankBy, status, message) => {
    const { call, backends } = createTestGateway();
    const answer = await call('POST', '/v2/namespaces/a/query', { rank_by: rankBy });
    expect(answer.text).toMatch(message);
    expect(answer.status).toBe(status);
    expect(backends.queries).toHaveLength(0);
  });

  test('at the bounds is read', () => {
    expect(() => parsed(deep(15))).not.toThrow();
    expect(() => parsed(['Sum', new Array(255).fill(text)])).not.toThrow();
    try {
      parsed(deep(16));
    } catch (error) {
      expect(isLagoonError(error, 'invalid_argument')).toBe(true);
    }
  });
});
