import { describe, expect, test } from '@jest/globals';
import type { AttributeSchema, AttributeValue, DocumentId, Schema } from '@lagoon/format';
import fc from 'fast-check';
import { answerGroups } from './oracle.ts';
import type { Aggregate, GroupKey, QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace, type TestDocument } from './testing.ts';

const scalar = (name: 'string' | 'int' | 'uint' | 'float' | 'uuid' | 'bool'): AttributeSchema => ({
  type: { kind: 'scalar', scalar: name },
  filterable: true,
});
const schema: Schema = {
  idKind: 'u64',
  attributes: new Map<string, AttributeSchema>([
    ['s', scalar('string')],
    ['i', scalar('int')],
    ['u', scalar('uint')],
    ['f', scalar('float')],
    ['g', scalar('uuid')],
    ['b', scalar('bool')],
    ['tags', { type: { kind: 'array', scalar: 'string' }, filterable: true }],
    ['v', { type: { kind: 'vector', element: 'f32', dims: 2 }, filterable: false }],
  ]),
};
const pools: Record<string, readonly AttributeValue[]> = {
  s: ['', 'a', 'b', 'é', '\u{ffff}', '\u{10000}'],
  i: [0n, -1n, 7n, 2n ** 60n, -(2n ** 60n)],
  u: [0n, 1n, 2n ** 60n],
  f: [0, -0, 1.5, -2.25],
  g: ['00000000-0000-0000-0000-000000000001', 'ffffffff-0000-4000-8000-000000000000'],
  b: [true, false],
};
const pooled = (name: string) => fc.option(fc.constantFrom(...(pools[name] as readonly AttributeValue[])), { freq: 4 });
const values = fc.record({
  ...Object.fromEntries(Object.keys(pools).map((name) => [name, pooled(name)])),
  tags: fc.option(fc.array(fc.constantFrom('x', 'y', 'zz'), { maxLength: 3 }), { freq: 4 }),
}) as fc.Arbitrary<TestDocument['values']>;

const write = fc.uniqueArray(fc.record({ id: fc.bigInt(0n, 12n), values }), { selector: ({ id }) => id, maxLength: 8 });
const aggregateOf: fc.Arbitrary<Omit<Aggregate, 'label'>> = fc.oneof(
  fc.record({ kind: fc.constant('count' as const), attribute: fc.constantFrom(undefined, 's', 'tags', 'f') }),
  fc.record({ kind: fc.constant('sum' as const), attribute: fc.constantFrom('i', 'u', 'f') }),
);
const labelled = <T extends object>(prefix: string, list: readonly T[]) =>
  list.map((one, i) => ({ ...one, label: `${prefix}${i}` }));
const spec: fc.Arbitrary<QuerySpec> = fc
  .record({
    aggregates: fc.array(aggregateOf, { minLength: 1, maxLength: 3 }),
    groupBy: fc.uniqueArray(fc.constantFrom('s', 'i', 'u', 'f', 'g', 'b', 'tags'), { maxLength: 3 }),
    filter: fc.option(fc.constantFrom('a', 'b'), { nil: undefined }),
    limit: fc.constantFrom(2, 10_000),
  })
  .map(({ aggregates, groupBy, filter, limit }) => ({
    rankBy: {
      kind: 'aggregate' as const,
      aggregates: labelled('a', aggregates) as Aggregate[],
      groupBy: groupBy.map(
        (attribute): GroupKey => ({ label: attribute, attribute, eachElement: attribute === 'tags' }),
      ),
    },
    limit,
    projection: { kind: 'none' as const },
    ...(filter === undefined
      ? {}
      : { filter: { kind: 'comparison' as const, attribute: 's', operator: 'eq' as const, values: [filter] } }),
  }));

const strong = { level: 'strong' as const, stalenessMsMax: 0, generationMin: 0 };

async function namespaceOf(documents: readonly TestDocument[]) {
  const namespace = createTestNamespace(schema);
  await namespace.write(documents);
  return { namespace, ...createTestEngine(namespace) };
}

