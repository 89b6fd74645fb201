import { createSeededRandom } from '@lagoon/base';
import type { BuildContext } from './build-context.ts';
import { type PackedTree, padTo8, type TrainTask, trainWorkBytes } from './build-tasks.ts';

/** Centroids of two levels, in the build's memory. */
export interface Tree {
  readonly packed: PackedTree;
  readonly leafCount: number;
  /** f32 row-major, leaf by leaf: the children of a node are neighbours. */
  readonly centroids: number;
  /** Packs the centroids again after they have changed. */
  repack(): void;
}

const nodeMax = 4;
const nodeSampleRows = 256;
const nodeIterations = 10;
const leafIterations = 6;

/**
 * Hierarchical k-means over the sample at `sample`: nodes first, then for each node as many leaves as its share of the sample, so that
 * leaves are about equally large.
 */
export async function trainTree(context: BuildContext, sample: number, sampleCount: number): Promise<Tree> {
  const { memory, plan, dims, unit, executor } = context;
  const nodeCount = Math.min(plan.nodeCount, sampleCount);
  const nodeCentroids = memory.take(nodeCount * dims * 4);
  const bestScores = memory.take(sampleCount * 4);
  const bestIds = memory.take(sampleCount * 4);
  const random = createSeededRandom(context.options.seed ^ 0x5bd1e995);
  const common = { kind: 'train', dims, rows: sample, unit, bestScores, bestIds } as const;
  const few = Math.min(sampleCount, nodeCount * nodeSampleRows);
  const fewNumbers = memory.take(few * 4);
  memory.u32(fewNumbers, few).set(Uint32Array.from({ length: few }, (_, i) => Math.floor((i * sampleCount) / few)));
  await executor.run(memory.memory, [
    {
      ...common,
      ...{ rowNumbers: fewNumbers, rowCount: few, seed: random.integer(2 ** 32), iterations: nodeIterations },
      ...{ centroidCount: nodeCount, centroids: nodeCentroids, work: memory.take(trainWorkBytes(nodeCount, dims)) },
    },
  ]);

  const members = groupByNode(context, sample, sampleCount, nodeCentroids, nodeCount, bestScores, bestIds);
  const childCounts = shareLeaves(members.counts, Math.min(plan.leafCount, sampleCount));
  const leafCount = childCounts.reduce((sum, count) => sum + count, 0);
  const centroids = memory.take(leafCount * dims * 4);
  const tasks: TrainTask[] = [];
  let firstLeaf = 0;
  let firstMember = 0;
  for (let node = 0; node < nodeCount; node++) {
    const rowCount = members.counts[node] as number;
    const centroidCount = childCounts[node] as number;
    if (centroidCount > 0) {
      tasks.push({
        ...common,
        ...{ rowNumbers: members.numbers + firstMember * 4, rowCount, seed: random.integer(2 ** 32), centroidCount },
        ...{ iterations: leafIterations, centroids: centroids + firstLeaf * dims * 4 },
        work: memory.take(trainWorkBytes(centroidCount, dims)),
      });
    }
    firstLeaf += centroidCount;
    firstMember += rowCount;
  }
  await executor.run(memory.memory, tasks);
  return packTree(context, nodeCentroids, childCounts, centroids);
}

/** Rows of the sample by their nearest node: row numbers one node behind the other, and how many each has. */
function groupByNode(
  context: BuildContext,
  sample: number,
  sampleCount: number,
  nodeCentroids: number,
  nodeCount: number,
  bestScores: number,
  bestIds: number,
): { readonly numbers: number; readonly counts: readonly number[] } {
  const { memory, wasm, dims, unit } = context;
  const panels = memory.take(padTo8(nodeCount) * dims * 4);
  const biases = memory.take(padTo8(nodeCount) * 4);
  const scores = memory.take(padTo8(nodeCount) * 16);
  wasm.packPanels(nodeCentroids, nodeCount, dims, panels);
  wasm.packBiases(nodeCentroids, nodeCount, dims, unit ? 1 : 0, biases);
  memory.f32(bestScores, sampleCount).fill(Number.NEGATIVE_INFINITY);
  memory.u32(bestIds, sampleCount).fill(0);
  wasm.assignNearest(sample, 0, sampleCount, dims, panels, biases, nodeCount, 0, bestScores, bestIds, scores);
  const ids = memory.u32(bestIds, sampleCount);
  const counts = new Array<number>(nodeCount).fill(0);
  for (const id of ids) counts[id] = (counts[id] as number) + 1;
  const next: number[] = [];
  let start = 0;
  for (const count of counts) {
    next.push(start);
    start += count;
  }
  const numbers = memory.take(sampleCount * 4);
  const numberView = memory.u32(numbers, sampleCount);
  ids.forEach((id, row) => {
    numberView[next[id] as number] = row;
    next[id] = (next[id] as number) + 1;
  });
  return { numbers, counts };
}

/** Leaves per node by its share of the rows; at least one where there are rows, never more than rows. */
function shareLeaves(rowCounts: readonly number[], leafCount: number): readonly number[] {
  const total = rowCounts.reduce((sum, count) => sum + count, 0);
  return rowCounts.map((count) =>
    count === 0 ? 0 : Math.min(count, Math.max(1, Math.round((leafCount * count) / total))),
  );
}

function packTree(
  { memory, wasm, dims, unit }: BuildContext,
  nodeCentroids: number,
  childCounts: readonly number[],
  centroids: number,
): Tree {
  const nodeCount = childCounts.length;
  const leafCount = childCounts.reduce((sum, count) => sum + count, 0);
  const paddedCount = childCounts.reduce((sum, count) => sum + padTo8(count), 0);
  const packed: PackedTree = {
    dims,
    nodeCount,
    nodePanels: memory.take(padTo8(nodeCount) * dims * 4),
    nodeBiases: memory.take(padTo8(nodeCount) * 4),
    nodes: memory.take(nodeCount * 12),
    leafPanels: memory.take(paddedCount * dims * 4),
    leafBiases: memory.take(paddedCount * 4),
    nodeMax: Math.min(nodeMax, nodeCount),
    centroidCountMax: Math.max(nodeCount, ...childCounts),
  };
  wasm.packPanels(nodeCentroids, nodeCount, dims, packed.nodePanels);
  wasm.packBiases(nodeCentroids, nodeCount, dims, unit ? 1 : 0, packed.nodeBiases);
  const repack = (): void => {
    let firstLeaf = 0;
    let firstPadded = 0;
    childCounts.forEach((count, node) => {
      memory.u32(packed.nodes + node * 12, 3).set([firstLeaf, count, firstPadded]);
      const from = centroids + firstLeaf * dims * 4;
      wasm.packPanels(from, count, dims, packed.leafPanels + firstPadded * dims * 4);
      wasm.packBiases(from, count, dims, unit ? 1 : 0, packed.leafBiases + firstPadded * 4);
      firstLeaf += count;
      firstPadded += padTo8(count);
    });
  };
  repack();
  return { packed, leafCount, centroids, repack };
}
