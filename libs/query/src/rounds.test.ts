import { beforeAll, describe, expect, test } from '@jest/globals';
import { createSystemClock } from '@lagoon/base';
import { type AttributeSchema, fullTextSearchDefaults, type Schema } from '@lagoon/format';
import { createMemoryStore } from '@lagoon/object-store';
import { createFarStore, type Rounds } from '@lagoon/object-store/testing/far-store';
import type { Filter } from './filter.ts';
import type { QueryResult } from './query-result.ts';
import type { ConsistencySpec, QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace, type TestDocument, type TestNamespace } from './testing.ts';

/** How often a node that knows nothing waits for a far store (docs/TESTING.md has the table). */
const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };
const eventual: ConsistencySpec = { level: 'eventual', stalenessMsMax: 60_000, generationMin: 0 };
const filterable = (scalar: 'int' | 'string'): AttributeSchema => ({
  type: { kind: 'scalar', scalar },
  filterable: true,
});

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map<string, AttributeSchema>([
    ['v', { type: { kind: 'vector', element: 'f32', dims: 16 }, filterable: false }],
    ['text', { type: { kind: 'scalar', scalar: 'string' }, filterable: false, fullTextSearch: fullTextSearchDefaults }],
    ['size', filterable('int')],
    ['color', filterable('string')],
  ]),
};

function rowsFrom(first: number, count: number): TestDocument[] {
  return Array.from({ length: count }, (_, i) => {
    const n = first + i;
    return {
      id: BigInt(n),
      values: {
        v: Array.from({ length: 16 }, (_unused, d) => ((n * 31 + d * 17) % 97) - 48),
        text: `row ${n} of many ${n % 7 === 0 ? 'seventh' : ''} ${n % 11 === 0 ? 'eleventh' : ''}`,
        size: BigInt(n % 500),
        color: ['red', 'green', 'blue'][n % 3] ?? '',
      },
    };
  });
}

const query = (spec: Partial<QuerySpec>): QuerySpec => ({
  rankBy: { kind: 'order', keys: [{ attribute: 'size', descending: false }] },
  limit: 10,
  projection: { kind: 'none' },
  ...spec,
});
const equal = (attribute: string, value: bigint | string): Filter => ({
  kind: 'comparison',
  attribute,
  operator: 'eq',
  values: [value],
});
const bm25 = query({
  rankBy: { kind: 'text', expression: { kind: 'bm25', attribute: 'text', query: 'seventh', lastAsPrefix: false } },
});
const byId = query({ rankBy: { kind: 'order', keys: [{ attribute: 'id', descending: false }] } });

async function namespaceOf(write: (namespace: TestNamespace) => Promise<void>): Promise<TestNamespace> {
  const namespace = createTestNamespace(schema, { store: createMemoryStore({ clock: createSystemClock() }) });
  await write(namespace);
  return namespace;
}

const hint = async ({ log }: TestNamespace): Promise<void> => log.writeHint((await log.open('docs')).view);

/** The first query of a node. */
async function cold(
  namespace: TestNamespace,
  spec: QuerySpec,
  consistency: ConsistencySpec = strong,
): Promise<Rounds & { readonly rowCount: number; readonly rows: QueryResult['rows'] }> {
  const far = createFarStore(namespace.store);
  const { engine } = createTestEngine({ store: far.store }, { clock: far.clock });
  const { result, ...rounds } = await far.measure(() => engine.query('docs', spec, consistency));
  await engine.close();
  return { ...rounds, rowCount: result.rows.length, rows: result.rows };
}

describe('rounds of a cold node', () => {
  let indexed: TestNamespace;

  beforeAll(async () => {
    indexed = await namespaceOf(async (namespace) => {
      for (const first of [0, 6_000]) {
        await namespace.write(rowsFrom(first, 6_000));
        await namespace.index();
      }
      await hint(namespace);
    });
  });

  test.each([
    ['strong', strong],
    ['eventual', eventual],
  ])('a namespace that is only a tail: the head, then its entries, %s', async (_name, consistency) => {
    const tail = await namespaceOf(async (namespace) => {
      for (let n = 0; n < 64; n++) await namespace.write(rowsFrom(n, 1));
    });
    expect(await cold(tail, byId, consistency)).toMatchObject({ rounds: 2, rowCount: 10 });
  });

  test.each<[string, QuerySpec, number]>([
    ['order by an attribute: its column behind the footers', query({}), 3],
    ['the same, filtered by values: dictionary, then postings', query({ filter: equal('color', 'red') }), 4],
    ['bm25: the text index', bm25, 3],
    ['an id that is looked up: its block of ids', query({ ...byId, filter: equal('id', 77n) }), 3],
    ['order by id: all ids', byId, 3],
    ['stored attributes: one more', { ...bm25, projection: { kind: 'include', names: ['text'] } }, 4],
  ])('%s', async (_name, spec, rounds) => {
    for (const consistency of [strong, eventual]) {
      const found = await cold(indexed, spec, consistency);
      expect(found.rounds).toBe(rounds);
      expect(found.rowCount).toBe(spec.filter?.kind === 'comparison' && spec.filter.attribute === 'id' ? 1 : 10);
    }
  });

  test('a tail of 64 entries costs requests, and no round', async () => {
    const before = await cold(indexed, bm25);
    for (let n = 0; n < 64; n++) await indexed.write(rowsFrom(12_000 + n, 1));
    const after = await cold(indexed, bm25);
    expect(after.rounds).toBe(before.rounds);
    expect(after.requestCount).toBe(before.requestCount + 64);
  });

  test('what was read ahead by an old hint may be gone: the answer is that of the newest manifest', async () => {
    const namespace = await namespaceOf(async (writing) => {
      for (const first of [0, 100]) {
        await writing.write(rowsFrom(first, 100));
        await writing.index();
      }
      await hint(writing);
    });
    const old = (await namespace.log.open('docs')).view.live?.manifest.segments ?? [];
    const expected = await cold(namespace, bm25);
    await namespace.merge();
    const stale = await cold(namespace, bm25);
    await namespace.store.delete(old.map(({ object }) => object.key));
    for (const found of [stale, await cold(namespace, bm25)]) {
      expect(found.rowCount).toBe(expected.rowCount);
      expect(found.rows).toEqual(expected.rows);
      expect(found.rounds).toBe(expected.rounds + 2); // the body of the newer manifest, its footers
    }
  });
});
