import { describe, expect, test } from '@jest/globals';
import { type AttributeSchema, fullTextSearchDefaults, type Schema } from '@lagoon/format';
import type { QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace } from './testing.ts';

/** Parts of segments that were written under another schema, and what is read for a query. */
const eventual = { level: 'eventual', stalenessMsMax: 60_000, generationMin: 0 } as const;
const text = { kind: 'scalar', scalar: 'string' } as const;

function textSchema(): { schema: Schema; attributes: Map<string, AttributeSchema> } {
  const attributes = new Map<string, AttributeSchema>([
    ['text', { type: text, filterable: false, fullTextSearch: fullTextSearchDefaults }],
    ['n', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
  ]);
  return { schema: { idKind: 'string', attributes }, attributes };
}

const search = (query: string): QuerySpec => ({
  rankBy: { kind: 'text', expression: { kind: 'bm25', attribute: 'text', query, lastAsPrefix: false } },
  limit: 10,
  projection: { kind: 'include', names: ['text'] },
});

describe('parts of a segment', () => {
  test('a text whose settings have changed since is searched by the new ones, and can be filtered and ordered by', async () => {
    const { schema, attributes } = textSchema();
    const namespace = createTestNamespace(schema);
    await namespace.write([
      { id: 'a', values: { text: 'Red house', n: 1n } },
      { id: 'b', values: { text: 'red sea', n: 2n } },
      { id: 'c', values: { n: 3n } },
    ]);
    await namespace.index();
    const { engine } = createTestEngine(namespace);
    const idsOf = async (spec: QuerySpec) => (await engine.query('docs', spec, strong)).rows.map(({ id }) => id);
    expect((await idsOf(search('red'))).toSorted()).toEqual(['a', 'b']);
    const fullTextSearch = { ...fullTextSearchDefaults, caseSensitive: true };
    attributes.set('text', { type: text, filterable: true, fullTextSearch });
    await namespace.write([{ id: 'd', values: { text: 'red', n: 4n } }]);
    expect((await idsOf(search('red'))).toSorted()).toEqual(['b', 'd']);
    expect(await idsOf(search('Red'))).toEqual(['a']);
    const equal = { kind: 'comparison', attribute: 'text', operator: 'eq', values: ['Red house'] } as const;
    const byNumber = { kind: 'order', keys: [{ attribute: 'n', descending: true }] } as const;
    expect(await idsOf({ rankBy: byNumber, filter: equal, limit: 5, projection: { kind: 'none' } })).toEqual(['a']);
    const byText = { kind: 'order', keys: [{ attribute: 'text', descending: false }] } as const;
    expect(await idsOf({ rankBy: byText, limit: 5, projection: { kind: 'none' } })).toEqual(['c', 'a', 'd', 'b']);
    await engine.close();
  });

  test('a large segment is read by the parts that a query needs, and only once', async () => {
    const { schema } = textSchema();
    const namespace = createTestNamespace(schema);
    const documents = Array.from({ length: 6_000 }, (_, n) => ({
      id: `document-${n}`,
      values: { text: `number ${n} ${(n * 7919) % 10_007} ${(n * 104_729) % 99_991}`, n: BigInt((n * 7919) % 6_000) },
    }));
    await namespace.write(documents);
    await namespace.index();
    const [segment] = (await namespace.log.open('docs')).view.live?.manifest.segments ?? [];
    const { engine, cache } = createTestEngine(namespace);
    const size = segment?.object.size ?? 0;
    expect(size).toBeGreaterThan(256 << 10);
    const byNumber = { kind: 'order', keys: [{ attribute: 'n', descending: false }] } as const;
    const first = await engine.query('docs', { rankBy: byNumber, limit: 1, projection: { kind: 'none' } }, eventual);
    expect(first.rows.map(({ id }) => id)).toEqual(['document-0']);
    expect(first.statistics.storeBytes).toBeLessThan(0.6 * size);
    const found = await engine.query('docs', search('number 77'), eventual);
    expect(found.rows[0]?.attributes[0]?.value).toMatch(/\b77\b/);
    const again = await engine.query('docs', search('number 77'), eventual);
    expect(again.statistics).toMatchObject({ storeRequestCount: 0, storeBytes: 0 });
    expect(again.rows).toEqual(found.rows);
    await engine.close();
    expect(cache.statistics.pinnedBytes).toBe(0);
  });
});

const strong = { level: 'strong', stalenessMsMax: 0, generationMin: 0 } as const;
