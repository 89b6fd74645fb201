import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSeededRandom } from '@lagoon/base';
import Turbopuffer from '@turbopuffer/turbopuffer';
import { send } from '../support/http.ts';
import { startOneServer, startServerPerRole } from '../support/server-target.ts';
import type { DialectTarget } from './dialect-suite.ts';

const dims = 48;
/** Above a mebibyte of tail, so that it is indexed within seconds. */
const rowCount = 9_000;

const base64 = (...values: number[]): string => Buffer.from(Float32Array.from(values).buffer).toString('base64');

const schema = {
  vector: '[3]f32',
  half: { type: '[3]f16', ann: { distance_metric: 'euclidean_squared' } },
  byte: { type: '[3]i8', ann: { distance_metric: 'dot_product' } },
} as never;

/** Vectors of f32, f16 and i8 side by side, by the unmodified npm client. */
describe.each([
  ['one server', startOneServer],
  ['a server per role', startServerPerRole],
])('elements of vectors: %s', (_, startTarget) => {
  let target: DialectTarget;
  let client: Turbopuffer;

  beforeAll(async () => {
    target = await startTarget();
    client = new Turbopuffer({ baseURL: target.url, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => target?.close());

  const namespace = (name: string) => client.namespace(`elements-${name}-${process.pid}`);
  const refusal = async (promise: Promise<unknown>): Promise<{ status: number; message: string }> =>
    (await promise.then(
      () => ({ status: 200, message: '' }),
      (error: unknown) => error,
    )) as never;

  test('are rounded when they are written and told as they are stored, in either encoding', async () => {
    const name = `elements-stored-${process.pid}`;
    const ns = client.namespace(name);
    await ns.write({
      upsert_rows: [
        { id: 1, vector: [0.1, 1, 2], half: [0.1, -65_504, 6e-8], byte: [-128, 127, 0] },
        { id: 2, vector: base64(0.7, 0, 0), half: base64(0.7, 1 / 3, 0), byte: base64(1, 2, 3) },
        { id: 3, half: [1, 2, 3] },
      ],
      schema,
    });
    // Declared once: later requests need not say it again, in whatever form vectors come.
    await ns.write({ upsert_columns: { id: [4, 5], half: [[2049, 0.5, 1e-9], null], byte: [null, base64(5, 5, 5)] } });
    await ns.write({ patch_rows: [{ id: 3, byte: [7, 8, 9] }] });
    await ns.write({ upsert_rows: [{ id: 6, byte: [9, 9, 9] }], deletes: [5] });
    await ns.write({ delete_by_filter: ['id', 'Gt', 5] });
    await ns.write({ upsert_rows: [{ id: 4, half: [0, 0, 0] }], upsert_condition: ['id', 'Eq', null] });
    const rows = async (options: object = {}) =>
      (await ns.query({ rank_by: ['id', 'asc'], limit: 10, include_attributes: true, ...options } as never)).rows?.map(
        ({ id, vector = null, half = null, byte = null }) => [id, vector, half, byte],
      );
    expect(await rows()).toEqual([
      [1, [0.1, 1, 2], [0.1, -65_500, 6e-8], [-128, 127, 0]],
      [2, [0.7, 0, 0], [0.7, 0.3333, 0], [1, 2, 3]],
      [3, null, [1, 2, 3], [7, 8, 9]],
      [4, null, [2048, 0.5, 0], null],
    ]);
    const packed = await rows({ vector_encoding: 'base64' });
    expect(packed?.[1]).toEqual([
      2,
      base64(0.7, 0, 0),
      base64(Math.f16round(0.7), Math.f16round(1 / 3), 0),
      base64(1, 2, 3),
    ]);
    expect(await ns.schema()).toMatchObject({
      vector: { type: '[3]f32' },
      half: { type: '[3]f16', ann: { distance_metric: 'euclidean_squared' } },
      byte: { type: '[3]i8', ann: { distance_metric: 'dot_product' } },
    });
    expect((await ns.metadata()).schema).toMatchObject({ half: { type: '[3]f16' }, byte: { type: '[3]i8' } });

    const copy = namespace('branch');
    await copy.write({ branch_from_namespace: name } as never);
    const nearest = async (rank: unknown, from = ns) =>
      (await from.query({ rank_by: rank, limit: 2 } as never)).rows?.map((row) => [row.id, row.$dist]);
    for (const from of [ns, copy]) {
      expect(await nearest(['byte', 'kNN', [1, 1, 1]], from)).toEqual([
        [3, -24],
        [2, -6],
      ]);
      expect(await nearest(['half', 'kNN', [1, 2, 2.5]], from)).toEqual([
        [3, 0.25],
        [2, expect.closeTo(9.12, 1)],
      ]);
    }
    const exported = await send(target.url, 'GET', `/v2/namespaces/${name}/export`);
    expect(exported.text).toContain('"half":[0.1,-65500,6e-8]');
    expect(exported.text).toContain('"byte":[-128,127,0]');
  }, 30_000);

  test('what an element cannot hold is 400 that names attribute, id, dimension and what was found', async () => {
    const ns = namespace('refused');
    await ns.write({ upsert_rows: [{ id: 1, half: [1, 2, 3], byte: [1, 2, 3] }], schema });
    const cases: [object, RegExp][] = [
      [{ half: [1, 65_520, 0] }, /range of f16.*attribute=half, id=2.*expected=\[3\]f16.*dimension=1, found=65520/],
      [{ half: base64(0, 0, -1e5) }, /range of f16.*dimension=2, found=-100000/],
      [{ byte: [1, 2.5, 3] }, /not an integer from -128 to 127.*attribute=byte, id=2.*dimension=1, found=2.5/],
      [{ byte: [128, 0, 0] }, /not an integer from -128 to 127.*dimension=0, found=128/],
      [{ byte: base64(0, -129, 0) }, /not an integer from -128 to 127.*dimension=1, found=-129/],
      [{ byte: [1, 2] }, /attribute=byte/],
      [{ byte: 'no vector' }, /attribute=byte/],
    ];
    for (const [row, message] of cases) {
      for (const written of [{ upsert_rows: [{ id: 2, ...row }] }, { upsert_rows: [{ id: 2, ...row }], schema }]) {
        expect(await refusal(ns.write(written as never))).toMatchObject({ status: 400 });
      }
      const { message: found } = await refusal(ns.write({ upsert_rows: [{ id: 2, ...row }] } as never));
      expect(found).toMatch(message);
    }
    const other = await refusal(ns.write({ upsert_rows: [{ id: 2, half: true }] } as never));
    expect(other.message).toMatch(/attribute=half.*expected=\[3\]f16/);
    const redeclared = await refusal(ns.write({ upsert_rows: [{ id: 2 }], schema: { half: '[3]f32' } } as never));
    expect(redeclared.message).toMatch(/type of an attribute cannot change.*half.*\[3\]f16.*\[3\]f32/);
    const query = (attribute: string, vector: unknown) =>
      refusal(ns.query({ rank_by: [attribute, 'ANN', vector], limit: 1 } as never));
    expect(await query('byte', [1, 0.5, 0])).toMatchObject({
      status: 400,
      message: expect.stringMatching(/rank_by\[2\]\[1\]: not an integer from -128 to 127.*byte.*\[3\]i8.*found=0.5/),
    });
    expect((await query('byte', base64(0, 0, 200))).message).toMatch(/rank_by\[2\]\[2\]: not an integer/);
    expect((await query('half', [1, 2])).message).toMatch(/wrong number of dimensions/);
    expect(await query('half', [1e6, 2, 3])).toMatchObject({ status: 200 });
  }, 30_000);

  test('are found by their lists as by exact search', async () => {
    const ns = namespace('lists');
    const random = createSeededRandom(5);
    const normal = (): number => random.float() + random.float() - 1;
    const centers = Array.from({ length: 30 }, () => Array.from({ length: dims }, () => 3 * normal()));
    const all = Array.from({ length: rowCount }, () =>
      (centers[random.integer(30)] as number[]).map((x) => x + normal()),
    );
    const bytesOf = (vector: readonly number[]) => vector.map((x) => Math.round(30 * x));
    await ns.write({
      upsert_columns: {
        id: all.map((_v, id) => id),
        half: all,
        byte: all.map(bytesOf),
        third: all.map((_v, id) => id % 3),
      },
      schema: {
        half: { type: `[${dims}]f16`, ann: { distance_metric: 'cosine_distance' } },
        byte: { type: `[${dims}]i8`, ann: { distance_metric: 'euclidean_squared' } },
      } as never,
    });
    while ((await ns.metadata()).index.status !== 'up-to-date') await new Promise((done) => setTimeout(done, 100));
    await ns.write({
      upsert_rows: [{ id: rowCount, half: all[7] as number[], byte: bytesOf(all[7] as number[]), third: 0 }],
      deletes: [7],
    });
    for (const attribute of ['half', 'byte']) {
      let found = 0;
      for (let i = 0; i < 10; i++) {
        const vector = all[i * 31 + 7] as number[];
        const rank = (kind: 'ANN' | 'kNN') => ({
          rank_by: [attribute, kind, attribute === 'byte' ? bytesOf(vector) : vector],
          limit: 10,
          ...(i % 2 === 0 ? {} : { filters: ['third', 'Eq', i % 3] }),
        });
        const ann = (await ns.query(rank('ANN') as never)).rows ?? [];
        const exact = (await ns.query(rank('kNN') as never)).rows ?? [];
        const distances = new Map(exact.map((row) => [row.id, row.$dist]));
        for (const { id, $dist } of ann) {
          if (!distances.has(id)) continue;
          expect($dist).toBe(distances.get(id));
          found++;
        }
        if (i === 0) expect(ann[0]?.id).toBe(rowCount);
      }
      expect([attribute, found >= 90]).toEqual([attribute, true]);
      const rankBy = [attribute, 'ANN', bytesOf(all[1] as number[])] as never;
      expect((await ns.explainQuery({ rank_by: rankBy, limit: 10 })).plan_text).toMatch(/\nprobe /);
    }
    expect((await ns.recall({ num: 3, top_k: 10 })).avg_recall).toBeGreaterThanOrEqual(0.9);
  }, 120_000);
});
