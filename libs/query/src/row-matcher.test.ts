import { expect, test } from '@jest/globals';
import { encodeBlock, getBit, openBlock, type Schema } from '@lagoon/format';
import fc from 'fast-check';
import { evaluateFilter } from './evaluate-filter.ts';
import type { Filter } from './filter.ts';
import { createFilterContext } from './filter-context.ts';
import { planFilter } from './plan-filter.ts';
import { createRowMatcher } from './row-matcher.ts';

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map([
    ['n', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
    ['s', { type: { kind: 'scalar', scalar: 'string' }, filterable: true }],
    ['a', { type: { kind: 'array', scalar: 'string' }, filterable: true }],
    ['absent', { type: { kind: 'scalar', scalar: 'float' }, filterable: true }],
  ]),
};

const context = createFilterContext();
const number = fc.bigInt({ min: -2n, max: 3n });
const text = fc.constantFrom('', 'a', 'b', 'ab');
const orNull = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: null, freq: 3 });
const row = fc.record({ n: orNull(number), s: orNull(text), a: orNull(fc.array(text, { maxLength: 3 })) });

const range = fc.constantFrom('lt', 'lte', 'gt', 'gte');
const equal = fc.constantFrom('eq', 'notEq');
const list = fc.constantFrom('in', 'notIn');
const comparison = (attribute: string, operator: fc.Arbitrary<string>, values: fc.Arbitrary<unknown[]>) =>
  fc.record({ kind: fc.constant('comparison'), attribute: fc.constant(attribute), operator, values });
const leaf = fc.oneof(
  ...[range, equal].flatMap((operator) => [
    comparison(
      'n',
      operator,
      number.map((value) => [value]),
    ),
    comparison(
      's',
      operator,
      text.map((value) => [value]),
    ),
    comparison(
      'id',
      operator,
      fc.bigInt({ min: 0n, max: 9n }).map((value) => [value]),
    ),
    comparison('absent', operator, fc.constant([1])),
  ]),
  comparison(
    'a',
    equal,
    fc.array(text, { maxLength: 2 }).map((value) => [value]),
  ),
  ...['n', 's', 'a'].map((name) => comparison(name, equal, fc.constant([null]))),
  comparison('s', list, fc.array(orNull(text), { maxLength: 6 })),
  comparison('a', list, fc.array(orNull(text), { maxLength: 2 })),
  comparison('id', list, fc.array(fc.bigInt({ min: 0n, max: 9n }), { maxLength: 3 })),
) as fc.Arbitrary<Filter>;
const filter = fc.letrec<{ node: Filter }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({ kind: fc.constantFrom('and', 'or'), filters: fc.array(tie('node'), { maxLength: 3 }) }),
    fc.record({ kind: fc.constant('not'), filter: tie('node') }),
  ) as fc.Arbitrary<Filter>,
})).node;

test('a row matches exactly where the filter over the whole block says so', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8 }), filter, (rows, spec) => {
      const block = openBlock(
        encodeBlock({
          idKind: 'u64',
          ids: rows.map((_, index) => BigInt(index)),
          deletes: [],
          columns: (['n', 's', 'a'] as const).map((name) => ({
            name,
            type: schema.attributes.get(name)?.type ?? { kind: 'scalar', scalar: 'int' },
            values: rows.map((one) => one[name]),
          })),
        }),
      );
      const plan = planFilter(schema, spec, 'filters');
      const expected = evaluateFilter(context, { block }, plan);
      const matches = createRowMatcher(context, block, plan);
      for (let index = 0; index < rows.length; index++) expect(matches(index)).toBe(getBit(expected, index));
    }),
    { numRuns: 500 },
  );
});
