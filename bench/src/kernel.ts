/**
 * Rows per second of the kernels over 800 MB, beside the plain TypeScript loop over the same bytes, in one run.
 *
 * Method: one thread; rows are uniform random values in WebAssembly memory, far larger than any CPU cache; both keep
 * the 10 nearest rows of one query; runs of the two alternate, and the median of each counts. Rows found must be equal.
 * Each element type has a thread of its own (one after the other), so that the plain loops are compiled for one type
 * of array only, which is the best case for them.
 */
import { once } from 'node:events';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import {
  type ArenaBlock,
  createArena,
  createKernels,
  inverseNorm,
  type Kernels,
  loadKernelModule,
  scratchBytes,
  type VectorScan,
} from '@lagoon/vector';

const dataBytes = 800_000_000;
const runCount = 5;
const top = 10;

interface Case {
  readonly element: 'f32' | 'i8';
  readonly dims: number;
  readonly metric: VectorScan['metric'];
  /** Least ratio of rows per second, kernel to plain loop. */
  readonly target: number;
}

const cases: readonly Case[] = [
  { element: 'f32', dims: 100, metric: 'cosine_distance', target: 4 },
  { element: 'f32', dims: 768, metric: 'cosine_distance', target: 4 },
  { element: 'f32', dims: 768, metric: 'euclidean_squared', target: 4 },
  { element: 'i8', dims: 100, metric: 'cosine_distance', target: 10 },
  { element: 'i8', dims: 768, metric: 'cosine_distance', target: 10 },
  { element: 'i8', dims: 768, metric: 'euclidean_squared', target: 10 },
];

interface Place {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  readonly rows: ArenaBlock;
  readonly norms: ArenaBlock;
}

async function main(): Promise<void> {
  console.log(`kernel scan of ${dataBytes / 1e6} MB, k = ${top}, one thread, median of ${runCount} alternating runs`);
  console.log('element  dims  metric             plain Mrows/s  kernel Mrows/s  kernel GB/s  ratio  target  same rows');
  for (const element of ['f32', 'i8'])
    await once(new Worker(new URL(import.meta.url), { workerData: element }), 'exit');
}

function measureAll(element: Case['element']): void {
  const place = prepare();
  fill(place, element);
  for (const one of cases) if (one.element === element) console.log(measure(place, one));
}

function prepare(): Place {
  const arena = createArena({ budgetBytes: dataBytes + 64 * 1024 ** 2, scratchBytes: scratchBytes() });
  const rows = arena.allocate(dataBytes);
  const norms = arena.allocate((dataBytes / 100) * 4);
  const memory = arena.memories[0];
  if (rows === undefined || norms === undefined || memory === undefined) throw new Error('no memory for the bench');
  return { memory, rows, norms, kernels: createKernels(loadKernelModule(), memory, arena.scratch) };
}

/** Uniform values from a linear congruential generator: f32 in [-1, 1), or all i8. */
function fill(place: Place, element: Case['element']): void {
  const words = new Int32Array(place.memory.buffer, place.rows.offset, dataBytes / 4);
  const floats = new Float32Array(place.memory.buffer, place.rows.offset, dataBytes / 4);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    // The generator's low bits repeat soon, so i8 values take a mix of its halves.
    if (element === 'f32') floats[i] = state / 2 ** 31;
    else words[i] = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
  }
}

