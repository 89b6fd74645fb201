import { expect, test } from '@jest/globals';
import {
  type AttributeValue,
  type Block,
  createBitmap,
  createFullBitmap,
  encodeBlock,
  fullTextSearchDefaults,
  getBit,
  openBlock,
  type Schema,
  setBit,
} from '@lagoon/format';
import fc from 'fast-check';
import { evaluateFilter } from './evaluate-filter.ts';
import type { Filter } from './filter.ts';
import { createFilterContext, type FilterTarget } from './filter-context.ts';
import { sampleFilters } from './filter-samples.ts';
import { planFilter } from './plan-filter.ts';
import { createRowMatcher } from './row-matcher.ts';
import { createTextIndexCache } from './text-index-cache.ts';

const searched = { regex: true, fuzzy: true, fullTextSearch: fullTextSearchDefaults } as const;
const schema: Schema = {
  idKind: 'u64',
  attributes: new Map([
    ['n', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
    ['s', { type: { kind: 'scalar', scalar: 'string' }, filterable: true, ...searched }],
    ['a', { type: { kind: 'array', scalar: 'string' }, filterable: true, ...searched }],
    ['absent', { type: { kind: 'scalar', scalar: 'float' }, filterable: true }],
  ]),
};

const context = createFilterContext();
const number = fc.bigInt({ min: -2n, max: 3n });
const text = fc.constantFrom('', 'a', 'b', 'ab', 'a b', 'ab b a', 'abcdefg');
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
const others = sampleFilters({
  ...{ idKind: 'u64', ids: [], words: ['a', 'b', 'ab'] },
  elements: { a: ['', 'a', 'b'] },
  patterned: ['s', 'a'],
  searched: ['s', 'a'],
});
const filter = fc.letrec<{ node: Filter }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    leaf,
    others,
    fc.record({ kind: fc.constantFrom('and', 'or'), filters: fc.array(tie('node'), { maxLength: 3 }) }),
    fc.record({ kind: fc.constant('not'), filter: tie('node') }),
  ) as fc.Arbitrary<Filter>,
})).node;

function blockOf(rows: readonly { readonly n: unknown; readonly s: unknown; readonly a: unknown }[]): Block {
  return openBlock(
    encodeBlock({
      idKind: 'u64',
      ids: rows.map((_, index) => BigInt(index)),
      deletes: [],
      columns: (['n', 's', 'a'] as const).map((name) => ({
        name,
        type: schema.attributes.get(name)?.type ?? { kind: 'scalar', scalar: 'int' },
        values: rows.map((one) => one[name] as AttributeValue),
      })),
    }),
  );
}

test('a row matches exactly where the filter over the whole block says so', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8 }), filter, (rows, spec) => {
      const block = blockOf(rows);
      const plan = planFilter(schema, spec, 'filters');
      const expected = evaluateFilter(context, { block }, plan);
      const matches = createRowMatcher(context, block, plan);
      for (let index = 0; index < rows.length; index++) expect(matches(index)).toBe(getBit(expected, index));
    }),
    { numRuns: 500 },
  );
});

const someOf = fc.array(fc.nat({ max: 39 }), { maxLength: 40 });
test.each([
  ['trees', filter, 300],
  ['conditions on texts and elements', others, 1_500],
] as const)('over some rows, by reading and by a text index a filter says the same: %s', (_title, filters, numRuns) => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 40, size: 'max' }), filters, someOf, (rows, spec, some) => {
      const block = blockOf(rows);
      const plan = planFilter(schema, spec, 'filters');
      const within = createBitmap(rows.length);
      for (const index of some) if (index < rows.length) setBit(within, index);
      const indexes = createTextIndexCache(1 << 20);
      const textOf: FilterTarget['textOf'] = (name, settings) => {
        const column = block.columns.get(name)?.column;
        return column && indexes.indexOf('b', name, settings, rows.length, column);
      };
      const matches = createRowMatcher(context, block, plan);
      const expected = rows.map((_row, index) => matches(index));
      const targets = [{ block }, { block, textOf }];
      for (const target of targets) {
        const all = evaluateFilter(context, target, plan);
        expect(rows.map((_row, index) => getBit(all, index))).toEqual(expected);
        const few = evaluateFilter(context, target, plan, within);
        for (const index of some) if (index < rows.length) expect(getBit(few, index)).toBe(expected[index]);
      }
    }),
    { numRuns },
  );
});

test('evaluation ends when nobody waits for it any more', () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => ({ n: null, s: `row ${i}`, a: null }));
  const block = blockOf(rows);
  const tests = ['^[a-z]+ 9+$', 'row'].map(
    (pattern): Filter => ({ kind: 'pattern', attribute: 's', operator: 'regex', pattern }),
  );
  const plan = planFilter(schema, { kind: 'or', filters: tests }, 'filters');
  let looks = 0;
  const leaving = createFilterContext({
    checkCancelled: () => {
      if (++looks > 5) throw new Error('left');
    },
  });
  expect(() => evaluateFilter(leaving, { block }, plan)).toThrow('left');
  const few = createFullBitmap(block.rowCount).fill(0, 8);
  looks = 0;
  evaluateFilter(leaving, { block }, plan, few);
  expect(looks).toBe(3);
});
