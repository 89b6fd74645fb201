import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Turbopuffer from '@turbopuffer/turbopuffer';
import type { Filter } from '@turbopuffer/turbopuffer/resources/custom';
import { startOneServer, startServerPerRole } from '../support/server-target.ts';
import type { DialectTarget } from './dialect-suite.ts';

const rows = [
  {
    ...{ id: 1, name: 'src/main.ts', n: 1, tags: ['a', 'b'], sizes: [1, 5], title: 'The quick brown fox' },
    ...{ at: '2026-01-01T00:00:00Z', seen: ['2026-01-01T00:00:00Z'], f: 0.5, ok: true, raw: 'AQI=' },
    uid: '00000000-0000-4000-8000-000000000001',
  },
  { id: 2, name: 'src/Main.TS', n: 2, tags: ['b', 'ccc'], sizes: [], title: 'A brown quick dog', words: ['x', 'Y z'] },
  { id: 3, name: 'docs/naïve café.md', n: 3, tags: [], sizes: [-3], title: 'Foxes are quickly running', f: -1.5 },
  { id: 4, words: ['x', 'y'] },
];
const schema = {
  name: { type: 'string', filterable: true, glob: true, regex: true, fuzzy: true },
  title: { type: 'string', full_text_search: { stemming: true, remove_stopwords: true } },
  words: { type: '[]string', full_text_search: { tokenizer: 'pre_tokenized_array' } },
  tags: { type: '[]string', regex: true, filterable: true },
  sizes: '[]int',
  at: 'datetime',
  seen: '[]datetime',
  uid: 'uuid',
  raw: 'bytes',
} as const;
const none: number[] = [];
const near = (...steps: [number, number][]) => ({
  max_edit_distance: steps.map(([min_query_chars, distance]) => ({ min_query_chars, distance })),
});

