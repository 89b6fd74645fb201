import { type BuildContext, readRows, runTasks } from './build-context.ts';
import { trainWorkBytes } from './build-tasks.ts';
import type { Tree } from './train-tree.ts';

/** Rows in cluster order. */
export interface LeafLayout {
  readonly order: Uint32Array;
  readonly leafEnds: Uint32Array;
  /** Row-major f32, a leaf each. */
  readonly centroids: Float32Array;
}

/** Sorts rows by leaf, drops empty leaves and splits those with more than `leafRowsMax` rows, in place, so that neighbours stay neighbours. */
export async function layOutLeaves(context: BuildContext, tree: Tree, leafOfRow: Uint32Array): Promise<LeafLayout> {
  const { dims, plan, memory } = context;
  const { order, ends } = sortByLeaf(leafOfRow, tree.leafCount);
  const treeCentroids = memory.f32(tree.centroids, tree.leafCount * dims);
  const leafEnds: number[] = [];
  const centroids: Float32Array[] = [];
  let start = 0;
  for (let leaf = 0; leaf < tree.leafCount; leaf++) {
    const end = ends[leaf] as number;
    const centroid = treeCentroids.slice(leaf * dims, (leaf + 1) * dims);
    const parts =
      end - start > plan.leafRowsMax
        ? await splitLeaf(context, order.subarray(start, end), centroid, leaf)
        : [{ rows: order.slice(start, end), centroid }];
    for (const part of parts) {
      if (part.rows.length === 0) continue;
      order.set(part.rows, start);
      start += part.rows.length;
      leafEnds.push(start);
      centroids.push(part.centroid);
    }
  }
  const all = new Float32Array(centroids.length * dims);
  for (const [leaf, centroid] of centroids.entries()) all.set(centroid, leaf * dims);
  return { order, leafEnds: Uint32Array.from(leafEnds), centroids: all };
}

/** Counting sort: rows of a leaf stay ascending. */
function sortByLeaf(leafOfRow: Uint32Array, leafCount: number): { order: Uint32Array; ends: Uint32Array } {
  const ends = new Uint32Array(leafCount);
  for (const leaf of leafOfRow) ends[leaf] = (ends[leaf] as number) + 1;
  let end = 0;
  const next = ends.map((count) => {
    end += count;
    return end - count;
  });
  const order = new Uint32Array(leafOfRow.length);
  leafOfRow.forEach((leaf, row) => {
    order[next[leaf] as number] = row;
    next[leaf] = (next[leaf] as number) + 1;
  });
  return { order, ends: next };
}

interface LeafPart {
  readonly rows: Uint32Array;
  readonly centroid: Float32Array;
}

const splitIterations = 8;
/** Rows that a split clusters at once; of a larger leaf each stretch is split by itself. */
const splitRowsMax = 16_384;

/** Parts of one leaf: clusters, and where those are too large still (equal rows), stretches of the same centroid. */
async function splitLeaf(
  context: BuildContext,
  rowsOfLeaf: Uint32Array,
  leafCentroid: Float32Array,
  leaf: number,
): Promise<readonly LeafPart[]> {
  const { plan } = context;
  const parts: LeafPart[] = [];
  for (let from = 0; from < rowsOfLeaf.length; from += splitRowsMax) {
    const stretch = rowsOfLeaf.slice(from, from + splitRowsMax);
    const clusters =
      stretch.length > plan.leafRowsMax
        ? await clusterRows(context, stretch, leaf)
        : [{ rows: stretch, centroid: leafCentroid }];
    for (const { rows, centroid } of clusters) {
      const step = rows.length > plan.leafRowsMax ? plan.leafRows : Math.max(1, rows.length);
      for (let at = 0; at < rows.length; at += step) parts.push({ rows: rows.slice(at, at + step), centroid });
    }
  }
  return parts;
}

async function clusterRows(context: BuildContext, numbers: Uint32Array, leaf: number): Promise<readonly LeafPart[]> {
  const { dims, memory, wasm, unit, plan, options } = context;
  const mark = memory.mark();
  const rowCount = numbers.length;
  const at = memory.take(rowCount * dims * 4);
  readRows(context, numbers, at);
  if (unit) wasm.normalizeRows(at, rowCount, dims);
  const centroidCount = Math.ceil(rowCount / plan.leafRows);
  const centroids = memory.take(centroidCount * dims * 4);
  const bestIds = memory.take(rowCount * 4);
  await runTasks(context, [
    {
      ...{ kind: 'train', dims, rows: at, rowNumbers: 0, rowCount, unit, seed: (options.seed ^ leaf) >>> 0 },
      ...{ iterations: splitIterations, centroidCount, centroids, bestScores: memory.take(rowCount * 4), bestIds },
      work: memory.take(trainWorkBytes(centroidCount, dims)),
    },
  ]);
  const ids = memory.u32(bestIds, rowCount);
  const parts = Array.from({ length: centroidCount }, (_, id) => ({
    rows: numbers.filter((_, i) => ids[i] === id),
    centroid: memory.f32(centroids + id * dims * 4, dims).slice(),
  }));
  memory.release(mark);
  return parts;
}