const countOf = (extra: Partial<Aggregate> = {}): Aggregate => ({
  kind: 'count',
  label: 'n',
  attribute: undefined,
  ...extra,
});
const query = (aggregates: readonly Aggregate[], groupBy: readonly GroupKey[] = []): QuerySpec => ({
  rankBy: { kind: 'aggregate', aggregates, groupBy },
  limit: 10_000,
  projection: { kind: 'none' },
});
const by = (attribute: string, eachElement = false): GroupKey => ({ label: attribute, attribute, eachElement });

describe('aggregation', () => {
  test('counts and sums are those of brute force in every layout', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ documents: write, index: fc.boolean() }), { minLength: 1, maxLength: 5 }),
        fc.array(spec, { minLength: 1, maxLength: 4 }),
        async (steps, specs) => {
          const { namespace, engine } = await namespaceOf([]);
          const model = new Map<DocumentId, TestDocument>();
          for (const { documents, index } of steps) {
            await namespace.write(documents);
            for (const document of documents) model.set(document.id, document);
            if (index) await namespace.index();
            for (const one of specs) {
              const { rows, groups } = await engine.query('docs', one, strong);
              expect(rows).toEqual([]);
              expect(groups).toEqual(answerGroups(schema, [...model.values()], one));
            }
          }
          await engine.close();
        },
      ),
      { numRuns: 80 },
    );
  }, 60_000);

  test('a sum may pass 53 bits, not 64', async () => {
    const documents = Array.from({ length: 10 }, (_, id) => ({ id: BigInt(id), values: { i: 2n ** 60n + 1n } }));
    const { engine } = await namespaceOf(documents);
    const sum = query([{ kind: 'sum', label: 'sum', attribute: 'i' }]);
    expect((await engine.query('docs', sum, strong)).groups).toEqual([{ keys: [], values: [10n * (2n ** 60n + 1n)] }]);
    const many = await namespaceOf(
      Array.from({ length: 32 }, (_, id) => ({ id: BigInt(id), values: { i: 2n ** 60n } })),
    );
    await expect(many.engine.query('docs', sum, strong)).rejects.toThrow(
      'aggregate_by.sum: sum is too large for 64 bits',
    );
  });

  test('too many groups are refused', async () => {
    const documents = Array.from({ length: 10_001 }, (_, id) => ({ id: BigInt(id), values: { i: BigInt(id) } }));
    const { engine } = await namespaceOf(documents);
    await expect(engine.query('docs', query([countOf()], [by('i')]), strong)).rejects.toThrow(
      'too many groups: filter the rows or group by fewer attributes (max=10000)',
    );
  });

  test.each<[string, QuerySpec, string]>([
    ['no aggregate', query([]), 'wrong number of aggregates (count=0, max=32)'],
    [
      'an unknown attribute',
      query([countOf({ attribute: 'x' })]),
      'aggregate_by.n[1]: unknown attribute (attribute=x)',
    ],
    [
      'a sum of strings',
      query([countOf({ kind: 'sum', attribute: 's' })]),
      'only int, uint and float attributes have a sum (aggregate=n, attribute=s, type=string)',
    ],
    ['a sum of ids', query([countOf({ kind: 'sum', attribute: 'id' })]), 'ids have no sum (aggregate=n)'],
    [
      'an array as it is',
      query([countOf()], [by('tags')]),
      'rows are grouped by the elements of an array: use ["ForEachUnique", attribute] (attribute=tags, type=[]string)',
    ],
    [
      'a scalar by elements',
      query([countOf()], [by('s', true)]),
      'ForEachUnique needs an array (attribute=s, type=string)',
    ],
    ['a vector', query([countOf()], [by('v')]), 'rows are not grouped by such an attribute (attribute=v, type=[2]f32)'],
    ['ids', query([countOf()], [by('id')]), 'rows are not grouped by their id'],
    [
      'one name twice',
      query([countOf({ label: 's' })], [by('s')]),
      'two aggregates or group keys have one name (name=s)',
    ],
  ])('%s is refused', async (_title, refused, message) => {
    const { engine } = await namespaceOf([{ id: 1n, values: { s: 'a', tags: ['x'], v: [1, 2] } }]);
    await expect(engine.query('docs', refused, strong)).rejects.toThrow(message);
  });
});