/** Every operator of a filter, by the unmodified npm client, and what it finds. */
const cases: readonly (readonly [Filter, readonly number[]])[] = [
  [['n', 'Eq', 2], [2]],
  [['n', 'Eq', null], [4]],
  [
    ['n', 'NotEq', 2],
    [1, 3, 4],
  ],
  [
    ['n', 'In', [1, 3, null]],
    [1, 3, 4],
  ],
  [
    ['n', 'NotIn', [1, 3]],
    [2, 4],
  ],
  [
    ['n', 'Lt', 2],
    [1, 4],
  ],
  [
    ['n', 'Lte', 2],
    [1, 2, 4],
  ],
  [['n', 'Gt', 2], [3]],
  [
    ['n', 'Gte', 2],
    [2, 3],
  ],
  [['f', 'Lt', 0] as Filter, [2, 3, 4]],
  [['ok', 'Eq', true], [1]],
  [['at', 'Gte', '2025-12-31T23:00:00-01:00'], [1]],
  [['uid', 'Eq', '00000000-0000-4000-8000-000000000001'], [1]],
  [['raw', 'In', ['AQI=']], [1]],
  [
    ['id', 'Gte', 3],
    [3, 4],
  ],
  [['tags', 'Eq', ['a', 'b']], [1]],
  [['tags', 'Eq', []], [3]],
  [
    ['tags', 'In', ['a', 'ccc']],
    [1, 2],
  ],
  [
    ['tags', 'Contains', 'b'],
    [1, 2],
  ],
  [
    ['tags', 'NotContains', 'b'],
    [3, 4],
  ],
  [
    ['tags', 'ContainsAny', ['a', 'ccc']],
    [1, 2],
  ],
  [['tags', 'ContainsAny', []], none],
  [
    ['tags', 'NotContainsAny', ['a']],
    [2, 3, 4],
  ],
  [['seen', 'Contains', '2026-01-01'], [1]],
  [['sizes', 'AnyLt', 0], [3]],
  [
    ['sizes', 'AnyLte', 1],
    [1, 3],
  ],
  [['sizes', 'AnyGt', 1], [1]],
  [['sizes', 'AnyGte', 5], [1]],
  [['name', 'Glob', 'src/*.ts'], [1]],
  [['name', 'Glob', '**/*caf?.{md,txt}'], [3]],
  [
    ['name', 'NotGlob', 'src/*'],
    [3, 4],
  ],
  [
    ['name', 'IGlob', '*/main.ts'],
    [1, 2],
  ],
  [
    ['name', 'NotIGlob', '*.TS'],
    [3, 4],
  ],
  [
    ['tags', 'Glob', '?'],
    [1, 2],
  ],
  [
    ['name', 'Regex', '^\\w+/[mM]ain'],
    [1, 2],
  ],
  [['name', 'Regex', 'na\\w+ve\\scaf\\p{L}'], [3]],
  [['tags', 'Regex', '^c+$'], [2]],
  [['name', 'Fuzzy', 'srk/main.t', near([9, 2])], [1]],
  [
    ['name', 'Fuzzy', 'SRC/MAIN', { ...near([6, 1]), case_sensitive: false }],
    [1, 2],
  ],
  [['name', 'Fuzzy', 'main', near([6, 1])], none],
  [
    ['title', 'ContainsAllTokens', 'quick fox'],
    [1, 3],
  ],
  [['title', 'ContainsAllTokens', ['brown', 'dogs']], [2]],
  [
    ['title', 'ContainsAllTokens', 'fox qui', { last_as_prefix: true }],
    [1, 3],
  ],
  [
    ['title', 'ContainsAnyToken', 'fox dog'],
    [1, 2, 3],
  ],
  [['title', 'ContainsAnyToken', 'cat run', { last_as_prefix: true }], [3]],
  [['title', 'ContainsAnyToken', 'the'], none],
  [['title', 'ContainsTokenSequence', 'quick brown'], [1]],
  [['title', 'ContainsTokenSequence', ['brown', 'quick']], [2]],
  [
    ['words', 'ContainsAllTokens', ['x']],
    [2, 4],
  ],
  [['words', 'ContainsTokenSequence', ['x', 'Y z']], [2]],
  [
    [
      'And',
      [
        ['Or', [['tags', 'Contains', 'b'] as Filter, ['Not', ['n', 'Lt', 3]] as Filter]],
        ['Not', ['title', 'ContainsAnyToken', 'dog']],
      ],
    ],
    [1, 3],
  ],
  [['Not', ['name', 'Regex', '.']], [4]],
];

