import { describe, expect, test } from '@jest/globals';
import type { AttributeSchema, AttributeValue, DocumentId, Schema } from '@lagoon/format';
import fc from 'fast-check';
import { answer } from './oracle.ts';
import type { LimitPer, QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace, type TestDocument } from './testing.ts';

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map<string, AttributeSchema>([
    ['s', { type: { kind: 'scalar', scalar: 'string' }, filterable: true }],
    ['i', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
    ['hidden', { type: { kind: 'scalar', scalar: 'int' }, filterable: false }],
    ['tags', { type: { kind: 'array', scalar: 'string' }, filterable: true }],
    ['v', { type: { kind: 'vector', element: 'f32', dims: 2 }, filterable: false }],
  ]),
};
const strong = { level: 'strong' as const, stalenessMsMax: 0, generationMin: 0 };

const values = fc.record({
  s: fc.constantFrom<AttributeValue>('a', 'b', 'c', null),
  i: fc.constantFrom<AttributeValue>(1n, 2n, null),
  v: fc.tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -3, max: 3 })),
});
const specOf = (limitPer: LimitPer, limit: number, byVector: boolean): QuerySpec => ({
  rankBy: byVector
    ? { kind: 'vector', attribute: 'v', query: Float32Array.of(1, 0), exact: true }
    : { kind: 'order', keys: [{ attribute: 'i', descending: true }] },
  limit,
  limitPer,
  projection: { kind: 'none' },
});

describe('limit per group', () => {
  test('is the rule applied row by row, in every layout', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(values, { maxLength: 12 }), { minLength: 1, maxLength: 3 }),
        fc.constantFrom(['s'], ['s', 'i']),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        async (batches, attributes, perLimit, limit, byVector) => {
          const namespace = createTestNamespace(schema);
          const { engine } = createTestEngine(namespace);
          const model = new Map<DocumentId, TestDocument>();
          await namespace.write([]);
          for (const [i, batch] of batches.entries()) {
            const documents = batch.map((one, row) => ({ id: BigInt(7 * i + row), values: one }));
            await namespace.write(documents);
            for (const document of documents) model.set(document.id, document);
            if (i === 0) await namespace.index();
          }
          const spec = specOf({ attributes, limit: perLimit }, limit, byVector);
          const { rows } = await engine.query('docs', spec, strong);
          expect(rows.map(({ id }) => id)).toEqual(answer(schema, [...model.values()], spec).map(({ id }) => id));
          await engine.close();
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  test('goes on behind a page that one group fills', async () => {
    const namespace = createTestNamespace(schema);
    const documents = Array.from({ length: 600 }, (_, id) => ({
      id: BigInt(id),
      values: { s: id < 500 ? 'many' : id < 550 ? 'some' : String(id), i: 5n },
    }));
    await namespace.write(documents);
    const { engine } = createTestEngine(namespace);
    const spec = specOf({ attributes: ['s'], limit: 2 }, 7, false);
    const { rows } = await engine.query('docs', spec, strong);
    expect(rows.map(({ id }) => id)).toEqual([0n, 1n, 500n, 501n, 550n, 551n, 552n]);
  });

  test.each<[string, LimitPer, string]>([
    ['no attribute', { attributes: [], limit: 1 }, 'limit.per.attributes: wrong number of attributes (found=0, max=8)'],
    ['an unknown one', { attributes: ['x'], limit: 1 }, 'limit.per.attributes[0]: unknown attribute (attribute=x)'],
    [
      'an array',
      { attributes: ['tags'], limit: 1 },
      'limit.per.attributes[0]: rows are grouped by scalar attributes (attribute=tags, type=[]string)',
    ],
    ['what cannot be filtered', { attributes: ['hidden'], limit: 1 }, 'attribute is not filterable (attribute=hidden)'],
    ['no rows', { attributes: ['s'], limit: 0 }, 'limit.per.limit: out of range (limit=0, min=1, max=10000)'],
  ])('%s is refused', async (_title, limitPer, message) => {
    const namespace = createTestNamespace(schema);
    await namespace.write([{ id: 1n, values: { s: 'a' } }]);
    const { engine } = createTestEngine(namespace);
    await expect(engine.query('docs', specOf(limitPer, 1, false), strong)).rejects.toThrow(message);
  });
});
