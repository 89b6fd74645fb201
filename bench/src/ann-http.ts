/**
 * ANN over all GloVe rows through the HTTP gateway of one process with all roles, strong consistency, against LanceDB embedded with IVF_FLAT: 1,000 rows are
 * held out and ask. Recall against an exact scan beside p50 of one client at several recall targets and numbers of probes, and queries per second of eight clients;
 * once where compaction has settled, and once with ten segments as index jobs leave them. Rounds of both engines alternate, and the fastest counts
 * for each, for the machine is shared.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadKernelModule } from '@lagoon/vector';
import { ratioOf, reportAtLeast, reportAtMost } from './figure.ts';
import { loadGlove } from './glove.ts';
import { createHttpClient, type HttpClient, untilIndexed } from './http-client.ts';
import { startLagoon } from './lagoon-process.ts';
import { indexLance, loadLance, searchLance } from './lance.ts';
import { createLeanClient, type LeanClient } from './lean-client.ts';
import { exactNeighbours } from './list-engine.ts';
import { quantile } from './statistics.ts';
import { holdOut, rowOf, type Vectors } from './vectors.ts';

const k = 10;
const queryCount = 1_000;
const roundCount = 3;
const clientCount = 8;
const recallAim = 0.965;
const recalls = [0.8, 0.85, 0.9, 0.925, 0.93, 0.935, 0.94, 0.95, 0.965, 0.98, 0.99];
const probeCounts = [20, 40, 60, 80, 90, 100, 120, 200];
const namespace = '/v2/namespaces/glove';
const settledSeconds = 60;
const settledSecondsMax = 600;

/** A searcher at one setting. */
interface Point {
  readonly engine: 'Lagoon' | 'LanceDB';
  readonly setting: string;
  readonly search: (query: number) => Promise<readonly number[]>;
}

