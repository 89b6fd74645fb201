import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Turbopuffer from '@turbopuffer/turbopuffer';
import { startOneServer, startServerPerRole } from '../support/server-target.ts';
import type { DialectTarget } from './dialect-suite.ts';

/** Computed attributes that are numbers, by the unmodified npm client. */
describe.each([
  ['one server', startOneServer],
  ['a server per role', startServerPerRole],
])('computed values: %s', (_, startTarget) => {
  let target: DialectTarget;
  let ns: ReturnType<Turbopuffer['namespace']>;

  beforeAll(async () => {
    target = await startTarget();
    ns = new Turbopuffer({ baseURL: target.url, apiKey: 'none', maxRetries: 0 }).namespace(`computed-${process.pid}`);
    await ns.write({
      upsert_rows: [
        { id: 1, text: 'a red reef', v: [1, 0.1], n: 3 },
        { id: 2, text: 'a blue sea', v: [0, 1] },
        { id: 3, n: 7 },
      ],
      distance_metric: 'cosine_distance',
      schema: { text: { type: 'string', full_text_search: true }, n: 'int', v: '[2]f32' },
    });
  });
  afterAll(() => target?.close());

  const query = async (body: object): Promise<readonly Record<string, unknown>[]> =>
    (await ns.query({ limit: 10, ...body } as never)).rows ?? [];

  test('are what a query has as $dist that ranks by them, null where a row has none', async () => {
    const vector = ['v', 'VectorDist', [1, 0]];
    const score = [
      'Sum',
      [
        ['text', 'BM25', 'red'],
        ['Attribute', 'n'],
      ],
    ];
    const computed = { far: vector, near: ['v', 'kNN', [1, 0]], score, n: ['Attribute', 'n'] };
    const { n: attribute, ...free } = computed;
    const rows = await query({ rank_by: ['id', 'asc'], compute_attributes: { ...free, number: attribute } });
    const ranked = await query({ rank_by: ['v', 'kNN', [1, 0]] });
    const scored = await query({ rank_by: score });
    const distOf = (list: readonly Record<string, unknown>[], id: unknown): unknown =>
      list.find((row) => row.id === id)?.$dist ?? null;
    expect(rows.map(({ id, far, near, score: sum, number }) => ({ id, far, near, sum, number }))).toEqual([
      { id: 1, far: distOf(ranked, 1), near: distOf(ranked, 1), sum: distOf(scored, 1), number: 3 },
      { id: 2, far: distOf(ranked, 2), near: distOf(ranked, 2), sum: 0, number: null },
      { id: 3, far: null, near: null, sum: 7, number: 7 },
    ]);
    expect(String(rows[0]?.far).length).toBeLessThan(14); // the shortest decimal of an f32
    expect(Object.keys(rows[0] ?? {})).not.toContain('$dist');
  });

  test('go with highlights, filters, several queries and their fusion', async () => {
    const compute = { d: ['v', 'VectorDist', [0, 1]], h: ['Highlight', 'text'], red: ['text', 'BM25', 'red'] };
    const text = { rank_by: ['text', 'BM25', 'a'], filters: ['id', 'Lte', 2], limit: 5, compute_attributes: compute };
    const [row] = await query({ ...text, filters: ['id', 'Eq', 2] });
    expect(row).toMatchObject({ id: 2, d: 0, red: 0, h: [{ text: 'a blue sea' }] });
    const fused = (await ns.multiQuery({
      queries: [text, { rank_by: ['v', 'ANN', [0, 1]], limit: 5 }],
      rerank_by: ['RRF'],
    } as never)) as unknown as { readonly results: readonly { readonly rows: readonly object[] }[] };
    expect(fused.results[0]?.rows).toEqual(expect.arrayContaining([expect.objectContaining({ id: 2, d: 0, red: 0 })]));
  });

  test('that cannot be computed are a 400, 422 or 501 that says why', async () => {
    const failing = (compute: object): Promise<unknown> =>
      query({ rank_by: ['id', 'asc'], compute_attributes: compute }).catch((error: unknown) => error);
    const cases: readonly (readonly [object, number, RegExp])[] = [
      [{ a: ['v', 'VectorDist', [1, 0, 0]] }, 400, /compute_attributes\.a\[2\].*dimensions/],
      [{ a: ['n', 'VectorDist', [1, 0]] }, 400, /compute_attributes\.a\[0\].*not a vector/],
      [{ a: ['none', 'VectorDist', [1, 0]] }, 400, /compute_attributes\.a\[0\].*unknown attribute/],
      [{ a: ['n', 'SparseKNN', { 1: 1 }] }, 400, /compute_attributes\.a\[0\].*sparse_knn/],
      [
        {
          a: [
            'Sum',
            [
              ['text', 'BM25', 'x'],
              ['Attribute', 'text'],
            ],
          ],
        },
        400,
        /compute_attributes\.a\[1\]\[1\]/,
      ],
      [{ a: ['id', 'asc'] }, 400, /compute_attributes\.a: expected \[/],
      [{ n: ['Attribute', 'n'] }, 400, /taken/],
      [{ a: 5 }, 422, /compute_attributes\.a/],
      [{ a: ['Embed', 'text'] }, 501, /Embed/],
      [{ a: ['v', 'VectorDist', ['Embed', 'text']] }, 501, /Embed/],
    ];
    for (const [compute, status, message] of cases) {
      expect(await failing(compute)).toMatchObject({ status, message: expect.stringMatching(message) });
    }
  });
});
