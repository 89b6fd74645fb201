import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { queryLimits } from '@lagoon/format';
import { ComparisonOperator, FilterSchema, PatternOperator, TokenOperator } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { readCondition, readFilter } from './read-filter.ts';

type Kind = NonNullable<MessageInitShape<typeof FilterSchema>['kind']>;
const message = (kind: Kind) => create(FilterSchema, { kind });
const text = (value: string) => ({ kind: { case: 'stringValue' as const, value } });
const reference = (value: string) => ({ kind: { case: 'newValueOf' as const, value } });
const comparison = (operator: ComparisonOperator, ...values: ReturnType<typeof text | typeof reference>[]): Kind => ({
  case: 'comparison',
  value: { attribute: 'a', operator, values },
});

describe('reading filters', () => {
  test('every comparison has a name of its own', () => {
    const operators = Object.values(ComparisonOperator).filter((one) => typeof one === 'number' && one !== 0);
    const read = operators.map((operator) => {
      const filter = readFilter(message(comparison(operator as ComparisonOperator, text('x'))), 'filters');
      return filter.kind === 'comparison' ? filter.operator : undefined;
    });
    expect(new Set(read).size).toBe(operators.length);
    expect(read).not.toContain(undefined);
  });

  test('patterns, fuzzy queries and tokens are read as they are', () => {
    const all = {
      filters: [
        {
          kind: { case: 'pattern' as const, value: { attribute: 'a', operator: PatternOperator.I_GLOB, pattern: '*' } },
        },
        {
          kind: {
            case: 'fuzzy' as const,
            value: { attribute: 'a', query: 'x', maxEditDistance: [{ minQueryChars: 6, distance: 1 }] },
          },
        },
        {
          kind: {
            case: 'tokens' as const,
            value: { attribute: 'a', operator: TokenOperator.ANY, texts: ['x', 'y'], lastAsPrefix: true },
          },
        },
      ],
    };
    expect(readFilter(message({ case: 'or', value: all }), 'filters')).toEqual({
      kind: 'or',
      filters: [
        { kind: 'pattern', attribute: 'a', operator: 'iGlob', pattern: '*' },
        {
          kind: 'fuzzy',
          attribute: 'a',
          query: 'x',
          maxEditDistance: [{ minQueryChars: 6, distance: 1 }],
          caseSensitive: true,
        },
        { kind: 'tokens', attribute: 'a', operator: 'any', texts: ['x', 'y'], lastAsPrefix: true },
      ],
    });
  });

  test('a condition may refer to a new value, a filter may not, and neither within a list', () => {
    const referring = message(comparison(ComparisonOperator.EQ, reference('b')));
    expect(readCondition(referring, 'upsert_condition')).toMatchObject({ values: [{ newValueOf: 'b' }] });
    expect(() => readFilter(referring, 'filters')).toThrow(/filters\[2\]: \$ref_new has a meaning/);
    const within = message({
      case: 'comparison',
      value: {
        attribute: 'a',
        operator: ComparisonOperator.EQ,
        values: [{ kind: { case: 'arrayValue', value: { values: [reference('b')] } } }],
      },
    });
    expect(() => readCondition(within, 'upsert_condition')).toThrow(/upsert_condition\[2\]: \$ref_new has a meaning/);
  });

  const nested = (depth: number): MessageInitShape<typeof FilterSchema> => ({
    kind: depth === 0 ? comparison(ComparisonOperator.EQ, text('x')) : { case: 'not', value: nested(depth - 1) },
  });
  test.each<readonly [string, Kind, RegExp]>([
    ['nothing', { case: undefined }, /filters: expected a filter, found nothing/],
    ['nothing within', { case: 'and', value: { filters: [{}] } }, /filters\[1\]\[0\]: expected a filter/],
    ['no operator', comparison(ComparisonOperator.UNSPECIFIED, text('x')), /filters\[1\]: unknown operator/],
    ['an operator of tomorrow', comparison(99 as ComparisonOperator, text('x')), /filters\[1\]: unknown operator.*99/],
    ['no value', comparison(ComparisonOperator.EQ), /filters\[2\]: the operator takes one value.*operator=Eq, count=0/],
    ['two values', comparison(ComparisonOperator.CONTAINS, text('x'), text('y')), /operator=Contains, count=2/],
    ['too deep', { case: 'not', value: nested(queryLimits.filterDepthMax) }, /nested too deeply/],
    [
      'an unknown pattern',
      { case: 'pattern', value: { attribute: 'a', operator: 77 as PatternOperator, pattern: 'x' } },
      /filters\[1\]: unknown operator/,
    ],
    [
      'a vector',
      { case: 'comparison', value: { operator: 1, values: [{ kind: { case: 'vectorValue', value: {} } }] } },
      /filters\[2\]: a filter compares no vectors/,
    ],
    [
      'half a uuid',
      {
        case: 'comparison',
        value: { operator: 1, values: [{ kind: { case: 'uuidValue', value: new Uint8Array(8) } }] },
      },
      /filters\[2\]: a uuid has 16 bytes/,
    ],
    [
      'steps out of bounds',
      { case: 'fuzzy', value: { attribute: 'a', query: 'x', maxEditDistance: [{ minQueryChars: 30, distance: 3 }] } },
      /filters\[3\]\.max_edit_distance\[0\]\.distance: expected 0 to 2/,
    ],
    [
      'the same step twice',
      {
        case: 'fuzzy',
        value: {
          attribute: 'a',
          query: 'x',
          maxEditDistance: [
            { minQueryChars: 9, distance: 2 },
            { minQueryChars: 9, distance: 1 },
          ],
        },
      },
      /max_edit_distance\[1\]\.min_query_chars: two steps begin at the same length/,
    ],
  ])('%s is refused', (_title, kind, expected) => {
    expect(() => readFilter(message(kind), 'filters')).toThrow(expected);
  });
});
