import { expect, test } from '@jest/globals';
import type { AttributeSchema, Schema } from '@lagoon/format';
import { createTestEngine, createTestNamespace, randomOrders } from './testing.ts';

const strong = { level: 'strong', stalenessMsMax: 0, generationMin: 0 } as const;

test('of many rows at one distance the lowest ids are answered, wherever the rows lie', async () => {
  const attributes = new Map<string, AttributeSchema>([
    ['v', { type: { kind: 'vector', element: 'f32', dims: 3 }, filterable: false }],
    ['even', { type: { kind: 'scalar', scalar: 'bool' }, filterable: true }],
  ]);
  const schema: Schema = { idKind: 'u64', attributes };
  const namespace = createTestNamespace(schema, { orderOf: randomOrders(5) });
  const documents = Array.from({ length: 500 }, (_, i) => ({
    id: BigInt(i),
    values: { v: [i < 400 ? 1 : 2, 0, 1], even: i % 2 === 0 },
  }));
  await namespace.write(documents);
  await namespace.index();
  const { engine } = createTestEngine(namespace);
  const nearest = async (limit: number, onlyEven: boolean) => {
    const filter = { kind: 'comparison', attribute: 'even', operator: 'eq', values: [true] } as const;
    const { rows } = await engine.query(
      'docs',
      {
        rankBy: { kind: 'vector', attribute: 'v', query: Float32Array.of(2, 0, 1), exact: true },
        limit,
        projection: { kind: 'none' },
        ...(onlyEven ? { filter } : {}),
      },
      strong,
    );
    return rows.map(({ id }) => Number(id));
  };
  const far = Array.from({ length: 400 }, (_, i) => i);
  const near = Array.from({ length: 100 }, (_, i) => 400 + i);
  expect(await nearest(7, false)).toEqual(near.slice(0, 7));
  expect(await nearest(100, false)).toEqual(near);
  expect(await nearest(130, false)).toEqual([...near, ...far.slice(0, 30)]);
  expect(await nearest(60, true)).toEqual([...near, ...far].filter((id) => id % 2 === 0).slice(0, 60));
});

test.each(['f16', 'i8'] as const)('so in a segment that is read in several parts, %s', async (element) => {
  const rowCount = 70_000; // distances are read for 32,768 rows at a time
  const attributes = new Map<string, AttributeSchema>([
    ['v', { type: { kind: 'vector', element, dims: 3 }, filterable: false }],
  ]);
  const order = randomOrders(7);
  const namespace = createTestNamespace({ idKind: 'u64', attributes }, { orderOf: order });
  const near = (i: number) => i % 7_000 === 3;
  await namespace.write(
    Array.from({ length: rowCount }, (_, i) => ({ id: BigInt(i), values: { v: near(i) ? [1, 2, 3] : [4, 5, 6] } })),
  );
  await namespace.index();
  const { engine } = createTestEngine(namespace);
  const { rows } = await engine.query(
    'docs',
    {
      rankBy: { kind: 'vector', attribute: 'v', query: Float32Array.of(1, 2, 4), exact: true },
      limit: 13,
      projection: { kind: 'none' },
    },
    strong,
  );
  const lowest = Array.from({ length: 10 }, (_, i) => 3 + 7_000 * i);
  expect(rows.map(({ id }) => Number(id))).toEqual([...lowest, 0, 1, 2]);
});
