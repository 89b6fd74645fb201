import { describe, expect, test } from '@jest/globals';
import { type AttributeSchema, type AttributeValue, type IdKind, openBlock, type Schema } from '@lagoon/format';
import { writeSegment } from '@lagoon/segment';
import fc from 'fast-check';
import { evaluateFilter } from './evaluate-filter.ts';
import type { Filter } from './filter.ts';
import { createFilterContext } from './filter-context.ts';
import { mayMatch } from './may-match.ts';
import { planFilter } from './plan-filter.ts';
import type { FilterPlan } from './query-plan.ts';
import { encodeDocuments } from './testing.ts';

const attribute = (kind: 'scalar' | 'array', scalar: 'string' | 'float'): AttributeSchema => ({
  type: { kind, scalar },
  filterable: true,
});
const schema: Schema = {
  idKind: 'u64' satisfies IdKind,
  attributes: new Map([
    ['s', attribute('scalar', 'string')],
    ['f', attribute('scalar', 'float')],
    ['tags', attribute('array', 'string')],
    ['none', attribute('scalar', 'float')],
  ]),
};
const identity = { incarnation: 'i', generationFirst: 1, generationLast: 1 };

/** Long ones share more than the bytes that a range keeps. */
const text = fc.constantFrom('', 'a', 'b', `${'x'.repeat(40)}1`, `${'x'.repeat(40)}2`, `${'\u{10ffff}'.repeat(12)}z`);
const number = fc.constantFrom(-1.5, -0, 0, 1, 1e300);
const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 3, nil: null });

const comparison: fc.Arbitrary<Filter> = fc.constantFrom('s', 'f', 'tags', 'none').chain((name) => {
  const value: fc.Arbitrary<AttributeValue> = name === 's' || name === 'tags' ? text : number;
  const one = value.map((operand) => [operand]);
  const range = fc.record({ operator: fc.constantFrom('lt', 'lte', 'gt', 'gte'), values: one });
  const elements = fc.record({ operator: fc.constantFrom('anyLt', 'anyLte', 'anyGt', 'anyGte'), values: one });
  const among = fc.record({
    operator: fc.constantFrom('in', 'notIn'),
    values: fc.array(nullable(value), { maxLength: 3 }),
  });
  const missing = fc.record({ operator: fc.constantFrom('eq', 'notEq'), values: fc.constant([null]) });
  const rest = name === 'tags' ? fc.oneof(elements, among, missing) : fc.oneof(range, among, missing);
  return rest.map((found) => ({ kind: 'comparison', attribute: name, ...found }) as Filter);
});

const filter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small' },
    comparison,
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      filters: fc.array(tie('filter'), { maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('not' as const), filter: tie('filter') }),
  ),
})).filter;

describe('ranges of attributes', () => {
  test('only rule out what no row matches, and often do', async () => {
    let ruledOut = 0;
    const row = fc.record({ s: nullable(text), f: nullable(number), tags: nullable(fc.array(text, { maxLength: 2 })) });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 4 }), filter, async (rows, wanted) => {
        const documents = rows.map((values, i) => ({ id: BigInt(i), values }));
        const block = openBlock(encodeDocuments(schema, documents, []));
        const { attributeRanges } = await writeSegment(block, schema, identity);
        expect(attributeRanges.map(({ name }) => name)).toEqual([...schema.attributes.keys()]);
        const plan: FilterPlan = planFilter(schema, wanted, 'filters');
        if (mayMatch({ rowCount: rows.length, ranges: attributeRanges }, plan)) return;
        ruledOut++;
        expect(evaluateFilter(createFilterContext(), { block }, plan).every((byte) => byte === 0)).toBe(true);
      }),
      { numRuns: 400 },
    );
    expect(ruledOut).toBeGreaterThan(40);
  });

  test('rows of which nothing is known may match anything', () => {
    const plan = planFilter(schema, { kind: 'comparison', attribute: 's', operator: 'eq', values: ['a'] }, 'filters');
    expect(mayMatch({ rowCount: 3, ranges: [] }, plan)).toBe(true);
  });
});