describe.each([
  ['one server', startOneServer],
  ['a server per role', startServerPerRole],
])('filters: %s', (_, startTarget) => {
  let target: DialectTarget;
  let client: Turbopuffer;
  let ns: ReturnType<Turbopuffer['namespace']>;

  beforeAll(async () => {
    target = await startTarget();
    client = new Turbopuffer({ baseURL: target.url, apiKey: 'none', maxRetries: 0 });
    ns = client.namespace(`filters-${process.pid}`);
    await ns.write({ upsert_rows: rows, schema });
  });
  afterAll(() => target?.close());

  const found = async (name: ReturnType<Turbopuffer['namespace']>, filters: Filter) =>
    ((await name.query({ rank_by: ['id', 'asc'], limit: 100, filters })).rows ?? []).map(({ id }) => id);

  test.each(cases)('%j finds %j', async (filters, expected) => {
    expect(await found(ns, filters)).toEqual(expected);
  });

  test('filters that name ids that are strings', async () => {
    const texts = client.namespace(`filters-ids-${process.pid}`);
    await texts.write({ upsert_rows: ['doc-1', 'Doc-2', 'note-1'].map((id) => ({ id })) });
    expect(await found(texts, ['id', 'Glob', 'doc-*'])).toEqual(['doc-1']);
    expect(await found(texts, ['id', 'IGlob', 'doc-*'])).toEqual(['Doc-2', 'doc-1']);
    expect(await found(texts, ['id', 'Regex', '-1$'])).toEqual(['doc-1', 'note-1']);
    expect(await found(texts, ['id', 'Fuzzy', 'motes-1', near([7, 0])])).toEqual([]);
    expect(await found(texts, ['id', 'Fuzzy', 'mote-1', near([6, 1])])).toEqual(['note-1']);
  });

  test('settings that come later are kept to by the next query', async () => {
    const late = client.namespace(`filters-late-${process.pid}`);
    await late.write({ upsert_rows: [{ id: 1, s: 'abc' }] });
    await expect(found(late, ['s', 'Regex', 'b'])).rejects.toMatchObject({ status: 400 });
    await late.updateSchema({ schema: { s: { type: 'string', regex: true, fuzzy: true } } });
    expect(await found(late, ['s', 'Regex', 'b'])).toEqual([1]);
    expect(await late.schema()).toMatchObject({ s: { type: 'string', regex: true, fuzzy: true, filterable: false } });
    await expect(found(late, ['s', 'Eq', 'abc'])).rejects.toMatchObject({ status: 400 });
  });

  test('conditions and writes by filter take every operator', async () => {
    const write = client.namespace(`filters-write-${process.pid}`);
    await write.write({ upsert_rows: rows, schema });
    const changed = async (params: Parameters<typeof write.write>[0]) => {
      const answer = (await write.write({ ...params, return_affected_ids: true })) as {
        readonly patched_ids?: unknown;
        readonly deleted_ids?: unknown;
        readonly upserted_ids?: unknown;
      };
      return answer.patched_ids ?? answer.deleted_ids ?? answer.upserted_ids ?? [];
    };
    const patch = (id: number) => ({ patch_rows: [{ id, n: 10 }] });
    expect(await changed({ ...patch(1), patch_condition: ['name', 'Regex', '^src'] })).toEqual([1]);
    expect(await changed({ ...patch(2), patch_condition: ['name', 'Glob', '*.md'] })).toEqual([]);
    expect(
      await changed({ ...patch(3), patch_condition: ['title', 'ContainsTokenSequence', 'fox are quick'] }),
    ).toEqual([3]);
    expect(await changed({ ...patch(2), patch_condition: ['name', 'Fuzzy', 'src/Mein', near([6, 1])] })).toEqual([2]);
    const reference = (attribute: string) => ({ $ref_new: attribute });
    const tagged = (tag: string) => ({ upsert_rows: [{ id: 1, tags: ['a'], name: tag, sizes: [2], n: 2 }] });
    const contains = (operator: string, attribute = 'name') =>
      ['tags', operator, reference(attribute)] as unknown as Filter;
    expect(await changed({ ...tagged('zzz'), upsert_condition: contains('Contains') })).toEqual([]);
    expect(await changed({ ...tagged('b'), upsert_condition: contains('Contains') })).toEqual([1]);
    expect(await changed({ ...tagged('b'), upsert_condition: contains('ContainsAny', 'tags') })).toEqual([1]);
    expect(await changed({ ...tagged('b'), upsert_condition: contains('NotContainsAny', 'tags') })).toEqual([]);
    const anyGt = ['sizes', 'AnyGt', reference('n')] as unknown as Filter;
    expect(await changed({ ...tagged('b'), upsert_condition: anyGt })).toEqual([]);
    expect(await changed({ deletes: [3, 4], delete_condition: ['words', 'ContainsAnyToken', ['y']] })).toEqual([4]);
    expect(await changed({ patch_by_filter: { filters: ['name', 'IGlob', '*.ts'], patch: { n: 0 } } })).toEqual([2]);
    expect(
      await changed({ delete_by_filter: ['title', 'ContainsAllTokens', 'run', { last_as_prefix: true }] }),
    ).toEqual([3]);
    expect(await found(write, ['id', 'Gte', 0])).toEqual([1, 2]);
  });
});
