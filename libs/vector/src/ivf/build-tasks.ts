import { createSeededRandom, unreachable } from '@lagoon/base';
import type { DistanceMetric } from '../metric.ts';
import type { BuildWasm } from './build-wasm.ts';
import { codeBytes, int8Stride, pq4BlockRows, pq4SubCount } from './list-layout.ts';

/**
 * Parts of a build that run on any thread, beside each other. Everything they read and write lies in the build's memory, where no two of them
 * write the same bytes, so results do not depend on threads. Names of offsets say what is there.
 */
export type BuildTask = TrainTask | AssignTask | EncodeTask | TruthTask | RankTask | CodebookTask;

/** k-means over rows. */
export interface TrainTask {
  readonly kind: 'train';
  readonly dims: number;
  readonly rows: number;
  /** u32 numbers of the rows; 0: rows 0 to rowCount. */
  readonly rowNumbers: number;
  readonly rowCount: number;
  readonly unit: boolean;
  readonly seed: number;
  readonly iterations: number;
  readonly centroidCount: number;
  readonly centroids: number;
  /** By row number, shared with other tasks that have other rows: f32, u32. */
  readonly bestScores: number;
  readonly bestIds: number;
  readonly work: number;
}

/** Two levels of centroids, packed for scoring. */
export interface PackedTree {
  readonly dims: number;
  readonly nodeCount: number;
  readonly nodePanels: number;
  readonly nodeBiases: number;
  /** u32 per node: first leaf, leaves, first leaf with every node padded to eight. */
  readonly nodes: number;
  readonly leafPanels: number;
  readonly leafBiases: number;
  /** Nodes whose leaves are looked at for a row. */
  readonly nodeMax: number;
  readonly centroidCountMax: number;
}

/** The nearest leaf among those of the nearest nodes, for contiguous rows. */
export interface AssignTask {
  readonly kind: 'assign';
  readonly tree: PackedTree;
  readonly rows: number;
  readonly rowCount: number;
  readonly unit: boolean;
  /** Out: u32 per row. */
  readonly leaves: number;
  readonly work: number;
}

/** Codes of whole lists, whose rows lie one list behind the other. */
export interface EncodeTask {
  readonly kind: 'encode';
  readonly codec: 'int8' | 'pq4';
  readonly dims: number;
  readonly unit: boolean;
  readonly withTerms: boolean;
  readonly rows: number;
  readonly listCount: number;
  /** u32 per list: leaf, rows. */
  readonly lists: number;
  readonly centroids: number;
  /** int8: f32 scales and their inverses. pq4: planar codebook. */
  readonly scales: number;
  readonly inverseScales: number;
  readonly books: number;
  readonly codes: number;
}

/** Queries of learning with what each has found so far; every query has `entryMax` entries, the first `deepCount` more. */
export interface LearningQueries {
  readonly metric: DistanceMetric;
  readonly dims: number;
  readonly queries: number;
  /** Per query, u32: entries, how many are kept, how many there may be, how many there are; f32: worst. 20 bytes. */
  readonly states: number;
}

/** True nearest rows: offers contiguous rows to some queries, packed in panels. */
export interface TruthTask {
  readonly kind: 'truth';
  readonly dims: number;
  readonly rows: number;
  readonly rowCount: number;
  readonly firstNumber: number;
  readonly queryCount: number;
  readonly queries: number;
  readonly zeros: number;
  /** Whether distances are euclidean, of rows of any length. */
  readonly squares: boolean;
  /** Of `offerRows` in `kernels/assembly/cluster.ts`. */
  readonly states: number;
  readonly worsts: number;
  readonly scores: number;
}

/** Nearest rows by their codes: offers lists to queries [from, to). */
export interface RankTask {
  readonly kind: 'rank';
  readonly learning: LearningQueries;
  readonly from: number;
  readonly to: number;
  readonly codec: 'int8' | 'pq4';
  readonly withTerms: boolean;
  readonly listCount: number;
  readonly lists: number;
  readonly leafCount: number;
  /** f32 per query and leaf: distance at the sum 0. */
  readonly bases: number;
  /** Per query: f32 unit, and the query as codes meet it. */
  readonly units: number;
  readonly codeQueries: number;
  readonly codeQueryBytes: number;
  readonly codes: number;
  readonly firstNumber: number;
  readonly sums: number;
}

