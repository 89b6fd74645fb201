import { type IvfIndex, loadKernelModule } from '@lagoon/vector';
import { ratioOf, reportAtMost } from './figure.ts';
import { startHnswlib } from './hnswlib.ts';
import { indexLance, type LanceIndex, loadLance, searchLance } from './lance.ts';
import { createListEngine, exactNeighbours } from './list-engine.ts';
import { quantile } from './statistics.ts';
import { openVectorEngine, type VectorEngine } from './vector-engine.ts';
import type { Vectors } from './vectors.ts';

const k = 10;
const roundCount = 2;
const warmUpCount = 20;
const recallAim = 0.965;
const metric = 'cosine_distance';
const lancePartitions = 1_024;
const codecs = ['flat', 'int8', 'pq4'] as const;
const recalls = [0.8, 0.85, 0.9, 0.92, 0.925, 0.93, 0.94, 0.95, 0.965, 0.98, 0.99];
const lanceProbes = [20, 40, 60, 70, 80, 90, 100, 150, 250];
const graphEfs = [30, 50, 75, 100, 150, 200, 220, 250, 300, 400, 600];

type Codec = (typeof codecs)[number];

/** One searcher at one setting: all queries once. */
interface Point {
  readonly engine: string;
  readonly setting: string;
  /** Those of no aim are slow, and asked once. */
  readonly roundCount: number;
  readonly run: () => Promise<{ readonly times: readonly number[]; readonly found: readonly (readonly number[])[] }>;
}

interface Measured {
  readonly point: Point;
  readonly recall: number;
  readonly p50Ms: number;
}

/** What other comparisons on the same rows need. */
export interface CurveResult {
  readonly indexes: ReadonlyMap<Codec, IvfIndex>;
  readonly truth: readonly Uint32Array[];
}

/**
 * Recall@10 beside p50 on one set: every kind of list in the engine (plan, search and ids on the calling thread), LanceDB embedded with IVF_FLAT and IVF_PQ,
 * and hnswlib; build times and bytes. `subVectors` are those of LanceDB's IVF_PQ; without `hasTimeAims` times are printed alone. Rounds of all alternate, and the fastest counts for each, for the machine is shared. `name` begins the figures.
 */
export async function measureCurve(
  name: string,
  rows: Vectors,
  queries: readonly Float32Array[],
  folder: string,
  subVectors: number,
  hasTimeAims: boolean,
): Promise<CurveResult> {
  const truth = exactNeighbours(loadKernelModule(), metric, rows, queries, k);
  const engines = new Map<Codec, VectorEngine>();
  for (const codec of codecs) {
    const engine = await openVectorEngine(rows, { codec });
    engines.set(codec, engine);
    printBuild(codec, engine);
  }
  const buildSeconds = new Map<LanceIndex, number>();
  const points = [...engines].flatMap(([codec, engine]) => enginePoints(codec, engine, queries));
  for (const kind of ['IVF_FLAT', 'IVF_PQ'] as const) {
    const table = await loadLance(rows, `${folder}/${name}-${kind}`);
    const seconds = await indexLance(table, kind, rows, lancePartitions, subVectors);
    print(`LanceDB ${kind}, ${lancePartitions} partitions: built in ${seconds.toFixed(1)} s`);
    buildSeconds.set(kind, seconds);
    points.push(...lancePoints(kind, queries, (query, search) => searchLance(table, query, search)));
  }
  using graph = await startHnswlib(rows, queries, k, folder);
  if (graph !== undefined) {
    const when = graph.wasKept ? ' in an earlier run' : '';
    print(`hnswlib M 16, ef 200: built in ${graph.buildSeconds.toFixed(1)} s${when}`);
    for (const ef of graphEfs)
      points.push({ engine: 'hnswlib', setting: `ef ${ef}`, roundCount, run: () => graph.search(ef) });
  }
  print(
    `recall@${k} beside p50, ${rows.rowCount} × ${rows.dims}, cosine, ${queries.length} held-out queries, one thread, fastest of ${roundCount} rounds`,
  );
  const measured = await measure(points, truth);
  for (const { point, recall, p50Ms } of measured) {
    print(
      `  ${point.engine.padEnd(17)} ${point.setting.padEnd(22)} recall ${recall.toFixed(4)}  p50 ${p50Ms.toFixed(3)} ms`,
    );
  }
  reportTimes(name, measured, hasTimeAims);
  reportBuilds(name, engines, buildSeconds);
  reportLists(name, rows, queries, truth, engines);
  for (const engine of engines.values()) await engine.close();
  return { indexes: new Map([...engines].map(([codec, { index }]) => [codec, index])), truth };
}

function printBuild(codec: Codec, { index, buildSeconds, writeSeconds }: VectorEngine): void {
  print(
    `Lagoon ${codec}: ${index.leafEnds.length} leaves built in ${buildSeconds.toFixed(1)} s by two threads; the segment around them written in ${writeSeconds.toFixed(1)} s`,
  );
}

function enginePoints(codec: Codec, engine: VectorEngine, queries: readonly Float32Array[]): readonly Point[] {
  return recalls.map((recall) => ({
    engine: `Lagoon ${codec}`,
    setting: `recall ${recall}`,
    roundCount,
    run: async () => {
      for (const query of queries.slice(0, warmUpCount)) await engine.search(query, { k, recall });
      const times: number[] = [];
      const found: number[][] = [];
      for (const query of queries) {
        const answer = await engine.search(query, { k, recall });
        times.push(answer.ms);
        found.push(answer.rows);
      }
      return { times, found };
    },
  }));
}

