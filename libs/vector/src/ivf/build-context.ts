import type { BuildExecutor } from './build-executor.ts';
import type { BuildMemory } from './build-memory.ts';
import type { BuildPlan } from './build-plan.ts';
import type { BuildTask } from './build-tasks.ts';
import type { BuildWasm } from './build-wasm.ts';
import type { IvfBuildOptions, IvfRows } from './contract.ts';

/** What all steps of one build share. */
export interface BuildContext {
  readonly rows: IvfRows;
  readonly dims: number;
  readonly options: IvfBuildOptions;
  readonly plan: BuildPlan;
  readonly memory: BuildMemory;
  /** Kernels for short steps on the calling thread. */
  readonly wasm: BuildWasm;
  readonly executor: BuildExecutor;
  /** Rows and centroids have unit length. */
  readonly unit: boolean;
}

/** A stretch of rows in the memory while it is worked on. */
export interface Wave {
  readonly first: number;
  readonly rowCount: number;
  /** f32 rows, one behind the other. */
  readonly rows: number;
}

/** Pieces of a wave per thread: several, so that threads wait for each other rarely. */
const piecesPerThread = 4;

/** Rows of a wave. */
export function waveRows({ plan, rows, executor }: BuildContext): number {
  return Math.min(rows.rowCount, plan.pieceRows * executor.threadCount * piecesPerThread);
}

/** Reads all rows in order, a wave at a time, to `target`. */
export async function eachWave(
  context: BuildContext,
  target: number,
  work: (wave: Wave) => Promise<void>,
): Promise<void> {
  const { rows, dims, memory } = context;
  const step = waveRows(context);
  for (let first = 0; first < rows.rowCount; first += step) {
    const rowCount = Math.min(step, rows.rowCount - first);
    rows.read(first, rowCount, memory.f32(target, rowCount * dims));
    await work({ first, rowCount, rows: target });
  }
}

/** Pieces that tasks work on. */
export function piecesOf(
  { plan }: BuildContext,
  rowCount: number,
): readonly { readonly first: number; readonly rowCount: number }[] {
  return Array.from({ length: Math.ceil(rowCount / plan.pieceRows) }, (_, i) => ({
    first: i * plan.pieceRows,
    rowCount: Math.min(plan.pieceRows, rowCount - i * plan.pieceRows),
  }));
}

/** Scattered rows, as they are, into the memory. */
export function readRows({ rows, dims, memory }: BuildContext, numbers: Uint32Array, target: number): void {
  const values = memory.f32(target, numbers.length * dims);
  for (let i = 0; i < numbers.length; i++) {
    rows.read(numbers[i] as number, 1, values.subarray(i * dims, (i + 1) * dims));
  }
}

export function runTasks(context: BuildContext, tasks: readonly BuildTask[]): Promise<void> {
  return context.executor.run(context.memory.memory, tasks);
}