/** One k-means step of sub-quantizers [from, to) over residual rows. */
export interface CodebookTask {
  readonly kind: 'codebook';
  readonly dims: number;
  readonly rows: number;
  readonly rowCount: number;
  readonly books: number;
  readonly from: number;
  readonly to: number;
  readonly sums: number;
}

export function runBuildTask(wasm: BuildWasm, memory: WebAssembly.Memory, task: BuildTask): void {
  switch (task.kind) {
    case 'train':
      train(wasm, memory, task);
      break;
    case 'assign':
      assign(wasm, memory, task);
      break;
    case 'encode':
      encode(wasm, memory, task);
      break;
    case 'truth':
      findTruth(wasm, task);
      break;
    case 'rank':
      rank(wasm, memory, task);
      break;
    case 'codebook':
      wasm.addPq4(task.rows, task.rowCount, task.dims, task.books, task.from, task.to, task.sums);
      break;
    default:
      unreachable(task, 'build task');
  }
}

/** Bytes at `TrainTask.work`. */
export function trainWorkBytes(centroidCount: number, dims: number): number {
  const padded = padTo8(centroidCount);
  return padded * dims * 4 + padded * 4 + centroidCount * (dims * 8 + 4) + padded * 16 + 64 * 4;
}

/** Lloyd's k-means from random rows. A centroid that lost all rows takes half of the largest one's. */
function train(wasm: BuildWasm, memory: WebAssembly.Memory, task: TrainTask): void {
  const { dims, rows, rowNumbers, rowCount, unit, centroidCount, centroids, bestScores, bestIds } = task;
  const padded = padTo8(centroidCount);
  const panels = task.work;
  const biases = align(panels + padded * dims * 4);
  const scores = align(biases + padded * 4);
  const sums = align(scores + padded * 16);
  const counts = align(sums + centroidCount * dims * 8);
  const numbers = rowNumbers === 0 ? undefined : new Uint32Array(memory.buffer, rowNumbers, rowCount);
  const scoreView = new Float32Array(memory.buffer, bestScores);
  const countView = new Uint32Array(memory.buffer, counts, centroidCount);
  const sumView = new Float64Array(memory.buffer, sums, centroidCount * dims);
  pickRows(memory, task, numbers);
  for (let step = 0; step < task.iterations; step++) {
    wasm.packPanels(centroids, centroidCount, dims, panels);
    wasm.packBiases(centroids, centroidCount, dims, unit ? 1 : 0, biases);
    if (numbers === undefined) scoreView.fill(Number.NEGATIVE_INFINITY, 0, rowCount);
    else for (const number of numbers) scoreView[number] = Number.NEGATIVE_INFINITY;
    const to = { bestScores, bestIds };
    wasm.assignNearest(
      ...([
        rows,
        rowNumbers,
        rowCount,
        dims,
        panels,
        biases,
        centroidCount,
        0,
        to.bestScores,
        to.bestIds,
        scores,
      ] as const),
    );
    sumView.fill(0);
    countView.fill(0);
    wasm.addRows(rows, rowNumbers, rowCount, dims, bestIds, sums, counts);
    wasm.meanRows(sums, counts, centroidCount, dims, unit ? 1 : 0, centroids);
    splitLargest(new Float32Array(memory.buffer, centroids, centroidCount * dims), countView, dims);
  }
}

/** Different rows, drawn by a partial shuffle. */
function pickRows(memory: WebAssembly.Memory, task: TrainTask, numbers: Uint32Array | undefined): void {
  const { dims, rows, rowCount, centroidCount, centroids } = task;
  const random = createSeededRandom(task.seed);
  const positions = Uint32Array.from({ length: rowCount }, (_, i) => i);
  const target = new Float32Array(memory.buffer, centroids, centroidCount * dims);
  for (let i = 0; i < centroidCount; i++) {
    const other = i + random.integer(rowCount - i);
    const position = positions[other] as number;
    positions[other] = positions[i] as number;
    const number = numbers === undefined ? position : (numbers[position] as number);
    target.set(new Float32Array(memory.buffer, rows + number * dims * 4, dims), i * dims);
  }
}

