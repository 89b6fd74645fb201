import { assert } from '@lagoon/base';
import { kernelDimsMax } from '../vector-scan.ts';
import { assignRows, refineLeaves } from './assign-rows.ts';
import { unlearnedBudgets } from './budgets.ts';
import { type BuildContext, readRows } from './build-context.ts';
import type { BuildExecutor } from './build-executor.ts';
import { createBuildMemory } from './build-memory.ts';
import { planBuild } from './build-plan.ts';
import { instantiateBuild } from './build-wasm.ts';
import type { IvfBuildOptions, IvfIndex, IvfRows } from './contract.ts';
import { encodeLists } from './encode-lists.ts';
import { fromHalves, toHalves } from './half-float.ts';
import { layOutLeaves } from './lay-out-leaves.ts';
import { createLearning } from './learn-budgets.ts';
import { learnCode } from './learn-code.ts';
import { trainTree } from './train-tree.ts';

/**
 * Builds lists over rows: hierarchical k-means on a sample (leaves in proportion to rows), Lloyd steps over all leaves, each row to
 * the best leaf among those of its four nearest nodes, codes, budgets. Deterministic for a seed. Rows are read twice, the second time one by one
 * in cluster order, where there are codes. At least one row.
 */
export async function buildIvf(
  rows: IvfRows,
  options: IvfBuildOptions,
  module: WebAssembly.Module,
  executor: BuildExecutor,
): Promise<IvfIndex> {
  const { rowCount, dims } = rows;
  assert(rowCount >= 1, 'there is a row to build from');
  assert(dims >= 1 && dims <= kernelDimsMax, 'dims of a build are in range');
  const memory = createBuildMemory();
  const wasm = instantiateBuild(module, memory.memory);
  const unit = options.metric === 'cosine_distance';
  const context: BuildContext = { rows, dims, options, plan: planBuild(rows, options), memory, wasm, executor, unit };
  const { plan } = context;
  const learning = plan.queryRows.length === 0 ? undefined : createLearning(context);

  const { sample } = plan;
  const sampleRows = memory.take(sample.length * dims * 4);
  readRows(context, sample, sampleRows);
  if (unit) wasm.normalizeRows(sampleRows, sample.length, dims);
  const tree = await trainTree(context, sampleRows, sample.length);
  await refineLeaves(context, tree, sampleRows, sample.length);
  const leafOfRow = await assignRows(context, tree, async (wave) => learning?.offerRows(wave));
  const layout = await layOutLeaves(context, tree, leafOfRow);

  const leafCount = layout.leafEnds.length;
  const halves = toHalves(layout.centroids);
  const centroids = memory.take(leafCount * dims * 4);
  memory.f32(centroids, leafCount * dims).set(fromHalves(halves)); // codes are of residuals from what is stored
  const finalLeaf = leavesByRow(layout.order, layout.leafEnds);
  const code = await learnCode(
    context,
    sampleRows,
    sample.length,
    (sampleRow) => finalLeaf[sample[sampleRow] as number] as number,
    centroids,
  );
  learning?.beginLists(layout, code);
  const codes = await encodeLists(context, layout, code, centroids, async (lists) => learning?.offerLists(lists));
  return {
    ...{ metric: options.metric, dims, rowCount, order: layout.order, leafEnds: layout.leafEnds },
    ...{ centroids: halves, code, codes },
    budgets: learning?.finish() ?? unlearnedBudgets(leafCount, options.codec === 'flat'),
  };
}

function leavesByRow(order: Uint32Array, leafEnds: Uint32Array): Uint32Array {
  const leaves = new Uint32Array(order.length);
  let position = 0;
  leafEnds.forEach((end, leaf) => {
    for (; position < end; position++) leaves[order[position] as number] = leaf;
  });
  return leaves;
}
