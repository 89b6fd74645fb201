import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSeededRandom } from '@lagoon/base';
import { type AttributeSchema, fullTextSearchDefaults, type Schema } from '@lagoon/format';
import fc from 'fast-check';
import type { Filter } from './filter.ts';
import { answer } from './oracle.ts';
import type { QueryEngine } from './query-engine.ts';
import type { ConsistencySpec, QuerySpec } from './query-spec.ts';
import type { ScoreExpression } from './score-expression.ts';
import { createTestEngine, createTestNamespace, type TestDocument } from './testing.ts';

/** Enough rows that lists have many blocks and windows, so that bounds leave rows out: two segments, deletes, a tail. */
const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };
const rowCount = 9_000;
const words = ['the', 'of', 'sea', 'deep', 'red', 'coral', 'reef', 'abyss'];

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map<string, AttributeSchema>([
    ['text', { type: { kind: 'scalar', scalar: 'string' }, filterable: false, fullTextSearch: fullTextSearchDefaults }],
    ['n', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
  ]),
};

/** Word i is in about one row of 2^i. */
function documentsOf(): TestDocument[] {
  const random = createSeededRandom(3);
  return Array.from({ length: rowCount }, (_, i) => {
    const text = words.filter((_word, rank) => random.float() < 0.5 ** rank);
    const repeated = [...text, ...text.filter(() => random.float() < 0.2)];
    const n = random.float() < 0.1 ? null : BigInt(Math.floor(random.float() * 1_000));
    return { id: BigInt(i), values: { text: repeated.join(' '), n } };
  });
}

const bm25 = fc
  .record({
    query: fc.array(fc.constantFrom(...words, 'missing'), { minLength: 1, maxLength: 5 }),
    lastAsPrefix: fc.boolean(),
  })
  .map(({ query, lastAsPrefix }) => ({
    kind: 'bm25' as const,
    attribute: 'text',
    query: query.join(' '),
    lastAsPrefix,
  }));
const few: Filter = { kind: 'comparison', attribute: 'n', operator: 'eq', values: [7n] };
const most: Filter = { kind: 'comparison', attribute: 'n', operator: 'gte', values: [100n] };

const expression = fc.letrec<{ expression: ScoreExpression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small' },
    { weight: 6, arbitrary: bm25 },
    { weight: 1, arbitrary: fc.constant({ kind: 'attribute' as const, attribute: 'n' }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'filter' as const, filter: few }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom('sum' as const, 'max' as const),
        parts: fc.array(tie('expression'), { minLength: 1, maxLength: 3 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('product' as const),
        factor: fc.constantFrom(0.01, 2, -1),
        part: tie('expression'),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom('saturate' as const, 'decay' as const),
        part: tie('expression'),
        midpoint: fc.constantFrom(0.5, 3, 400),
        exponent: fc.constantFrom(1, 1.7),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('dist' as const), part: tie('expression'), origin: fc.constant(500) }),
    },
  ),
})).expression;

describe('text ranking of many rows', () => {
  const documents = documentsOf();
  const live = documents.filter(({ id }) => (id as bigint) % 50n !== 3n);
  let engine: QueryEngine;

  beforeAll(async () => {
    const namespace = createTestNamespace(schema);
    await namespace.write(documents.slice(0, 6_000));
    await namespace.index();
    await namespace.write(documents.slice(6_000, 8_500));
    await namespace.index();
    const dead = documents.filter(({ id }) => (id as bigint) % 50n === 3n).map(({ id }) => id);
    await namespace.write(
      documents.slice(8_500).filter(({ id }) => !dead.includes(id)),
      dead,
    );
    ({ engine } = createTestEngine(namespace));
  });
  afterAll(() => engine.close());

  const rank = async (score: ScoreExpression, limit: number, filter?: Filter) => {
    const spec: QuerySpec = {
      rankBy: { kind: 'text', expression: score },
      limit,
      projection: { kind: 'none' },
      ...(filter === undefined ? {} : { filter }),
    };
    const { rows, statistics } = await engine.query('docs', spec, strong);
    return { found: rows.map(({ id, dist }) => ({ id, dist })), wanted: answer(schema, live, spec), statistics };
  };

  test('is that of exhaustive evaluation, in ids, scores and order', async () => {
    await fc.assert(
      fc.asyncProperty(
        expression,
        fc.constantFrom(1, 10, 300),
        fc.constantFrom(undefined, few, most),
        async (score, limit, filter) => {
          const { found, wanted } = await rank(score, limit, filter);
          expect(found).toEqual(wanted);
        },
      ),
      { numRuns: 30 },
    );
  }, 60_000);

  const text = (query: string): ScoreExpression => ({ kind: 'bm25', attribute: 'text', query, lastAsPrefix: false });
  const boost = (part: ScoreExpression): ScoreExpression => ({
    kind: 'sum',
    parts: [part, { kind: 'product', factor: 0.1, part: { kind: 'filter', filter: most } }],
  });

  test.each<[string, ScoreExpression]>([
    ['a clause', text('the abyss')],
    ['a maximum', { kind: 'max', parts: [text('the'), text('abyss')] }],
    ['a saturated clause', { kind: 'saturate', part: text('the abyss'), midpoint: 2, exponent: 1 }],
  ])('of %s looks at few rows, by the index', async (_, score) => {
    const { found, wanted, statistics } = await rank(score, 3);
    expect(found).toEqual(wanted);
    expect(statistics.scoredRowCount).toBeLessThan(rowCount / 2);
    expect(statistics.exhaustiveRowCount).toBeLessThan(rowCount / 2);
  });

  test('of a clause with a boost by a filter looks at rows without the index only until enough are found', async () => {
    const { found, wanted, statistics } = await rank(boost(text('abyss reef')), 3);
    expect(found).toEqual(wanted);
    expect(statistics.exhaustiveRowCount).toBeLessThan(6_000);
  });

  test('of a distance, which no index leads to, looks at rows without one and says so', async () => {
    const { found, wanted, statistics } = await rank({ kind: 'dist', part: text('sea'), origin: 1 }, 3);
    expect(found).toEqual(wanted);
    expect(statistics.exhaustiveRowCount).toBeGreaterThan(1_000);
    expect(statistics.exhaustiveRowCount).toBe(statistics.scoredRowCount);
  });
});