function lancePoints(
  kind: LanceIndex,
  queries: readonly Float32Array[],
  search: (query: Float32Array, search: { k: number; probes: number; refine?: number }) => Promise<number[]>,
): readonly Point[] {
  const refine = kind === 'IVF_PQ' ? { refine: 5 } : {};
  return lanceProbes.map((probes) => ({
    engine: `LanceDB ${kind}`,
    setting: `${probes} probes${kind === 'IVF_PQ' ? ', refine 5' : ''}`,
    roundCount: kind === 'IVF_PQ' ? 1 : roundCount,
    run: async () => {
      const times: number[] = [];
      const found: number[][] = [];
      for (const query of queries) {
        const startedAt = performance.now();
        found.push(await search(query, { k, probes, ...refine }));
        times.push(performance.now() - startedAt);
      }
      return { times, found };
    },
  }));
}

async function measure(points: readonly Point[], truth: readonly Uint32Array[]): Promise<readonly Measured[]> {
  const best = new Map<Point, Measured>();
  for (let round = 0; round < roundCount; round++) {
    for (const point of points) {
      if (round >= point.roundCount) continue;
      const { times, found } = await point.run();
      const p50Ms = Math.min(quantile(times, 0.5), best.get(point)?.p50Ms ?? Number.POSITIVE_INFINITY);
      best.set(point, { point, p50Ms, recall: recallOf(found, truth) });
    }
  }
  return [...best.values()];
}

function recallOf(found: readonly (readonly number[])[], truth: readonly Uint32Array[]): number {
  let hits = 0;
  for (const [i, rows] of found.entries()) {
    const wanted = new Set(truth[i]);
    for (const row of rows) if (wanted.has(row)) hits++;
  }
  return hits / (truth.length * k);
}

function reportTimes(name: string, measured: readonly Measured[], hasAims: boolean): void {
  const fastest = (engine: string) =>
    measured
      .filter(({ point, recall }) => point.engine === engine && recall >= recallAim)
      .toSorted((a, b) => a.p50Ms - b.p50Ms)[0]?.p50Ms;
  for (const [other, most] of [
    ['LanceDB IVF_FLAT', 0.1],
    ['LanceDB IVF_PQ', undefined],
    ['hnswlib', 0.5],
  ] as const) {
    for (const codec of codecs) {
      const figure = `${name}: p50 in the engine at recall ≥ ${recallAim}, ${codec} / ${other}`;
      const value = ratioOf(fastest(`Lagoon ${codec}`), fastest(other));
      // The others are kinds that one may choose; the aim is that of the lists a column of this size has by itself.
      if (hasAims && codec === 'pq4' && most !== undefined) reportAtMost(figure, value, most);
      else print(`  ${figure}: ${value === undefined ? 'not measured' : `${value.toFixed(3)}×`}`);
    }
  }
}

function reportBuilds(
  name: string,
  engines: ReadonlyMap<Codec, VectorEngine>,
  seconds: ReadonlyMap<LanceIndex, number>,
): void {
  for (const [codec, kind, most] of [
    ['flat', 'IVF_FLAT', 1],
    ['int8', 'IVF_FLAT', 1],
    ['pq4', 'IVF_PQ', 0.3],
  ] as const) {
    const value = ratioOf(engines.get(codec)?.buildSeconds, seconds.get(kind));
    reportAtMost(`${name}: build of ${codec} lists / LanceDB ${kind}`, value, most);
  }
}

/** Bytes of codes beside those of the rows, and what codes lose with the leaves and candidates that the engine would take. */
function reportLists(
  name: string,
  rows: Vectors,
  queries: readonly Float32Array[],
  truth: readonly Uint32Array[],
  engines: ReadonlyMap<Codec, VectorEngine>,
): void {
  const recallAt = (index: IvfIndex, leaves: number, candidates: number): number => {
    const lists = createListEngine(loadKernelModule(), rows, index);
    return recallOf(
      queries.map((query) => lists.search(query, k, leaves, candidates)),
      truth,
    );
  };
  const flat = engines.get('flat')?.index;
  for (const [codec, most] of [
    ['int8', 0.3],
    ['pq4', 0.08],
  ] as const) {
    const index = engines.get(codec)?.index;
    if (index === undefined || flat === undefined) continue;
    const { ks, recalls: learned, leaves, candidates } = index.budgets;
    const slot = ks.indexOf(k) * learned.length + learned.indexOf(recallAim);
    const [leafCount, candidateCount] = [leaves[slot] as number, Math.max(2 * k, candidates[slot] as number)];
    const [exact, coded] = [recallAt(flat, leafCount, k), recallAt(index, leafCount, candidateCount)];
    print(
      `  ${codec}: ${leafCount} leaves, ${candidateCount} candidates ranked by their vectors: recall ${coded.toFixed(4)}, by flat lists ${exact.toFixed(4)}`,
    );
    reportAtMost(`${name}: bytes of ${codec} lists / f32 lists`, index.codes.length / (rows.values.length * 4), most);
    reportAtMost(`${name}: recall lost by ${codec} after ranking by vectors`, exact - coded, 0.01, {
      unit: '',
      digits: 4,
    });
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
