import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, type Random } from '@lagoon/base';
import { defaultClusterOptions } from '../sim/cluster.ts';
import { noFaults } from '../sim/faults.ts';
import { createWorld, sleepVirtual, type World } from '../sim/world.ts';
import type { OracleTarget } from './play-random.ts';
import { simulatedTarget } from './simulated-target.ts';

/**
 * ANN through a whole Lagoon in one process while rows are replaced and deleted, segments with lists are indexed and merged, and a branch
 * goes its own way: whatever lies where, only live rows are answered, as many as there may be, at the distances of kNN, and the recall
 * is what is asked for.
 */
const dims = 16;
const rowCount = 2_400;
const clusterCount = 30;
const limit = 10;

interface Found {
  readonly id: number;
  readonly $dist: number;
}

interface Totals {
  found: number;
  wanted: number;
  probes: number;
  queries: number;
}

function createPoints(random: Random): () => number[] {
  const normal = (): number => random.float() + random.float() + random.float() - 1.5;
  const centers = Array.from({ length: clusterCount }, () => Array.from({ length: dims }, () => 3 * normal()));
  return () => (centers[random.integer(clusterCount)] as number[]).map((x) => Math.fround(x + normal()));
}

/** A namespace, and what lives in it: which write made the row, and its half. */
interface Lived {
  readonly name: string;
  readonly live: Map<number, number>;
}

describe.each([
  ['euclidean_squared', 'pq4'],
  ['cosine_distance', 'int8'],
])('ANN in every layout, %s, %s', (distance_metric, codec) => {
  test('answers live rows at exact distances, and misses few', async () => {
    const random = createSeededRandom(distance_metric.length);
    const point = createPoints(random);
    const { compactor } = defaultClusterOptions;
    const merging = { mergeFanIn: 2, absorbBytesMax: 0, clusterRowCountMin: 300 };
    const world = createWorld(7, { ...defaultClusterOptions, compactor: { ...compactor, ...merging } });
    world.store.policy = { ...noFaults, slowSegment: 0.1 }; // so that rows die while their segments are merged
    const target = simulatedTarget(world);
    const totals: Totals = { found: 0, wanted: 0, probes: 0, queries: 0 };
    let version = 0;

    const write = async (at: Lived, ids: readonly number[], deletes: readonly number[]): Promise<void> => {
      version++;
      const rows = ids.map((id) => ({ id, vector: point(), version, half: id % 2 }));
      const schema = { vector: { type: `[${dims}]f32`, ann: { distance_metric, codec } } };
      const body = { upsert_rows: rows, ...(deletes.length > 0 ? { deletes } : {}), schema };
      expect(await target.call('POST', `/v2/namespaces/${at.name}`, body)).toMatchObject({ status: 200 });
      for (const id of ids) at.live.set(id, version);
      for (const id of deletes) at.live.delete(id);
    };
    const draw = (count: number): number[] => [
      ...new Set(Array.from({ length: count }, () => random.integer(rowCount))),
    ];
    const change = async (at: Lived): Promise<void> => {
      const upserts = draw(20);
      await write(
        at,
        upserts,
        draw(30).filter((id) => !upserts.includes(id)),
      );
    };
    const ask = async (at: Lived): Promise<void> => {
      for (const filters of [undefined, ['half', 'Eq', 1], ['id', 'Lt', 40]]) {
        await compare(target, at, { vector: point(), filters }, totals);
      }
    };

    const first: Lived = { name: `ann-${codec}`, live: new Map() };
    const all = Array.from({ length: rowCount }, (_, id) => id);
    await write(first, all.slice(0, rowCount / 2), []);
    await target.settle(first.name);
    await write(
      first,
      all.slice(rowCount / 2 - 200),
      draw(50).filter((id) => id < rowCount / 2 - 200),
    );
    await ask(first);
    const branch: Lived = { name: `branch-${codec}`, live: new Map(first.live) };
    await rounds(world, random, [first], change, ask);
    const source = { branch_from_namespace: first.name };
    expect(await target.call('POST', `/v2/namespaces/${branch.name}`, source)).toMatchObject({ status: 200 });
    branch.live.clear();
    for (const [id, at] of first.live) branch.live.set(id, at);
    await rounds(world, random, [first, branch], change, ask);
    for (const at of [first, branch]) await target.settle(at.name);
    for (const at of [first, branch, first, branch]) await ask(at);

    const merges = world.cluster.counted.get('lagoon_compactor_merges_total committed') ?? 0;
    const recall = totals.found / totals.wanted;
    process.stdout.write(`ann in every layout: ${JSON.stringify({ codec, ...totals, merges, recall })}\n`);
    expect(merges).toBeGreaterThan(1);
    expect(totals.probes).toBeGreaterThan(totals.queries / 3);
    expect(recall).toBeGreaterThanOrEqual(0.95);
  }, 60_000);
});

/** Changes come before, while and after index jobs and merges run. */
async function rounds(
  world: World,
  random: Random,
  places: readonly Lived[],
  change: (at: Lived) => Promise<void>,
  ask: (at: Lived) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < 6; round++) {
    for (const at of places) {
      await change(at);
      await sleepVirtual(world, random.integer(1_500));
      await ask(at);
    }
  }
}

async function compare(
  target: OracleTarget,
  { name, live }: Lived,
  { vector, filters }: { readonly vector: readonly number[]; readonly filters: unknown },
  totals: Totals,
): Promise<void> {
  const query = async (kind: 'ANN' | 'kNN', count: number) => {
    const only = filters === undefined ? {} : { filters };
    const body = {
      rank_by: ['vector', kind, vector],
      limit: count,
      include_attributes: ['version'],
      profile: true,
      ...only,
    };
    const { status, json } = await target.call('POST', `/v2/namespaces/${name}/query`, body);
    expect({ status, json }).toMatchObject({ status: 200 });
    return json as {
      readonly rows: readonly (Found & { readonly version: number })[];
      readonly profile: { readonly steps: readonly { readonly step: string }[] };
    };
  };
  const ann = await query('ANN', limit);
  const exact = await query('kNN', 10_000);
  expect(exact.rows.every(({ id, version }) => live.get(id) === version)).toBe(true);
  if (filters === undefined) expect(exact.rows).toHaveLength(live.size);
  expect(ann.rows).toHaveLength(Math.min(limit, exact.rows.length));
  const distances = new Map(exact.rows.map(({ id, $dist }) => [id, $dist]));
  for (const { id, $dist, version } of ann.rows) {
    expect([id, $dist, version]).toEqual([id, distances.get(id), live.get(id)]);
  }
  const best = new Set(exact.rows.slice(0, limit).map(({ id }) => id));
  totals.found += ann.rows.filter(({ id }) => best.has(id)).length;
  totals.wanted += best.size;
  totals.queries++;
  if (ann.profile.steps.some(({ step }) => step === 'probe')) totals.probes++;
}
