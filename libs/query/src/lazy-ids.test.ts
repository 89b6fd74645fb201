import { describe, expect, test } from '@jest/globals';
import type { AttributeSchema, Schema } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import type { Filter } from './filter.ts';
import type { QuerySpec, RankBy } from './query-spec.ts';
import { createTestEngine, createTestNamespace, randomOrders, type TestDocument } from './testing.ts';

const strong = { level: 'strong', stalenessMsMax: 0, generationMin: 0 } as const;
const schema: Schema = {
  idKind: 'u64',
  attributes: new Map<string, AttributeSchema>([
    ['v', { type: { kind: 'vector', element: 'f32', dims: 2 }, filterable: false }],
    ['name', { type: { kind: 'scalar', scalar: 'string' }, filterable: true }],
  ]),
};
const rowCount = 60_000;
const document = (n: number, name = `user ${n}`): TestDocument => ({
  id: BigInt(n),
  values: { v: [n % 97, n % 89], name },
});
const idIs = (...ids: readonly number[]): Filter => ({
  kind: 'comparison',
  attribute: 'id',
  operator: 'in',
  values: ids.map(BigInt),
});
const byId: RankBy = { kind: 'order', keys: [{ attribute: 'id', descending: true }] };
const nearest: RankBy = { kind: 'vector', attribute: 'v', query: Float32Array.of(1, 2), exact: true };
const countAll: RankBy = {
  kind: 'aggregate',
  aggregates: [{ kind: 'count', label: 'n', attribute: undefined }],
  groupBy: [],
};
const spec = (rankBy: RankBy, filter?: Filter): QuerySpec => ({
  ...{ rankBy, limit: 10, projection: { kind: 'include', names: ['name'] } },
  ...(filter === undefined ? {} : { filter }),
});

function counting(store: ObjectStore) {
  const read = { count: 0, bytes: 0 };
  const get: ObjectStore['get'] = async (key, options, signal) => {
    const object = await store.get(key, options, signal);
    if (!key.startsWith('data/')) return object;
    read.count++;
    read.bytes += object?.bytes.length ?? 0;
    return object;
  };
  const since = (): { count: number; bytes: number } => {
    const before = { ...read };
    read.count = 0;
    read.bytes = 0;
    return before;
  };
  return { store: { ...store, get }, since };
}

/** Two segments, of which the first has rows that the tail writes again and deletes. */
async function open() {
  const namespace = createTestNamespace(schema, { orderOf: randomOrders(3) });
  await namespace.write(Array.from({ length: rowCount }, (_, n) => document(n)));
  await namespace.index();
  await namespace.write(Array.from({ length: rowCount }, (_, n) => document(rowCount + n)));
  await namespace.index();
  await namespace.write([document(7, 'renamed')], [8n]);
  return namespace;
}

describe('ids that are not in memory', () => {
  test('a point lookup on a cold node reads of each segment its footer and one block of ids, then the document', async () => {
    const namespace = await open();
    const { store, since } = counting(namespace.store);
    const { engine, cache } = createTestEngine({ store });
    const rowsOf = async (filter: Filter, rankBy: RankBy = byId) =>
      (await engine.query('docs', spec(rankBy, filter), strong)).rows.map(({ id, attributes }) => [
        id,
        attributes[0]?.value,
      ]);
    expect(await rowsOf(idIs(rowCount + 5))).toEqual([[BigInt(rowCount + 5), `user ${rowCount + 5}`]]);
    const cold = since();
    expect(cold.count).toBeLessThanOrEqual(2 + 2 + 1);
    expect(cold.bytes).toBeLessThan(rowCount);
    expect(await rowsOf(idIs(9, 3, 2 * rowCount))).toEqual([
      [9n, 'user 9'],
      [3n, 'user 3'],
    ]);
    expect(await rowsOf(idIs(7, 8, 6))).toEqual([
      [7n, 'renamed'],
      [6n, 'user 6'],
    ]);
    expect(await rowsOf({ kind: 'not', filter: { kind: 'not', filter: idIs(6) } })).toEqual([[6n, 'user 6']]);
    expect(await rowsOf({ kind: 'and', filters: [idIs(5, 6, 7), idIs(6, 7, 8)] }, nearest)).toHaveLength(2);
    await engine.close();
    expect(cache.statistics.pinnedBytes).toBe(0);
  });

  test('rows that the tail killed are told once ids come, in snapshots from before and after', async () => {
    const namespace = await open();
    const { engine, cache } = createTestEngine(namespace);
    const count = async () => (await engine.query('docs', spec(countAll), strong)).groups?.[0]?.values[0];
    const named = () => engine.query('docs', spec(byId, idIs(rowCount - 1, 9)), strong);
    const first = await named(); // opens the segments without their ids
    expect(first.rows.map(({ id }) => id)).toEqual([BigInt(rowCount - 1), 9n]);
    await namespace.write([document(9, 'again')], [BigInt(rowCount - 1)]);
    const second = await named();
    expect(second.rows.map(({ attributes }) => attributes[0]?.value)).toEqual(['again']);
    expect(await count()).toBe(BigInt(2 * rowCount - 2));
    await namespace.write([document(10, 'again')], [11n]);
    expect(await count()).toBe(BigInt(2 * rowCount - 3));
    await engine.close();
    expect(cache.statistics.pinnedBytes).toBe(0);
  });

  test('a segment that stays when a manifest has indexed the tail loses what that killed', async () => {
    const namespace = await open();
    const { engine } = createTestEngine(namespace);
    const named = (...ids: readonly number[]) => engine.query('docs', spec(byId, idIs(...ids)), strong);
    expect((await named(12)).rows).toHaveLength(1);
    await namespace.index();
    expect((await named(7, 8, 12)).rows.map(({ id }) => id)).toEqual([12n, 7n]);
    await namespace.write([], [12n]);
    expect((await named(7, 8, 12)).rows.map(({ id }) => id)).toEqual([7n]);
    const counted = await engine.query('docs', spec(countAll), strong);
    expect(counted.groups?.[0]?.values[0]).toBe(BigInt(2 * rowCount - 2));
    await engine.close();
  });

  test('a count of a settled namespace needs no ids', async () => {
    const namespace = createTestNamespace(schema);
    await namespace.write(Array.from({ length: rowCount }, (_, n) => document(n)));
    await namespace.index();
    const { store, since } = counting(namespace.store);
    const { engine } = createTestEngine({ store });
    const counted = await engine.query('docs', spec(countAll), strong);
    expect(counted.groups?.[0]?.values[0]).toBe(BigInt(rowCount));
    expect(since().bytes).toBeLessThan(rowCount);
    await engine.close();
  });
});
