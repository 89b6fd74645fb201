import { type BuildContext, eachWave, piecesOf, runTasks, type Wave, waveRows } from './build-context.ts';
import { type AssignTask, assignWorkBytes } from './build-tasks.ts';
import type { Tree } from './train-tree.ts';

const refineSteps = 2;

/** Lloyd steps over all leaves on the sample. */
export async function refineLeaves(
  context: BuildContext,
  tree: Tree,
  sample: number,
  sampleCount: number,
): Promise<void> {
  const { memory, wasm, dims, unit } = context;
  const mark = memory.mark();
  const leaves = memory.take(sampleCount * 4);
  const sums = takeSums(context, tree);
  const parts = piecesOf(context, sampleCount);
  const works = parts.map((part) => memory.take(assignWorkBytes(tree.packed, part.rowCount)));
  for (let step = 0; step < refineSteps; step++) {
    await runTasks(
      context,
      parts.map(
        ({ first, rowCount }, i): AssignTask => ({
          ...{ kind: 'assign', tree: tree.packed, rows: sample + first * dims * 4, rowCount, unit: false },
          ...{ leaves: leaves + first * 4, work: works[i] as number },
        }),
      ),
    );
    sums.clear();
    wasm.addRows(sample, 0, sampleCount, dims, leaves, sums.sums, sums.counts);
    wasm.meanRows(sums.sums, sums.counts, tree.leafCount, dims, unit ? 1 : 0, tree.centroids);
    tree.repack();
  }
  memory.release(mark);
}

/**
 * The leaf of every row. Then centroids become the means of their rows. `alongside` works on each wave while its rows, of unit length where
 * asked for, are in memory.
 */
export async function assignRows(
  context: BuildContext,
  tree: Tree,
  alongside: (wave: Wave) => Promise<void>,
): Promise<Uint32Array> {
  const { memory, wasm, dims, unit, rows } = context;
  const mark = memory.mark();
  const rowMax = waveRows(context);
  const target = memory.take(rowMax * dims * 4);
  const leaves = memory.take(rowMax * 4);
  const works = piecesOf(context, rowMax).map((piece) => memory.take(assignWorkBytes(tree.packed, piece.rowCount)));
  const sums = takeSums(context, tree);
  sums.clear();
  const leafOfRow = new Uint32Array(rows.rowCount);
  await eachWave(context, target, async (wave) => {
    const tasks = piecesOf(context, wave.rowCount).map(
      ({ first, rowCount }, i): AssignTask => ({
        ...{ kind: 'assign', tree: tree.packed, rows: target + first * dims * 4, rowCount, unit },
        ...{ leaves: leaves + first * 4, work: works[i] as number },
      }),
    );
    await runTasks(context, tasks);
    wasm.addRows(wave.rows, 0, wave.rowCount, dims, leaves, sums.sums, sums.counts);
    leafOfRow.set(memory.u32(leaves, wave.rowCount), wave.first);
    await alongside(wave);
  });
  wasm.meanRows(sums.sums, sums.counts, tree.leafCount, dims, unit ? 1 : 0, tree.centroids);
  memory.release(mark);
  return leafOfRow;
}

function takeSums({ memory, dims }: BuildContext, { leafCount }: Tree) {
  const sums = memory.take(leafCount * dims * 8);
  const counts = memory.take(leafCount * 4);
  const clear = () => {
    memory.f64(sums, leafCount * dims).fill(0);
    memory.u32(counts, leafCount).fill(0);
  };
  return { sums, counts, clear };
}