function measure(place: Place, one: Case): string {
  const rowSize = one.element === 'f32' ? one.dims * 4 : one.dims;
  const rowCount = Math.floor(dataBytes / rowSize);
  const values =
    one.element === 'f32'
      ? new Float32Array(place.memory.buffer, place.rows.offset, rowCount * one.dims)
      : new Int8Array(place.memory.buffer, place.rows.offset, rowCount * one.dims);
  const norms = new Float32Array(place.memory.buffer, place.norms.offset, rowCount);
  for (let row = 0; row < rowCount; row++) {
    norms[row] = inverseNorm(values.subarray(row * one.dims, (row + 1) * one.dims));
  }
  const middle = Math.floor(rowCount / 2) * one.dims;
  const query = values.slice(middle, middle + one.dims).reverse();
  const scan: VectorScan = {
    ...{ metric: one.metric, element: one.element, dims: one.dims, rowCount, query, k: top },
    ...{ rowsOffset: place.rows.offset, inverseNormsOffset: place.norms.offset },
    ...{ rowMaskOffset: 0, distanceBound: Number.POSITIVE_INFINITY },
  };
  const plainMs: number[] = [];
  const kernelMs: number[] = [];
  let isSame = true;
  for (let run = 0; run < runCount; run++) {
    const started = performance.now();
    const plain = plainScan(values, norms, scan);
    const between = performance.now();
    const found = place.kernels.scanTopK(scan);
    kernelMs.push(performance.now() - between);
    plainMs.push(between - started);
    isSame &&= plain.join() === found.rows.join();
  }
  return line(one, rowCount, median(plainMs), median(kernelMs), isSame);
}

/** What one writes without kernels: a loop over typed arrays and a short sorted list. */
function plainScan(values: Float32Array | Int8Array, norms: Float32Array, scan: VectorScan): readonly number[] {
  const scanRows = scan.metric === 'euclidean_squared' ? plainEuclidean : plainDot;
  return scanRows(values, norms, scan);
}

function plainDot(values: Float32Array | Int8Array, norms: Float32Array, scan: VectorScan): readonly number[] {
  const { dims, rowCount, query } = scan;
  const queryNorm = inverseNorm(query);
  const best = createBest();
  for (let row = 0; row < rowCount; row++) {
    const base = row * dims;
    let dot = 0;
    for (let i = 0; i < dims; i++) dot += (values[base + i] as number) * (query[i] as number);
    best.offer(row, 1 - dot * (norms[row] as number) * queryNorm);
  }
  return best.rows;
}

function plainEuclidean(values: Float32Array | Int8Array, _norms: Float32Array, scan: VectorScan): readonly number[] {
  const { dims, rowCount, query } = scan;
  const best = createBest();
  for (let row = 0; row < rowCount; row++) {
    const base = row * dims;
    let sum = 0;
    for (let i = 0; i < dims; i++) {
      const difference = (values[base + i] as number) - (query[i] as number);
      sum += difference * difference;
    }
    best.offer(row, sum);
  }
  return best.rows;
}

function createBest() {
  const rows: number[] = [];
  const distances: number[] = [];
  let worst = Number.POSITIVE_INFINITY;
  return {
    rows,
    offer: (row: number, distance: number) => {
      if (distance >= worst) return;
      let at = rows.length;
      while (at > 0 && (distances[at - 1] as number) > distance) at--;
      rows.splice(at, 0, row);
      distances.splice(at, 0, distance);
      if (rows.length > top) {
        rows.pop();
        distances.pop();
      }
      if (rows.length === top) worst = distances[top - 1] as number;
    },
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function line(one: Case, rowCount: number, plainMs: number, kernelMs: number, isSame: boolean): string {
  const ratio = plainMs / kernelMs;
  return [
    one.element.padEnd(7),
    String(one.dims).padStart(5),
    ` ${one.metric.padEnd(17)}`,
    (rowCount / plainMs / 1e3).toFixed(2).padStart(14),
    (rowCount / kernelMs / 1e3).toFixed(2).padStart(15),
    (dataBytes / kernelMs / 1e6).toFixed(1).padStart(12),
    `${ratio.toFixed(1)}x`.padStart(6),
    `>=${one.target}x`.padStart(7),
    `${isSame ? 'yes' : 'NO'}${ratio >= one.target ? '' : '  BELOW TARGET'}`.padStart(10),
  ].join(' ');
}

if (!isMainThread) measureAll(workerData);
else if (import.meta.main) await main();