const splitStep = 2 ** -10;

function splitLargest(centroids: Float32Array, counts: Uint32Array, dims: number): void {
  for (let empty = 0; empty < counts.length; empty++) {
    if (counts[empty] !== 0) continue;
    let largest = 0;
    for (let i = 1; i < counts.length; i++) if ((counts[i] as number) > (counts[largest] as number)) largest = i;
    if ((counts[largest] as number) < 2) return;
    const half = (counts[largest] as number) >> 1;
    counts[empty] = half;
    counts[largest] = (counts[largest] as number) - half;
    for (let d = 0; d < dims; d++) {
      const value = centroids[largest * dims + d] as number;
      const step = value * (d % 2 === 0 ? splitStep : -splitStep);
      centroids[empty * dims + d] = value + step;
      centroids[largest * dims + d] = value - step;
    }
  }
}

/** Bytes at `AssignTask.work`. */
export function assignWorkBytes(tree: PackedTree, rowCount: number): number {
  return rowCount * (8 * tree.nodeMax + 4) + padTo8(tree.centroidCountMax) * 16 + 64 * 4;
}

function assign(wasm: BuildWasm, memory: WebAssembly.Memory, task: AssignTask): void {
  const { tree, rows, rowCount, leaves } = task;
  const { dims, nodeCount, nodeMax } = tree;
  const near = task.work;
  const grouped = align(near + rowCount * nodeMax * 4);
  const bestScores = align(grouped + rowCount * nodeMax * 4);
  const scores = align(bestScores + rowCount * 4);
  if (task.unit) wasm.normalizeRows(rows, rowCount, dims);
  wasm.nearestNodes(rows, rowCount, dims, tree.nodePanels, tree.nodeBiases, nodeCount, nodeMax, near, scores);
  const nearView = new Uint32Array(memory.buffer, near, rowCount * nodeMax);
  const starts = groupRows(nearView, nodeMax, nodeCount, new Uint32Array(memory.buffer, grouped, rowCount * nodeMax));
  const nodes = new Uint32Array(memory.buffer, tree.nodes, nodeCount * 3);
  const leafView = new Uint32Array(memory.buffer, leaves, rowCount);
  new Float32Array(memory.buffer, bestScores, rowCount).fill(Number.NEGATIVE_INFINITY);
  leafView.fill(0);
  for (let node = 0; node < nodeCount; node++) {
    const from = starts[node] as number;
    const count = (starts[node + 1] as number) - from;
    if (count === 0 || nodes[node * 3 + 1] === 0) continue;
    const [firstLeaf, leafCount, firstPadded] = nodes.subarray(node * 3, node * 3 + 3) as unknown as readonly [
      number,
      number,
      number,
    ];
    wasm.assignNearest(
      rows,
      grouped + from * 4,
      count,
      dims,
      tree.leafPanels + firstPadded * dims * 4,
      tree.leafBiases + firstPadded * 4,
      leafCount,
      firstLeaf,
      bestScores,
      leaves,
      scores,
    );
  }
}

/** Rows by node, ascending: counting sort. Returns where each node's begin. */
function groupRows(near: Uint32Array, nodeMax: number, nodeCount: number, grouped: Uint32Array): Uint32Array {
  const starts = new Uint32Array(nodeCount + 1);
  for (const node of near) starts[node + 1] = (starts[node + 1] as number) + 1;
  for (let node = 0; node < nodeCount; node++)
    starts[node + 1] = (starts[node + 1] as number) + (starts[node] as number);
  const next = starts.slice();
  for (let i = 0; i < near.length; i++) {
    const node = near[i] as number;
    grouped[next[node] as number] = Math.floor(i / nodeMax);
    next[node] = (next[node] as number) + 1;
  }
  return starts;
}

