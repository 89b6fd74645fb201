import type { BuildContext } from './build-context.ts';
import { runTasks } from './build-context.ts';
import type { CodebookTask } from './build-tasks.ts';
import type { ListCode } from './contract.ts';
import { pq4CodeCount, pq4SubCount, pq4SubDims } from './list-layout.ts';

/** Residual rows to learn from. */
const codeSampleRows = 32_768;
const codebookIterations = 8;
const bookBytes = 192;

/** Parameters of the codes from the residuals of `sample`, rows in memory of which each belongs to the leaf in `leaves`. */
export async function learnCode(
  context: BuildContext,
  sample: number,
  sampleCount: number,
  leafOf: (sampleRow: number) => number,
  centroids: number,
): Promise<ListCode> {
  const { options, memory, wasm, dims } = context;
  if (options.codec === 'flat') return { codec: 'flat' };
  if (options.codec === 'pq4' && options.codebook !== undefined) return { codec: 'pq4', codebook: options.codebook };
  const mark = memory.mark();
  const count = Math.min(codeSampleRows, sampleCount);
  const residuals = memory.take(count * dims * 4);
  for (let i = 0; i < count; i++) {
    const row = Math.floor((i * sampleCount) / count);
    const at = residuals + i * dims * 4;
    memory.f32(at, dims).set(memory.f32(sample + row * dims * 4, dims));
    wasm.subtractCentroid(at, 1, dims, centroids + leafOf(row) * dims * 4);
  }
  const code: ListCode =
    options.codec === 'int8'
      ? { codec: 'int8', scales: learnScales(context, residuals, count) }
      : { codec: 'pq4', codebook: await learnCodebook(context, residuals, count) };
  memory.release(mark);
  return code;
}

/** The largest residual of each dimension becomes 127. */
function learnScales({ memory, wasm, dims }: BuildContext, residuals: number, count: number): Float32Array {
  const zero = memory.take(dims * 4);
  const largest = memory.take(dims * 4);
  memory.f32(zero, dims).fill(0);
  memory.f32(largest, dims).fill(0);
  wasm.largestResiduals(residuals, count, dims, zero, largest);
  return memory.f32(largest, dims).map((value) => value / 127);
}

/** k-means of every sub-quantizer, from the values of spread rows. */
async function learnCodebook(context: BuildContext, residuals: number, count: number): Promise<Float32Array> {
  const { memory, dims, executor } = context;
  const subCount = pq4SubCount(dims);
  const books = memory.take(subCount * bookBytes);
  const sums = memory.take(subCount * pq4CodeCount * 24);
  const sumView = memory.f64(sums, subCount * pq4CodeCount * 3);
  let codebook = new Float32Array(subCount * pq4CodeCount * pq4SubDims);
  for (let code = 0; code < pq4CodeCount; code++) {
    const row = memory.f32(residuals + Math.floor((code * count) / pq4CodeCount) * dims * 4, dims);
    for (let d = 0; d < dims; d++) codebook[((d >> 1) * pq4CodeCount + code) * 2 + (d & 1)] = row[d] as number;
  }
  const partCount = Math.min(subCount, executor.threadCount);
  const tasks = Array.from(
    { length: partCount },
    (_, part): CodebookTask => ({
      ...{ kind: 'codebook', dims, rows: residuals, rowCount: count, books, sums },
      from: Math.floor((part * subCount) / partCount),
      to: Math.floor(((part + 1) * subCount) / partCount),
    }),
  );
  for (let step = 0; step < codebookIterations; step++) {
    writeBooks(memory.f32(books, subCount * 48), codebook);
    sumView.fill(0);
    await runTasks(context, tasks);
    codebook = meansOf(sumView, codebook);
  }
  return codebook;
}

/** Codes without rows stay. */
function meansOf(sums: Float64Array, before: Float32Array): Float32Array<ArrayBuffer> {
  const means = before.slice();
  for (let i = 0; i < before.length / 2; i++) {
    const count = sums[i * 3 + 2] as number;
    if (count === 0) continue;
    means[2 * i] = (sums[i * 3] as number) / count;
    means[2 * i + 1] = (sums[i * 3 + 1] as number) / count;
  }
  return means;
}

/** The planar form that kernels read: 16 first values, 16 second values, 16 halves of squared lengths. */
export function writeBooks(target: Float32Array, codebook: Float32Array): void {
  for (let i = 0; i < codebook.length / 2; i++) {
    const x = codebook[2 * i] as number;
    const y = codebook[2 * i + 1] as number;
    const at = (i >> 4) * 48 + (i & 15);
    target[at] = x;
    target[at + 16] = y;
    target[at + 32] = Math.min((x * x + y * y) / 2, 3.4e38);
  }
}
