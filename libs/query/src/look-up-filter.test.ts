import { describe, expect, test } from '@jest/globals';
import { isLagoonError } from '@lagoon/base';
import type { AttributeSchema, Schema } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import type { Filter } from './filter.ts';
import type { ConsistencySpec, QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace, type TestDocument, type TestNamespace } from './testing.ts';

const attribute = (scalar: 'string' | 'int'): AttributeSchema => ({
  type: { kind: 'scalar', scalar },
  filterable: true,
});
const schema: Schema = {
  idKind: 'u64',
  attributes: new Map([
    ['group', attribute('int')],
    ['name', attribute('string')],
    ['padding', { ...attribute('string'), filterable: false }],
  ]),
};
const rowCount = 30_000;
const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };

function document(n: number): TestDocument {
  const values = { group: BigInt(n % 100), name: `user ${(n * 7_919) % rowCount}`, padding: 'padding '.repeat(6) };
  return { id: BigInt(n), values };
}

async function indexed(indexedRowCountMin?: number): Promise<TestNamespace> {
  const namespace = createTestNamespace(schema, indexedRowCountMin === undefined ? {} : { indexedRowCountMin });
  await namespace.write(Array.from({ length: rowCount }, (_, n) => document(n)));
  await namespace.index();
  return namespace;
}

const compare = (name: string, operator: 'eq' | 'gte' | 'lt', value: bigint | string): Filter => ({
  ...{ kind: 'comparison', attribute: name, operator, values: [value] },
});
const byId = (filter: Filter): QuerySpec => ({
  rankBy: { kind: 'order', keys: [{ attribute: 'id', descending: false }] },
  ...{ filter, limit: 10_000, projection: { kind: 'none' } },
});

describe('filters by attribute indexes', () => {
  test('read a block of the dictionary and the rows of the value, once, and no column', async () => {
    const lookUps = createTestEngine(await indexed());
    const scans = createTestEngine(await indexed(rowCount + 1));
    const bytesOf = async ({ engine }: typeof lookUps, filter: Filter) => {
      const { rows, statistics } = await engine.query('docs', byId(filter), strong);
      return { ids: rows.map(({ id }) => id), bytes: statistics.storeBytes };
    };
    const { filter: _, ...everything } = byId(compare('group', 'eq', 0n)); // opens the namespace, and brings its ids
    for (const { engine } of [lookUps, scans]) await engine.query('docs', everything, strong);
    const byName = compare('name', 'eq', `user ${(4 * 7_919) % rowCount}`);
    const found = await bytesOf(lookUps, byName);
    expect(found.ids).toEqual([4n]);
    expect(await bytesOf(scans, byName)).toMatchObject({ ids: [4n] });
    expect(found.bytes).toBeLessThan(64 << 10);
    expect(await bytesOf(lookUps, byName)).toEqual({ ids: [4n], bytes: 0 });
    const range: Filter = { kind: 'and', filters: [compare('group', 'gte', 7n), compare('group', 'lt', 9n)] };
    const inRange = await bytesOf(lookUps, range);
    expect(inRange.ids).toEqual((await bytesOf(scans, range)).ids);
    expect(inRange.bytes).toBeLessThan(2 * rowCount);
    for (const { engine, cache } of [lookUps, scans]) {
      await engine.close();
      expect(cache.statistics.pinnedBytes).toBe(0);
    }
  });

  test('a segment without a value in the range is passed over, and of it nothing is read', async () => {
    const namespace = createTestNamespace(schema);
    for (const from of [0, rowCount]) {
      const documents = Array.from({ length: rowCount }, (_, n) => document(from + n));
      await namespace.write(
        documents.map((one, n) => ({ ...one, values: { ...one.values, group: BigInt(from + n) } })),
      );
      await namespace.index();
    }
    const { engine } = createTestEngine(namespace);
    const query = async (filter: Filter) => {
      const { rows, statistics } = await engine.query('docs', { ...byId(filter), limit: 1 }, strong);
      return { ids: rows.map(({ id }) => id), pruned: statistics.prunedSegmentCount, bytes: statistics.storeBytes };
    };
    const everything = compare('group', 'gte', 0n);
    const nothing = compare('group', 'lt', 0n);
    await query({ kind: 'and', filters: [everything, nothing] });
    expect(await query(nothing)).toEqual({ ids: [], pruned: 2, bytes: 0 });
    expect(await query({ kind: 'not', filter: everything })).toEqual({ ids: [], pruned: 2, bytes: 0 });
    expect(await query(compare('group', 'gte', BigInt(rowCount)))).toMatchObject({
      ids: [BigInt(rowCount)],
      pruned: 1,
    });
    expect(await query(everything)).toMatchObject({ ids: [0n], pruned: 0 });
    await engine.close();
  });

  test('a damaged granule is corrupt and leaves nothing pinned; the next query reads it again', async () => {
    const namespace = await indexed();
    let isDamaged = false;
    const store: ObjectStore = {
      ...namespace.store,
      get: async (key, options, signal) => {
        const object = await namespace.store.get(key, options, signal);
        if (!isDamaged || !key.endsWith('.seg') || object === undefined) return object;
        return { ...object, bytes: object.bytes.map((byte) => byte ^ 1) };
      },
    };
    const { engine, cache } = createTestEngine(namespace, { store });
    await engine.query('docs', byId(compare('group', 'eq', 1_000n)), strong);
    const pinnedBytes = cache.statistics.pinnedBytes;
    isDamaged = true;
    const failed = engine.query('docs', byId(compare('name', 'eq', 'user 5')), strong);
    const error: unknown = await failed.catch((reason: unknown) => reason);
    expect(isLagoonError(error, 'corrupt')).toBe(true);
    expect(cache.statistics.pinnedBytes).toBe(pinnedBytes);
    isDamaged = false;
    const { rows } = await engine.query('docs', byId(compare('name', 'eq', 'user 5')), strong);
    expect(rows).toHaveLength(1);
    await engine.close();
    expect(cache.statistics.pinnedBytes).toBe(0);
  });
});
