/**
 * Lists of vectors over all GloVe rows, in the engine, one query at a time on the calling thread: recall@10 beside p50, rows scanned, build time and bytes
 * for every codec, against LanceDB (npm, embedded) with IVF_FLAT and IVF_PQ, flat k-means with leaves of the same size, and an exact scan.
 *
 * 1,000 rows are held out and ask. Rounds of the engines alternate, and the fastest of three counts for each (the machine is shared). LanceDB gets
 * its own best number of probes for the recall. HNSW=path of an installed `hnswlib-node` adds it; LANCE=IVF_FLAT leaves the slow build out; QUERIES=n asks less.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildIvf,
  createThreadExecutor,
  fromHalves,
  type IvfIndex,
  type IvfRows,
  type ListCodec,
  loadKernelModule,
} from '@lagoon/vector';
import { connect, Index, type Table } from '@lancedb/lancedb';
import { type GloveVectors, loadGlove } from './glove.ts';
import { createListEngine, exactNeighbours, flatClustering, type ListEngine, rowsScannedAt } from './list-engine.ts';
import { quantile } from './statistics.ts';

const k = 10;
const queryCount = Number(process.env.QUERIES ?? 1000);
const roundCount = 3;
const recallAim = 0.965;
const lanceNames = (process.env.LANCE ?? 'IVF_FLAT,IVF_PQ').split(',');
const metric = 'cosine_distance';
const codecs: readonly ListCodec[] = ['flat', 'int8', 'pq4'];
/** Candidates by code that are ranked by their rows. */
const candidates: Readonly<Record<ListCodec, number>> = { flat: k, int8: 30, pq4: 200 };
const probes = [10, 20, 30, 40, 50, 60, 70, 80, 100, 120, 160, 200, 260];

/** One searcher at one setting. */
interface Point {
  readonly name: string;
  readonly setting: string;
  readonly search: (query: Float32Array) => Promise<readonly number[]> | readonly number[];
}

interface Measured {
  readonly point: Point;
  readonly recall: number;
  readonly p50Ms: number;
}

