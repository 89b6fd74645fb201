/**
 * How the time of an ANN query grows with the rows at equal recall: synthetic clusters, 10 thousand to a million rows of 64 dimensions, each set the first rows
 * of the largest. In the engine on the calling thread; rounds of all sizes alternate, the fastest counts. The time at a recall lies between those of the two
 * learned targets around it, by proportion.
 */
import { reportAtMost } from './figure.ts';
import { quantile } from './statistics.ts';
import { drawClusters } from './synthetic-clusters.ts';
import { openVectorEngine, type VectorEngine } from './vector-engine.ts';
import { holdOut, type Vectors } from './vectors.ts';

const k = 10;
const dims = 64;
const sizes = [10_000, 30_000, 100_000, 300_000, 1_000_000];
const queryCount = 500;
const roundCount = 3;
const targets = [0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.99];
const shownRecalls = [0.9, 0.95, 0.965, 0.98];
const recallAim = 0.95;

interface Size {
  readonly rowCount: number;
  readonly engine: VectorEngine;
  readonly truth: readonly ReadonlySet<number>[];
  /** By target. */
  readonly recalls: number[];
  readonly p50Ms: number[];
  /** On average over the queries. */
  readonly scoredRows: number[];
}

async function main(): Promise<void> {
  const last = sizes.at(-1) as number;
  const { rows, queries } = holdOut(drawClusters(last + queryCount, dims, 1), queryCount);
  const opened: Size[] = [];
  for (const rowCount of sizes) opened.push(await open(rows, rowCount, queries));
  for (let round = 0; round < roundCount; round++) {
    for (const size of opened) for (const slot of targets.keys()) await measure(size, slot, queries);
  }
  print(
    `p50 in ms by rows and recall@${k}, ${dims} dimensions, ${queryCount} queries, fastest of ${roundCount} rounds`,
  );
  print(
    `      rows  ${shownRecalls.map((recall) => recall.toFixed(3).padStart(8)).join('')}   recall → p50 (rows scored) of the learned targets`,
  );
  for (const size of opened) {
    const times = shownRecalls.map((recall) => (timeAt(size, recall)?.toFixed(3) ?? '-').padStart(8)).join('');
    const curve = targets.map(
      (_, slot) =>
        `${size.recalls[slot]?.toFixed(3)} → ${size.p50Ms[slot]?.toFixed(3)} (${size.scoredRows[slot]?.toFixed(0)})`,
    );
    print(`  ${String(size.rowCount).padStart(8)}  ${times}   ${curve.join(', ')}`);
  }
  const timeOf = (rowCount: number) => timeAt(opened.find((one) => one.rowCount === rowCount) as Size, recallAim);
  const [small, large] = [timeOf(100_000), timeOf(1_000_000)];
  const growth = small === undefined || large === undefined ? undefined : large / small;
  reportAtMost(`growth: p50 in the engine at recall ${recallAim}, 1M rows / 100k rows`, growth, 2);
  for (const { engine } of opened) await engine.close();
}

async function open(all: Vectors, rowCount: number, queries: readonly Float32Array[]): Promise<Size> {
  const engine = await openVectorEngine({ rowCount, dims, values: all.values.subarray(0, rowCount * dims) });
  const { index, buildSeconds } = engine;
  print(`${rowCount} rows: ${index.leafEnds.length} ${index.code.codec} lists built in ${buildSeconds.toFixed(1)} s`);
  const truth: Set<number>[] = [];
  for (const query of queries) truth.push(new Set((await engine.search(query, { k, recall: 'exact' })).rows));
  return { rowCount, engine, truth, recalls: [], p50Ms: [], scoredRows: [] };
}

async function measure(size: Size, slot: number, queries: readonly Float32Array[]): Promise<void> {
  const times: number[] = [];
  let hits = 0;
  let scored = 0;
  for (const [i, query] of queries.entries()) {
    const { rows, ms, scoredRowCount } = await size.engine.search(query, { k, recall: targets[slot] as number });
    times.push(ms);
    scored += scoredRowCount;
    for (const row of rows) if (size.truth[i]?.has(row)) hits++;
  }
  size.scoredRows[slot] = scored / queries.length;
  size.recalls[slot] = hits / (k * queries.length);
  size.p50Ms[slot] = Math.min(size.p50Ms[slot] ?? Number.POSITIVE_INFINITY, quantile(times, 0.5));
}

/** Undefined where no two targets lie around the recall. */
function timeAt({ recalls, p50Ms }: Size, recall: number): number | undefined {
  const above = recalls.findIndex((one) => one >= recall);
  if (above < 1) return undefined;
  const [low, high] = [recalls[above - 1] as number, recalls[above] as number];
  const share = (recall - low) / (high - low);
  return (p50Ms[above - 1] as number) * (1 - share) + (p50Ms[above] as number) * share;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
