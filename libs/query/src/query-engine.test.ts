import { describe, expect, test } from '@jest/globals';
import { type AttributeSchema, fullTextSearchDefaults, type Schema } from '@lagoon/format';
import type { ConsistencySpec, QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace } from './testing.ts';

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map([
    [
      'v',
      {
        type: { kind: 'vector', element: 'f32', dims: 2 },
        filterable: false,
        ann: { distanceMetric: 'euclidean_squared' },
      },
    ],
    ['n', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
  ]),
};
const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };
const nearest: QuerySpec = {
  rankBy: { kind: 'vector', attribute: 'v', query: Float32Array.of(0, 0), exact: true },
  limit: 10,
  projection: { kind: 'all' },
};

const document = (id: bigint, x: number) => ({ id, values: { v: [x, 0], n: BigInt(x) } });

describe('a vector query', () => {
  test('sees the tail, segments, upserts and deletes alike', async () => {
    const namespace = createTestNamespace(schema);
    const { engine } = createTestEngine(namespace);
    await namespace.write([document(1n, 1), document(2n, 2), document(3n, 3)]);
    await namespace.index();
    await namespace.write([document(2n, 9), document(4n, 4)], [3n]);
    const result = await engine.query('docs', nearest, strong);
    expect(result.rows.map(({ id, dist }) => [id, dist])).toEqual([
      [1n, 1],
      [4n, 16],
      [2n, 81],
    ]);
    expect(result.rows[0]?.attributes).toEqual([
      { name: 'v', type: { kind: 'vector', element: 'f32', dims: 2 }, value: Float32Array.of(1, 0) },
      { name: 'n', type: { kind: 'scalar', scalar: 'int' }, value: 1n },
    ]);
    await engine.close();
  });
});

describe('a text query', () => {
  const fullText: Schema = {
    idKind: 'string',
    attributes: new Map<string, AttributeSchema>([
      ['tags', { type: { kind: 'array', scalar: 'string' }, filterable: true, fullTextSearch: fullTextSearchDefaults }],
    ]),
  };
  const about = (query: string): QuerySpec => ({
    rankBy: { kind: 'text', expression: { kind: 'bm25', attribute: 'tags', query, lastAsPrefix: false } },
    limit: 10,
    projection: { kind: 'none' },
  });

  test('finds the elements of string arrays', async () => {
    const namespace = createTestNamespace(fullText);
    await namespace.write([
      { id: 'a', values: { tags: ['deep sea', 'red'] } },
      { id: 'b', values: { tags: ['sea', 'sea'] } },
      { id: 'c', values: {} },
    ]);
    const { engine } = createTestEngine(namespace);
    expect((await engine.query('docs', about('sea'), strong)).rows.map(({ id }) => id)).toEqual(['b', 'a']);
    expect((await engine.query('docs', about('nothing'), strong)).rows).toEqual([]);
    await engine.close();
  });

  test('of too many terms is refused', async () => {
    const namespace = createTestNamespace(fullText);
    await namespace.write([{ id: 'a', values: { tags: ['sea'] } }]);
    const { engine } = createTestEngine(namespace);
    const failure = engine.query('docs', about('a '.repeat(1_025)), strong);
    await expect(failure).rejects.toMatchObject({ code: 'invalid_argument', context: { count: 1_025 } });
    await engine.close();
  });
});
