import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DistanceMetric } from '../metric.ts';
import { loadKernelModule } from '../wasm-kernels.ts';
import { createInlineExecutor, createThreadExecutor } from './build-executor.ts';
import { buildIvf } from './build-ivf.ts';
import type { IvfBuildOptions, IvfIndex, IvfRows, ListCodec } from './contract.ts';
import { fromHalves } from './half-float.ts';
import { listBytes, pq4SubCount } from './list-layout.ts';

const metrics: readonly DistanceMetric[] = ['cosine_distance', 'euclidean_squared', 'dot_product'];
const codecs: readonly ListCodec[] = ['flat', 'int8', 'pq4'];
const module = loadKernelModule();
const inline = createInlineExecutor(module);
const threads = createThreadExecutor(module, 2);
afterAll(() => threads.close());

function rowsOf(values: Float32Array, dims: number): IvfRows {
  return {
    rowCount: values.length / dims,
    dims,
    read: (start, count, target) => target.set(values.subarray(start * dims, (start + count) * dims)),
  };
}

function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Clouds around a few centres; some rows are zero, some equal. */
function clouds(rowCount: number, dims: number, seed: number, zeroEvery: number, equalEvery: number): Float32Array {
  const random = xorshift(seed);
  const centres = new Float32Array(8 * dims).map(() => random() * 4 - 2);
  const values = new Float32Array(rowCount * dims);
  for (let row = 0; row < rowCount; row++) {
    const centre = row % equalEvery === 0 ? 0 : Math.floor(random() * 8);
    for (let d = 0; d < dims; d++) {
      const noise = row % equalEvery === 0 ? 0 : random() - 0.5;
      values[row * dims + d] = row % zeroEvery === 0 ? 0 : (centres[centre * dims + d] as number) + noise;
    }
  }
  return values;
}

/** Everything that must hold of any index. */
function expectSound(index: IvfIndex, rows: IvfRows, options: IvfBuildOptions, leafRows: number): void {
  const { rowCount, dims } = rows;
  expect(Array.from(index.order.toSorted())).toEqual(Array.from({ length: rowCount }, (_, row) => row));
  const sizes = Array.from(
    index.leafEnds,
    (end, leaf) => end - (leaf === 0 ? 0 : (index.leafEnds[leaf - 1] as number)),
  );
  expect(Math.min(...sizes)).toBeGreaterThan(0);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(4 * leafRows);
  expect(index.leafEnds.at(-1)).toBe(rowCount);
  expect(index.centroids).toHaveLength(sizes.length * dims);
  expect(fromHalves(index.centroids).every(Number.isFinite)).toBe(true);
  const { codec, metric } = options;
  expect(index.codes).toHaveLength(sizes.reduce((sum, size) => sum + listBytes(codec, metric, dims, size), 0));
  if (index.code.codec === 'int8') {
    expect(index.code.scales).toHaveLength(dims);
    expect(index.code.scales.every((scale) => scale >= 0 && Number.isFinite(scale))).toBe(true);
  }
  if (index.code.codec === 'pq4') {
    expect(index.code.codebook).toHaveLength(pq4SubCount(dims) * 32);
    expect(index.code.codebook.every(Number.isFinite)).toBe(true);
  }
  const { ks, recalls, leaves, candidates } = index.budgets;
  expect(leaves).toHaveLength(ks.length * recalls.length);
  expect(leaves.every((count) => count >= 1 && count <= sizes.length)).toBe(true);
  candidates.forEach((count, i) => {
    expect(count).toBeGreaterThanOrEqual(Math.min(rowCount - 1, ks[Math.floor(i / recalls.length)] as number));
  });
}

describe('buildIvf', () => {
  test('gives a sound index of any rows: few, equal, zero, of any metric and codec', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          rowCount: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 900 })),
          dims: fc.integer({ min: 1, max: 12 }),
          metric: fc.constantFrom(...metrics),
          codec: fc.constantFrom(...codecs),
          leafRows: fc.constantFrom(1, 3, 10, 200),
          zeroEvery: fc.constantFrom(1, 3, 10_000),
          equalEvery: fc.constantFrom(1, 2, 10_000),
          size: fc.constantFrom(1, 1e-30, 1e15),
          seed: fc.nat(),
          learningQueryCount: fc.constantFrom(0, 7, 40),
        }),
        async ({ rowCount, dims, zeroEvery, equalEvery, size, ...options }) => {
          const values = clouds(rowCount, dims, options.seed, zeroEvery, equalEvery).map((value) => value * size);
          const rows = rowsOf(values, dims);
          expectSound(await buildIvf(rows, options, module, inline), rows, options, options.leafRows);
        },
      ),
      { numRuns: 80 },
    );
  });

  test('gives the same bytes on one thread and on two', async () => {
    const rows = rowsOf(clouds(3000, 9, 4, 1000, 10_000), 9);
    for (const metric of metrics) {
      for (const codec of codecs) {
        const options = { metric, codec, seed: 7, leafRows: 20, learningQueryCount: 30 };
        const one = await buildIvf(rows, options, module, inline);
        expect(await buildIvf(rows, options, module, threads)).toEqual(one);
        expect(await buildIvf(rows, { ...options, seed: 8 }, module, inline)).not.toEqual(one);
      }
    }
  });

  test('takes the codebook that it is given', async () => {
    const rows = rowsOf(clouds(600, 6, 4, 1000, 1000), 6);
    const codebook = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i));
    const options = { metric: 'dot_product', codec: 'pq4', seed: 7, codebook, learningQueryCount: 0 } as const;
    expect((await buildIvf(rows, options, module, inline)).code).toEqual({ codec: 'pq4', codebook });
  });

  test('rejects when a task fails, with the message of the thread', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const task = { kind: 'codebook', dims: 2, rows: 2 ** 30, rowCount: 1, books: 0, from: 0, to: 1, sums: 0 } as const;
    await expect(threads.run(memory, [task])).rejects.toThrow('out of bounds');
    await threads.run(memory, []);
  });
});
