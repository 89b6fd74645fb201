import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Turbopuffer from '@turbopuffer/turbopuffer';
import { startOneServer, startServerPerRole } from '../support/server-target.ts';
import type { DialectTarget } from './dialect-suite.ts';

/** Sparse vectors by the unmodified npm client. */
describe.each([
  ['one server', startOneServer],
  ['a server per role', startServerPerRole],
])('sparse vectors: %s', (_, startTarget) => {
  let target: DialectTarget;
  let client: Turbopuffer;

  beforeAll(async () => {
    target = await startTarget();
    client = new Turbopuffer({ baseURL: target.url, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => target?.close());

  test('are written, ranked by their dot product, answered and patched', async () => {
    const ns = client.namespace(`sparse-${process.pid}`);
    await ns.write({
      upsert_rows: [
        { id: 1, s: { '3': 1, '4000000000': 0.5 }, color: 'red' },
        { id: 2, s: { '3': 2 }, color: 'blue' },
        { id: 3, s: {}, color: 'red' },
        { id: 4, color: 'red' },
      ],
      schema: { s: { type: '{}f16', sparse_knn: { distance_metric: 'dot_product' } } },
    });
    const rank = async (query: Record<string, number>, options: object = {}) =>
      (await ns.query({ rank_by: ['s', 'SparseKNN', query], limit: 10, ...options })).rows?.map((row) => [
        row.id,
        row.$dist,
      ]);
    expect(await rank({ '3': 1, '4000000000': 4 })).toEqual([
      [1, 3],
      [2, 2],
      [3, 0],
    ]);
    expect(await rank({ '3': 1 }, { limit: 1, filters: ['color', 'Eq', 'red'] })).toEqual([[1, 1]]);
    expect(await rank({ '3': -1 })).toEqual([
      [3, 0],
      [1, -1],
      [2, -2],
    ]);
    await ns.write({ patch_rows: [{ id: 2, s: { '9': 0.7 } }] });
    const { rows } = await ns.query({ rank_by: ['id', 'asc'], limit: 10, include_attributes: ['s'] });
    expect(rows?.map((row) => row.s)).toEqual([{ '3': 1, '4000000000': 0.5 }, { '9': 0.7 }, {}, null]);
    expect((await ns.schema()).s).toMatchObject({ type: '{}f16', sparse_knn: true, filterable: false });
  });

  test('are declared, are not filtered, and have sparse_knn when they are ranked', async () => {
    const ns = client.namespace(`sparse-bad-${process.pid}`);
    const failing = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);
    expect(await failing(ns.write({ upsert_rows: [{ id: 1, s: { '1': 2 } }] }))).toMatchObject({ status: 400 });
    await ns.write({ upsert_rows: [{ id: 1, s: { '1': 2 } }], schema: { s: '{}f16' } });
    expect(await failing(ns.query({ rank_by: ['s', 'SparseKNN', { '1': 1 }] }))).toMatchObject({
      status: 400,
      message: expect.stringMatching(/no sparse_knn/),
    });
    const filtered = ns.query({ rank_by: ['id', 'asc'], filters: ['s', 'Eq', null] });
    expect(await failing(filtered)).toMatchObject({ status: 400 });
  });
});
