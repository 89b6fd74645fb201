import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSeededRandom } from '@lagoon/base';
import Turbopuffer from '@turbopuffer/turbopuffer';
import { startOneServer, startServerPerRole } from '../support/server-target.ts';
import type { DialectTarget } from './dialect-suite.ts';

const dims = 24;
/** Above a mebibyte of tail, so that it is indexed within seconds. */
const rowCount = 12_000;

function vectors(): number[][] {
  const random = createSeededRandom(3);
  const normal = (): number => random.float() + random.float() - 1;
  const centers = Array.from({ length: 30 }, () => Array.from({ length: dims }, () => 3 * normal()));
  return Array.from({ length: rowCount }, () => (centers[random.integer(30)] as number[]).map((x) => x + normal()));
}

/** ANN by the unmodified npm client, on rows that are indexed and rows that are not. */
describe.each([
  ['one server', startOneServer],
  ['a server per role', startServerPerRole],
])('ann: %s', (_, startTarget) => {
  let target: DialectTarget;
  let client: Turbopuffer;

  beforeAll(async () => {
    target = await startTarget();
    client = new Turbopuffer({ baseURL: target.url, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => target?.close());

  test('finds what kNN finds, explains itself and measures its recall', async () => {
    const ns = client.namespace(`ann-${process.pid}`);
    const all = vectors();
    await ns.write({
      upsert_columns: { id: all.map((_v, id) => id), vector: all, third: all.map((_v, id) => id % 3) },
      schema: {
        vector: { type: `[${dims}]f32`, ann: { distance_metric: 'euclidean_squared', codec: 'pq4' } },
      } as never,
    });
    while ((await ns.metadata()).index.status !== 'up-to-date') await new Promise((done) => setTimeout(done, 100));
    await ns.write({ upsert_rows: [{ id: rowCount, vector: all[7] as number[], third: 0 }], deletes: [7] });
    expect((await ns.schema()).vector).toMatchObject({ ann: { distance_metric: 'euclidean_squared', codec: 'pq4' } });
    let found = 0;
    for (let i = 0; i < 20; i++) {
      const rank = (kind: 'ANN' | 'kNN') => ({
        rank_by: ['vector', kind, (all[i * 31 + 7] as number[]).map((x) => x + 0.01)] as never,
        limit: 10,
        filters: i % 2 === 0 ? undefined : (['third', 'Eq', i % 3] as never),
      });
      const ann = (await ns.query(rank('ANN') as never)).rows ?? [];
      const exact = (await ns.query(rank('kNN') as never)).rows ?? [];
      expect(ann).toHaveLength(10);
      const distances = new Map(exact.map((row) => [row.id, row.$dist]));
      for (const { id, $dist } of ann) {
        if (!distances.has(id)) continue;
        expect($dist).toBe(distances.get(id));
        found++;
      }
      if (i === 0) expect(ann[0]?.id).toBe(rowCount);
    }
    expect(found).toBeGreaterThanOrEqual(190);
    const rankBy = ['vector', 'ANN', all[1] as number[]] as never;
    expect((await ns.explainQuery({ rank_by: rankBy, limit: 10 })).plan_text).toMatch(
      /^rank by=vector .*\nscan_rows .*\nprobe /s,
    );
    const profiled = (await ns.query({
      rank_by: rankBy,
      limit: 10,
      profile: true,
      recall: 0.9,
    } as never)) as unknown as {
      profile: { exact: boolean; steps: { step: string }[] };
      performance: { exhaustive_search_count: number };
    };
    expect(profiled.profile.exact).toBe(false);
    expect(profiled.profile.steps.map(({ step }) => step)).toContain('probe');
    expect(profiled.performance.exhaustive_search_count).toBe(1);
    const recall = await ns.recall({ num: 5, top_k: 10, include_ground_truth: true });
    expect(recall.avg_recall).toBeGreaterThanOrEqual(0.9);
    expect([recall.avg_ann_count, recall.avg_exhaustive_count]).toEqual([10, 10]);
    expect(recall.ground_truth).toHaveLength(5);
    expect(recall.ground_truth?.[0]?.nearest_neighbors).toHaveLength(10);
  }, 60_000);
});
