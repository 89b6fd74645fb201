import { describe, expect, test } from '@jest/globals';
import { createSeededRandom } from '@lagoon/base';
import type { AttributeSchema, DistanceMetric, Schema } from '@lagoon/format';
import type { Filter } from './filter.ts';
import { buildNaiveLists } from './naive-lists.ts';
import type { QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace, type TestDocument } from './testing.ts';

const strong = { level: 'strong', stalenessMsMax: 0, generationMin: 0 } as const;
const dims = 16;

function clusteredVectors(seed: number, count: number): number[][] {
  const random = createSeededRandom(seed);
  const normal = () => random.float() + random.float() + random.float() - 1.5;
  const centers = Array.from({ length: 40 }, () => Array.from({ length: dims }, () => 3 * normal()));
  return Array.from({ length: count }, () => (centers[random.integer(40)] as number[]).map((v) => v + normal()));
}

describe('search by lists', () => {
  test.each(['cosine_distance', 'euclidean_squared', 'dot_product'] as const)(
    'finds near rows under filters and deletes, with the distances of exact search, %s',
    async (distanceMetric: DistanceMetric) => {
      const attributes = new Map<string, AttributeSchema>([
        ['v', { type: { kind: 'vector', element: 'f32', dims }, filterable: false, ann: { distanceMetric } }],
        ['n', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
      ]);
      const schema: Schema = { idKind: 'u64', attributes };
      const namespace = createTestNamespace(schema, { cluster: { rowCountMin: 100, build: buildNaiveLists } });
      const vectors = clusteredVectors(1, 4_000);
      const documents: TestDocument[] = vectors.map((v, i) => ({
        id: BigInt((i * 7919) % 4_000),
        values: { ...(i % 10 === 0 ? {} : { v }), n: BigInt(i) },
      }));
      await namespace.write(documents.slice(0, 3_000));
      await namespace.index();
      await namespace.write(
        documents.slice(3_000, 3_950),
        documents.slice(5, 8).map(({ id }) => id),
      );
      await namespace.index();
      await namespace.write(
        documents.slice(3_950),
        documents.slice(8, 10).map(({ id }) => id),
      );
      const { engine } = createTestEngine(namespace);
      for (const filter of [
        undefined,
        { kind: 'comparison', attribute: 'n', operator: 'lt', values: [1000n] },
        { kind: 'comparison', attribute: 'n', operator: 'lt', values: [30n] },
      ] as (Filter | undefined)[]) {
        let found = 0;
        let of = 0;
        let scored = 0;
        for (let i = 0; i < 50; i++) {
          const query = Float32Array.from(vectors[(i * 79) % 4000] as number[]);
          const spec = (exact: boolean): QuerySpec => ({
            rankBy: { kind: 'vector', attribute: 'v', query, exact },
            limit: 10,
            projection: { kind: 'none' },
            ...(filter === undefined ? {} : { filter }),
          });
          const ann = await engine.query('docs', spec(false), strong);
          const knn = await engine.query('docs', spec(true), strong);
          expect(ann.rows.length).toBe(knn.rows.length);
          const dists = new Map(knn.rows.map(({ id, dist }) => [id, dist]));
          for (const { id, dist } of ann.rows) {
            if (!dists.has(id)) continue;
            expect(dist).toBe(dists.get(id));
            found++;
          }
          of += knn.rows.length;
          scored += ann.statistics.scoredRowCount;
        }
        expect(found / of).toBeGreaterThan(0.9);
        expect(scored / 50).toBeLessThan(2_700);
      }
    },
  );
});