async function main(): Promise<void> {
  const { rows, queries } = split(await loadGlove());
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
  try {
    await measureAll(rows, queries, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureAll(rows: GloveVectors, queries: readonly Float32Array[], folder: string): Promise<void> {
  const module = loadKernelModule();
  const truth = exactNeighbours(module, metric, rows, queries, k);
  const engines = new Map<ListCodec, ListEngine>();
  const indexes = new Map<ListCodec, IvfIndex>();
  const buildSeconds = new Map<string, number>();
  for (const codec of codecs) {
    const executor = createThreadExecutor(module, 2);
    const source: IvfRows = {
      ...{ rowCount: rows.rowCount, dims: rows.dims },
      read: (start, count, target) => target.set(rows.values.subarray(start * rows.dims, (start + count) * rows.dims)),
    };
    const { seconds, result } = await timed(() => buildIvf(source, { metric, codec, seed: 1 }, module, executor));
    await executor.close();
    buildSeconds.set(codec, seconds);
    indexes.set(codec, result);
    engines.set(codec, createListEngine(module, rows, result));
    printBuild(codec, seconds, result);
  }
  const tables = await lanceTables(rows, folder, buildSeconds);
  print(
    `build time against LanceDB: flat ${ratio(buildSeconds, 'flat', 'IVF_FLAT')}, int8 ${ratio(buildSeconds, 'int8', 'IVF_FLAT')} (aim ≤ 1.0×), pq4 ${ratio(buildSeconds, 'pq4', 'IVF_PQ')} (aim ≤ 0.3×)`,
  );

  const points: Point[] = [];
  for (const [codec, engine] of engines) {
    for (const leaves of probes) {
      const search = (query: Float32Array) => engine.search(query, k, leaves, candidates[codec]);
      points.push({ name: `Lagoon ${codec}`, setting: `${leaves} leaves`, search });
    }
  }
  for (const [name, table] of tables) points.push(...lancePoints(name, table));
  points.push(...hnswPoints(rows, buildSeconds));
  const measured = await measure(points, queries, truth);
  for (const { point, recall, p50Ms } of measured) {
    print(
      `  ${point.name.padEnd(17)} ${point.setting.padEnd(22)} recall ${recall.toFixed(4)}  p50 ${p50Ms.toFixed(3)} ms`,
    );
  }
  summarize(measured);
  compareClusterings(module, rows, indexes.get('flat') as IvfIndex, queries, truth);
}

/** Rows at equal distances are held out as queries. */
function split({ rowCount, dims, values }: GloveVectors): { rows: GloveVectors; queries: Float32Array[] } {
  const isQuery = new Set(
    Array.from({ length: queryCount }, (_, i) => Math.floor(((i + 0.5) * rowCount) / queryCount)),
  );
  const kept = new Float32Array((rowCount - isQuery.size) * dims);
  const queries: Float32Array[] = [];
  let next = 0;
  for (let row = 0; row < rowCount; row++) {
    const vector = values.subarray(row * dims, (row + 1) * dims);
    if (isQuery.has(row)) queries.push(vector.slice());
    else kept.set(vector, next++ * dims);
  }
  return { rows: { rowCount: next, dims, values: kept }, queries };
}

function printBuild(codec: ListCodec, seconds: number, index: IvfIndex): void {
  const share = index.codes.length / (index.rowCount * index.dims * 4);
  const size = codec === 'flat' ? 'lists are the rows' : `codes ${share.toFixed(3)}× the rows' bytes`;
  print(`Lagoon ${codec}: built in ${seconds.toFixed(1)} s, ${index.leafEnds.length} leaves, ${size}`);
}

async function lanceTables(
  rows: GloveVectors,
  folder: string,
  buildSeconds: Map<string, number>,
): Promise<Map<string, Table>> {
  const tables = new Map<string, Table>();
  for (const name of lanceNames) {
    const table = await loadLance(rows, join(folder, name));
    const config =
      name === 'IVF_FLAT'
        ? Index.ivfFlat({ distanceType: 'cosine', numPartitions: 1024 })
        : Index.ivfPq({ distanceType: 'cosine', numPartitions: 1024, numSubVectors: 50 });
    const { seconds } = await timed(async () => {
      await table.createIndex('vector', { config });
      await table.waitForIndex(['vector_idx'], 600);
    });
    buildSeconds.set(name, seconds);
    tables.set(name, table);
    print(`LanceDB ${name}: built in ${seconds.toFixed(1)} s`);
  }
  return tables;
}

async function loadLance({ rowCount, dims, values }: GloveVectors, path: string): Promise<Table> {
  const database = await connect(path);
  const rowsPerCall = 20_000;
  const batch = (start: number) =>
    Array.from({ length: Math.min(rowsPerCall, rowCount - start) }, (_, i) => ({
      id: start + i,
      vector: Array.from(values.subarray((start + i) * dims, (start + i + 1) * dims)),
    }));
  const table = await database.createTable('glove', batch(0));
  for (let start = rowsPerCall; start < rowCount; start += rowsPerCall) await table.add(batch(start));
  await table.optimize();
  return table;
}

function lancePoints(name: string, table: Table): readonly Point[] {
  return [20, 40, 60, 80, 120].map((nprobes) => ({
    name: `LanceDB ${name}`,
    setting: `${nprobes} probes${name === 'IVF_PQ' ? ', refine 5' : ''}`,
    search: async (query: Float32Array) => {
      const nearest = table.query().nearestTo(query).distanceType('cosine').nprobes(nprobes).limit(k);
      const found = await (name === 'IVF_PQ' ? nearest.refineFactor(5) : nearest).select(['id', '_distance']).toArray();
      return found.map((row: { id: number }) => Number(row.id));
    },
  }));
}

interface HnswIndex {
  initIndex(rowCount: number, m: number, efConstruction: number): void;
  addPoint(vector: number[], id: number): void;
  setEf(ef: number): void;
  searchKnn(vector: number[], k: number): { readonly neighbors: number[] };
}

/** In-memory graph, where it is installed: it needs a compiler, so it is no dependency. */
function hnswPoints({ rowCount, dims, values }: GloveVectors, buildSeconds: Map<string, number>): readonly Point[] {
  const path = process.env.HNSW;
  if (path === undefined) return [];
  const { HierarchicalNSW } = createRequire(join(path, 'package.json'))('hnswlib-node') as {
    HierarchicalNSW: new (space: string, dims: number) => HnswIndex;
  };
  const index = new HierarchicalNSW('cosine', dims);
  const startedAt = performance.now();
  index.initIndex(rowCount, 16, 200);
  for (let row = 0; row < rowCount; row++) {
    index.addPoint(Array.from(values.subarray(row * dims, (row + 1) * dims)), row);
  }
  buildSeconds.set('hnswlib', (performance.now() - startedAt) / 1000);
  print(`hnswlib-node M 16, ef 200: built in ${(buildSeconds.get('hnswlib') as number).toFixed(1)} s, one thread`);
  return [50, 100, 150, 200, 300].map((ef) => ({
    name: 'hnswlib-node',
    setting: `ef ${ef}`,
    search: (query: Float32Array) => {
      index.setEf(ef);
      return index.searchKnn(Array.from(query), k).neighbors;
    },
  }));
}

async function measure(
  points: readonly Point[],
  queries: readonly Float32Array[],
  truth: readonly Uint32Array[],
): Promise<readonly Measured[]> {
  const best = points.map(() => ({ p50Ms: Number.POSITIVE_INFINITY, recall: 0 }));
  for (let round = 0; round < roundCount; round++) {
    for (const [i, point] of points.entries()) {
      const { p50Ms, recall } = await measureOnce(point, queries, truth);
      best[i] = { recall, p50Ms: Math.min(p50Ms, best[i]?.p50Ms ?? p50Ms) };
    }
  }
  return points.map((point, i) => ({ point, ...(best[i] as { p50Ms: number; recall: number }) }));
}

async function measureOnce(point: Point, queries: readonly Float32Array[], truth: readonly Uint32Array[]) {
  const times: number[] = [];
  let hits = 0;
  for (const [i, query] of queries.entries()) {
    const startedAt = performance.now();
    const answer = point.search(query);
    const found = new Set(Array.isArray(answer) ? answer : await answer);
    times.push(performance.now() - startedAt);
    for (const row of truth[i] as Uint32Array) if (found.has(row)) hits++;
  }
  return { p50Ms: quantile(times, 0.5), recall: hits / (queries.length * k) };
}

function summarize(measured: readonly Measured[]): void {
  const fastest = (name: string) =>
    measured
      .filter(({ point, recall }) => point.name.startsWith(name) && recall >= recallAim)
      .toSorted((a, b) => a.p50Ms - b.p50Ms)[0];
  const ours = codecs.map((codec) => fastest(`Lagoon ${codec}`));
  for (const other of ['LanceDB IVF_FLAT', 'LanceDB IVF_PQ', 'hnswlib-node']) {
    const theirs = fastest(other);
    if (theirs === undefined) continue;
    const shares = ours.map(
      (one, i) => `${codecs[i]} ${one === undefined ? '–' : (one.p50Ms / theirs.p50Ms).toFixed(3)}×`,
    );
    print(`p50 at recall ≥ ${recallAim} against ${other} (${theirs.p50Ms.toFixed(3)} ms): ${shares.join(', ')}`);
  }
}

/** Rows scanned with the tree's leaves, and with those of flat k-means. */
function compareClusterings(
  module: WebAssembly.Module,
  rows: GloveVectors,
  index: IvfIndex,
  queries: readonly Float32Array[],
  truth: readonly Uint32Array[],
): void {
  const leafCount = index.leafEnds.length;
  const leafOfRow = new Uint32Array(rows.rowCount);
  let position = 0;
  index.leafEnds.forEach((end, leaf) => {
    for (; position < end; position++) leafOfRow[index.order[position] as number] = leaf;
  });
  const centroids = { values: fromHalves(index.centroids), rowCount: leafCount, dims: rows.dims };
  const tree = rowsScannedAt(module, { centroids, leafOfRow }, queries, truth, recallAim);
  const flat = rowsScannedAt(module, flatClustering(module, rows, leafCount), queries, truth, recallAim);
  print(
    `rows scanned at recall ${recallAim}: ${(100 * tree).toFixed(2)} %, by flat k-means with as many leaves (${leafCount}) ${(100 * flat).toFixed(2)} %: ratio ${(tree / flat).toFixed(3)} (aim ≤ 1.1)`,
  );
}

async function timed<Result>(work: () => Promise<Result>): Promise<{ seconds: number; result: Result }> {
  const startedAt = performance.now();
  const result = await work();
  return { seconds: (performance.now() - startedAt) / 1000, result };
}

function ratio(seconds: ReadonlyMap<string, number>, ours: string, theirs: string): string {
  const other = seconds.get(theirs);
  return other === undefined ? '–' : `${((seconds.get(ours) as number) / other).toFixed(2)}×`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