function encode(wasm: BuildWasm, memory: WebAssembly.Memory, task: EncodeTask): void {
  const { codec, dims, centroids } = task;
  const lists = new Uint32Array(memory.buffer, task.lists, task.listCount * 2);
  const stride = int8Stride(dims);
  let rows = task.rows;
  let codes = task.codes;
  for (let list = 0; list < task.listCount; list++) {
    const centroid = centroids + (lists[list * 2] as number) * dims * 4;
    const rowCount = lists[list * 2 + 1] as number;
    const terms = codes + codeBytes(codec, dims, rowCount);
    if (task.unit) wasm.normalizeRows(rows, rowCount, dims);
    if (codec === 'int8') {
      wasm.encodeInt8(rows, rowCount, dims, centroid, task.inverseScales, stride, codes);
      if (task.withTerms) wasm.termsInt8(codes, rowCount, dims, centroid, task.scales, stride, terms);
    } else {
      const blockBytes = codeBytes('pq4', dims, pq4BlockRows);
      for (let row = 0; row < rowCount; row += pq4BlockRows) {
        const count = Math.min(pq4BlockRows, rowCount - row);
        const block = codes + (row / pq4BlockRows) * blockBytes;
        wasm.encodePq4Block(rows + row * dims * 4, count, dims, centroid, task.books, block);
        if (task.withTerms) wasm.termsPq4Block(block, count, dims, centroid, task.books, terms + row * 4);
      }
    }
    rows += rowCount * dims * 4;
    codes = terms + (task.withTerms ? rowCount * 4 : 0);
  }
}

/** Words of a query's state. */
export const learningStateWords = 5;

function findTruth(wasm: BuildWasm, task: TruthTask): void {
  const { dims, rows, rowCount, firstNumber, queryCount, queries, zeros, states, worsts, scores } = task;
  const squares = task.squares ? 1 : 0;
  wasm.offerRows(rows, rowCount, dims, queries, zeros, queryCount, squares, firstNumber, states, worsts, scores);
}

function rank(wasm: BuildWasm, memory: WebAssembly.Memory, task: RankTask): void {
  const { codec, leafCount, listCount } = task;
  const { dims } = task.learning;
  const lists = new Uint32Array(memory.buffer, task.lists, listCount * 2);
  const bases = new Float32Array(memory.buffer, task.bases);
  const units = new Float32Array(memory.buffer, task.units);
  const scan = codec === 'int8' ? wasm.scanInt8List : wasm.scanPq4List;
  const width = codec === 'int8' ? int8Stride(dims) : pq4SubCount(dims);
  for (let query = task.from; query < task.to; query++) {
    const unit = units[query] as number;
    const codeQuery = task.codeQueries + query * task.codeQueryBytes;
    selecting(wasm, memory, task.learning, query, () => {
      let codes = task.codes;
      let number = task.firstNumber;
      for (let list = 0; list < listCount; list++) {
        const base = bases[query * leafCount + (lists[list * 2] as number)] as number;
        const rowCount = lists[list * 2 + 1] as number;
        const terms = codes + codeBytes(codec, dims, rowCount);
        const termsAt = task.withTerms ? terms : 0;
        scan(width, rowCount, codes, termsAt, codeQuery, base, unit, 0, 0, number, task.sums);
        codes = terms + (task.withTerms ? rowCount * 4 : 0);
        number += rowCount;
      }
    });
  }
}

/** Continues a query's selection and puts it away again. */
function selecting(
  wasm: BuildWasm,
  memory: WebAssembly.Memory,
  learning: LearningQueries,
  query: number,
  scan: () => void,
): void {
  const at = learning.states + query * learningStateWords * 4;
  const words = new Uint32Array(memory.buffer, at, learningStateWords);
  const worst = new Float32Array(memory.buffer, at + 16, 1);
  const [entries, keep, entryMax, count] = words as unknown as readonly [number, number, number, number];
  wasm.selectBegin(entries, keep, entryMax, count, worst[0] as number);
  scan();
  words[3] = wasm.selectCount();
  worst[0] = wasm.selectWorst();
}

export function padTo8(count: number): number {
  return (count + 7) & ~7;
}

function align(offset: number): number {
  return (offset + 63) & ~63;
}
