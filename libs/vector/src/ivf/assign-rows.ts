import { type BuildContext, eachWave, type Piece, runTasks } from './build-context.ts';
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
  const { memory, wasm, dims, unit, plan } = context;
  const mark = memory.mark();
  const leaves = memory.take(sampleCount * 4);
  const sums = takeSums(context, tree);
  const parts = pieces(sampleCount, plan.pieceRows);
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
  alongside: (wave: readonly Piece[]) => Promise<void>,
): Promise<Uint32Array> {
  const { memory, wasm, dims, unit, plan, rows, executor } = context;
  const mark = memory.mark();
  const pieceRows = Math.min(plan.pieceRows, Math.max(1, Math.ceil(rows.rowCount / executor.threadCount)));
  const slots = Array.from({ length: executor.threadCount }, () => ({
    rows: memory.take(pieceRows * dims * 4),
    leaves: memory.take(pieceRows * 4),
    work: memory.take(assignWorkBytes(tree.packed, pieceRows)),
  }));
  const sums = takeSums(context, tree);
  sums.clear();
  const leafOfRow = new Uint32Array(rows.rowCount);
  await eachWave(
    context,
    slots.map((slot) => slot.rows),
    pieceRows,
    async (wave) => {
      await runTasks(
        context,
        wave.map(({ slot, rowCount }): AssignTask => {
          const at = slots[slot] as (typeof slots)[number];
          return { kind: 'assign', tree: tree.packed, rowCount, unit, ...at };
        }),
      );
      for (const piece of wave) {
        const { leaves } = slots[piece.slot] as (typeof slots)[number];
        wasm.addRows(piece.rows, 0, piece.rowCount, dims, leaves, sums.sums, sums.counts);
        leafOfRow.set(memory.u32(leaves, piece.rowCount), piece.first);
      }
      await alongside(wave);
    },
  );
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

function pieces(count: number, pieceRows: number): readonly { readonly first: number; readonly rowCount: number }[] {
  const length = Math.ceil(count / pieceRows);
  return Array.from({ length }, (_, i) => ({
    first: i * pieceRows,
    rowCount: Math.min(pieceRows, count - i * pieceRows),
  }));
}