interface Measured {
  readonly point: Point;
  readonly recall: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function main(): Promise<void> {
  const { rows, queries } = holdOut(await loadGlove(), queryCount);
  const truth = exactNeighbours(loadKernelModule(), 'cosine_distance', rows, queries, k);
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
  try {
    const table = await loadLance(rows, join(folder, 'lance'));
    await indexLance(table, 'IVF_FLAT', rows, 1_024);
    const lance = probeCounts.map(
      (probes): Point => ({
        engine: 'LanceDB',
        setting: `${probes} probes`,
        search: (query) => searchLance(table, queries[query] as Float32Array, { k, probes }),
      }),
    );
    await measureSettled(rows, queries, truth, lance, join(folder, 'settled'));
    await measureTen(rows, queries, truth, join(folder, 'ten'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureSettled(
  rows: Vectors,
  queries: readonly Float32Array[],
  truth: readonly Uint32Array[],
  lance: readonly Point[],
  folder: string,
): Promise<void> {
  await using lagoon = await startLagoon(folder);
  using client = createHttpClient(lagoon.url, clientCount);
  await write(client, rows, 2_000);
  print(`index lag zero ${(await untilIndexed(client, 'glove', 300)).toFixed(1)} s after the last write`);
  print(`${await untilSettled(client)} segment(s) when compaction has settled, ${rows.rowCount} × ${rows.dims}`);
  using lean = await createLeanClient(lagoon.url, clientCount);
  const ours = pointsOf(lean, queries);
  const measured = await measureAll([...ours, ...lance], truth);
  const [best, theirs] = [fastest(measured, 'Lagoon'), fastest(measured, 'LanceDB')];
  const name = `through HTTP at recall ≥ ${recallAim}, against LanceDB IVF_FLAT embedded`;
  reportAtMost(`p50 ${name}`, ratioOf(best?.p50Ms, theirs?.p50Ms), 0.35);
  const perSecond = await measureThroughput([best, theirs].flatMap((one) => one?.point ?? []));
  reportAtLeast(`queries per second of ${clientCount} clients ${name}`, ratioOf(perSecond[0], perSecond[1]), 2);
  print(await planOf(client, queries));
}

/** Every write is as large as an index job, and nothing is merged. */
async function measureTen(
  rows: Vectors,
  queries: readonly Float32Array[],
  truth: readonly Uint32Array[],
  folder: string,
): Promise<void> {
  const unmerged = ['--merge-fan-in', '64', '--absorb-bytes-max', '0', '--merge-quiet-ms', '0', '--index-age-ms', '0'];
  await using lagoon = await startLagoon(folder, unmerged);
  using client = createHttpClient(lagoon.url, 1);
  const tenth = Math.ceil(rows.rowCount / 10);
  await write(client, rows, tenth, async () => void (await untilIndexed(client, 'glove', 300)));
  print(`${blocksOf(await planOf(client, queries))} segments of ${tenth} rows, as index jobs leave them`);
  using lean = await createLeanClient(lagoon.url, 1);
  await measureAll(pointsOf(lean, queries), truth);
}

async function write(
  client: HttpClient,
  rows: Vectors,
  rowsPerWrite: number,
  written = async (): Promise<void> => {},
): Promise<void> {
  const schema = { vector: { type: `[${rows.dims}]f32`, ann: { distance_metric: 'cosine_distance' } } };
  for (let from = 0; from < rows.rowCount; from += rowsPerWrite) {
    const id = Array.from({ length: Math.min(rowsPerWrite, rows.rowCount - from) }, (_, i) => from + i);
    const columns = { id, vector: id.map((row) => base64(rowOf(rows, row))) };
    const body = { distance_metric: 'cosine_distance', schema, upsert_columns: columns };
    await client.post(namespace, JSON.stringify(body));
    await written();
  }
}

/** Segments once their number has not changed for long, or is one. */
async function untilSettled(client: HttpClient): Promise<number> {
  const startedAt = performance.now();
  let since = startedAt;
  for (let blocks = 0; ; ) {
    const body = JSON.stringify({ rank_by: ['id', 'asc'], limit: 1 });
    const now = blocksOf(((await client.post(`${namespace}/explain_query`, body)) as { plan_text: string }).plan_text);
    if (now !== blocks) since = performance.now();
    blocks = now;
    const isSettled = performance.now() - since > settledSeconds * 1_000;
    if (blocks === 1 || isSettled || performance.now() - startedAt > settledSecondsMax * 1_000) return blocks;
    await new Promise((done) => setTimeout(done, 1_000));
  }
}

function blocksOf(plan: string): number {
  return Number(/ blocks=(\d+)/.exec(plan)?.[1]);
}

async function planOf(client: HttpClient, queries: readonly Float32Array[]): Promise<string> {
  const body = { rank_by: ['vector', 'ANN', base64(queries[0] as Float32Array)], limit: k };
  return ((await client.post(`${namespace}/explain_query`, JSON.stringify(body))) as { plan_text: string }).plan_text;
}

/** Bodies are made before the clock runs, as LanceDB is given its vectors. */
function pointsOf(client: LeanClient, queries: readonly Float32Array[]): readonly Point[] {
  return recalls.map((recall) => {
    const bodies = queries.map((query) =>
      JSON.stringify({ rank_by: ['vector', 'ANN', base64(query)], limit: k, recall }),
    );
    return {
      engine: 'Lagoon',
      setting: `recall ${recall}`,
      search: async (query) => {
        const answer = (await client.post(`${namespace}/query`, bodies[query] as string)) as { rows: { id: number }[] };
        return answer.rows.map(({ id }) => id);
      },
    };
  });
}

async function measureAll(points: readonly Point[], truth: readonly Uint32Array[]): Promise<readonly Measured[]> {
  const best = new Map<Point, Measured>();
  for (let round = 0; round < roundCount; round++) {
    for (const point of points) {
      const measured = await measureOnce(point, truth);
      if (measured.p50Ms < (best.get(point)?.p50Ms ?? Number.POSITIVE_INFINITY)) best.set(point, measured);
    }
  }
  const all = points.flatMap((point) => best.get(point) ?? []);
  for (const { point, recall, p50Ms, p99Ms } of all) {
    print(
      `  ${point.engine.padEnd(8)} ${point.setting.padEnd(12)} recall ${recall.toFixed(4)}  p50 ${p50Ms.toFixed(2)} ms  p99 ${p99Ms.toFixed(2)} ms`,
    );
  }
  return all;
}

async function measureOnce(point: Point, truth: readonly Uint32Array[]): Promise<Measured> {
  const times: number[] = [];
  let hits = 0;
  for (const [query, nearest] of truth.entries()) {
    const startedAt = performance.now();
    const found = new Set(await point.search(query));
    times.push(performance.now() - startedAt);
    for (const row of nearest) if (found.has(row)) hits++;
  }
  return { point, recall: hits / (k * truth.length), p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}

function fastest(measured: readonly Measured[], engine: Point['engine']): Measured | undefined {
  return measured
    .filter(({ point, recall }) => point.engine === engine && recall >= recallAim)
    .toSorted((a, b) => a.p50Ms - b.p50Ms)[0];
}

/** Queries per second of each, in turn; the best round of each. */
async function measureThroughput(points: readonly Point[]): Promise<readonly number[]> {
  const best = points.map(() => 0);
  for (let round = 0; round < roundCount; round++) {
    for (const [i, point] of points.entries()) {
      const startedAt = performance.now();
      let next = 0;
      const ask = async (): Promise<void> => {
        for (let query = next++; query < 2 * queryCount; query = next++) await point.search(query % queryCount);
      };
      await Promise.all(Array.from({ length: clientCount }, ask));
      best[i] = Math.max(best[i] as number, (2 * queryCount) / ((performance.now() - startedAt) / 1_000));
    }
  }
  for (const [i, { engine, setting }] of points.entries()) {
    print(`  ${clientCount} clients, ${engine}, ${setting}: ${Math.round(best[i] as number)} queries/s`);
  }
  return best;
}

function base64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
