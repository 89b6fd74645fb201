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

/** A stretch of rows in the memory while a wave works on it. */
export interface Piece {
  readonly first: number;
  readonly rowCount: number;
  /** f32 rows. */
  readonly rows: number;
  readonly slot: number;
}

/** Reads all rows in order, as many pieces at a time as there are threads, and waits for `work` on each wave of pieces. */
export async function eachWave(
  { rows, dims, memory, executor }: BuildContext,
  slots: readonly number[],
  pieceRows: number,
  work: (wave: readonly Piece[]) => Promise<void>,
): Promise<void> {
  for (let first = 0; first < rows.rowCount; ) {
    const wave: Piece[] = [];
    for (let slot = 0; slot < executor.threadCount && first < rows.rowCount; slot++) {
      const rowCount = Math.min(pieceRows, rows.rowCount - first);
      rows.read(first, rowCount, memory.f32(slots[slot] as number, rowCount * dims));
      wave.push({ first, rowCount, rows: slots[slot] as number, slot });
      first += rowCount;
    }
    await work(wave);
  }
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
