/**
 * ANN on a node that has nothing of the namespace in memory or on disk, on a directory whose every request takes 50 ms more: all GloVe rows in one segment, the
 * engine purged before each query. Rounds are requests one behind the other, in the middle query: one that starts late is counted too high; bytes are those of all requests, against those of the vectors as f32.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSeededRandom, createSystemClock } from '@lagoon/base';
import type { ListCodec } from '@lagoon/format';
import { createFileSystemStore, latencyModel, type ObjectStore } from '@lagoon/object-store';
import { loadKernelModule } from '@lagoon/vector';
import { reportAtLeast, reportAtMost } from './figure.ts';
import { loadGlove } from './glove.ts';
import { exactNeighbours } from './list-engine.ts';
import { mean, quantile } from './statistics.ts';
import { openVectorEngine } from './vector-engine.ts';
import { holdOut, type Vectors } from './vectors.ts';

const k = 10;
const queryCount = 60;
const latencyMs = 50;
const recall = 0.95;
const codecs: readonly ListCodec[] = ['int8', 'pq4', 'flat'];

/** What one query asked of the store. */
interface Asked {
  requestCount: number;
  bytes: number;
  /** Requests by how many had to end before them. */
  readonly rounds: number[];
}

async function main(): Promise<void> {
  const { rows, queries } = holdOut(await loadGlove(), queryCount);
  const truth = exactNeighbours(loadKernelModule(), 'cosine_distance', rows, queries, k);
  print(`${rows.rowCount} rows of ${rows.dims} dimensions, ${queryCount} cold queries, ${latencyMs} ms per request`);
  print('lists  p50 ms  p90 ms  rounds  requests  most in a round  KiB read  of the vectors  recall@10  warm p50 ms');
  for (const codec of codecs) await measure(codec, rows, queries, truth);
}

async function measure(
  codec: ListCodec,
  rows: Vectors,
  queries: readonly Float32Array[],
  truth: readonly Uint32Array[],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-cold-'));
  const clock = createSystemClock();
  const random = createSeededRandom(1);
  let asked: Asked = { requestCount: 0, bytes: 0, rounds: [] };
  const through = (store: ObjectStore): ObjectStore => {
    const far = { baseMs: latencyMs };
    return counting(latencyModel(store, { clock, random }, { get: far, list: far }), () => asked);
  };
  const store = await createFileSystemStore({ root: folder, random });
  const engine = await openVectorEngine(rows, { codec, store, through });
  const cold: (Asked & { readonly ms: number })[] = [];
  let hits = 0;
  for (const [i, query] of queries.entries()) {
    await engine.purge();
    asked = { requestCount: 0, bytes: 0, rounds: [] };
    const found = await engine.search(query, { k, recall });
    cold.push({ ...asked, rounds: [...asked.rounds], ms: found.ms }); // the next purge asks too
    const wanted = new Set(truth[i]);
    for (const row of found.rows) if (wanted.has(row)) hits++;
  }
  const warm: number[] = [];
  asked = { requestCount: 0, bytes: 0, rounds: [] };
  for (const query of [...queries, ...queries]) await engine.search(query, { k, recall }); // brings everything into memory
  for (const query of [...queries, ...queries]) warm.push((await engine.search(query, { k, recall })).ms);
  await engine.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
  const times = cold.map(({ ms }) => ms);
  const share = mean(cold.map(({ bytes }) => bytes)) / rows.values.byteLength;
  const roundCount = quantile(
    cold.map(({ rounds }) => rounds.length),
    0.5,
  );
  const roundMost = Math.max(...cold.flatMap(({ rounds }) => rounds));
  const p50 = quantile(times, 0.5);
  const cells = [
    [codec.padEnd(5), p50.toFixed(1).padStart(7), quantile(times, 0.9).toFixed(1).padStart(7)],
    [
      `${roundCount}`.padStart(7),
      mean(cold.map(({ requestCount }) => requestCount))
        .toFixed(1)
        .padStart(9),
    ],
    [`${roundMost}`.padStart(16), (mean(cold.map(({ bytes }) => bytes)) / 1024).toFixed(0).padStart(9)],
    [`${(100 * share).toFixed(2)} %`.padStart(15), (hits / (k * queries.length)).toFixed(3).padStart(10)],
    [quantile(warm, 0.5).toFixed(2).padStart(12)],
  ];
  print(cells.flat().join(' '));
  reportAtMost(`cold: p50 of an ANN query by ${codec} lists at ${latencyMs} ms a request`, p50, 240, {
    unit: ' ms',
    digits: 0,
  });
  reportAtMost(`cold: rounds by ${codec} lists`, roundCount, 4, { unit: '', digits: 0 });
  reportAtMost(`cold: requests of a round by ${codec} lists`, roundMost, 48, { unit: '', digits: 0 });
  reportAtMost(`cold: bytes read by ${codec} lists, of the vectors`, 100 * share, 5, { unit: ' %', digits: 2 });
  reportAtLeast(`cold: recall@${k} by ${codec} lists`, hits / (k * queries.length), recall, { unit: '' });
}

/** A request belongs to the round behind the last one of which an answer had come. */
function counting(store: ObjectStore, current: () => Asked): ObjectStore {
  const answered = new WeakMap<Asked, number>();
  const counted = async <R>(run: () => Promise<R>, bytesOf: (result: R) => number): Promise<R> => {
    const asked = current();
    const round = answered.get(asked) ?? 0;
    asked.requestCount++;
    asked.rounds[round] = (asked.rounds[round] ?? 0) + 1;
    const result = await run();
    asked.bytes += bytesOf(result);
    answered.set(asked, Math.max(answered.get(asked) ?? 0, round + 1));
    return result;
  };
  return {
    ...store,
    get: (key, options, signal) =>
      counted(
        () => store.get(key, options, signal),
        (object) => object?.bytes.length ?? 0,
      ),
    list: (options, signal) =>
      counted(
        () => store.list(options, signal),
        () => 0,
      ),
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
