import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from '@jest/globals';
import { isLagoonError } from '@lagoon/base';
import fc from 'fast-check';
import { inverseNorm } from './inverse-norm.ts';
import { fromHalf, toHalf } from './ivf/half-float.ts';
import type { VectorScan } from './kernels.ts';
import type { DistanceMetric } from './metric.ts';
import { createScalarKernels } from './scalar-kernels.ts';
import { createArena } from './shared-arena.ts';
import { elementBytes, kernelDimsMax, kernelTopMax } from './vector-scan.ts';
import { createKernels, loadKernelModule, scratchBytes } from './wasm-kernels.ts';

const metrics: readonly DistanceMetric[] = ['cosine_distance', 'euclidean_squared', 'dot_product'];
const module = loadKernelModule();
const arena = createArena({ budgetBytes: 256 * 1024 ** 2, scratchBytes: 2 * scratchBytes() });
const scratchSize = arena.scratch.size / 2;
arena.allocate(1);
const memory = arena.memories[0] as WebAssembly.Memory;
const kernels = createKernels(module, memory, { offset: arena.scratch.offset, size: scratchSize });
const scalar = createScalarKernels(memory);

interface Sample {
  readonly element: VectorScan['element'];
  readonly dims: number;
  readonly rowCount: number;
  /** Values come from this seed; few distinct ones make ties. */
  readonly seed: number;
  readonly distinctValues: number;
  readonly zeroRowEvery: number;
  /** Values between an aligned address and the rows. */
  readonly misalignment: number;
}

const samples: fc.Arbitrary<Sample> = fc.record({
  element: fc.constantFrom('f32', 'f16', 'i8'),
  dims: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(63, 64, 65, 100, 255, 256, 257, 300)),
  rowCount: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 60, max: 300 })),
  seed: fc.integer(),
  distinctValues: fc.constantFrom(2, 3, 256),
  zeroRowEvery: fc.constantFrom(1, 3, 1000),
  misalignment: fc.constantFrom(0, 1, 2, 3),
});

interface Placed {
  readonly scan: VectorScan;
  readonly setMask: (admits: (row: number) => boolean) => number;
  readonly rows: Float32Array | Float16Array | Int8Array;
  readonly norms: Float32Array;
  readonly outOffset: number;
}

/** Puts a sample into the memory; every part of it ends where the next thing begins, so reads past an end are seen. */
function place(sample: Sample, metric: DistanceMetric): Placed {
  const { element, dims, rowCount } = sample;
  const random = xorshift(sample.seed);
  const value = () => {
    const step = Math.floor(random() * sample.distinctValues) - Math.floor(sample.distinctValues / 2);
    return element === 'i8' ? step : Math.fround(step * 0.37);
  };
  const block = arena.allocate(1024 ** 2);
  if (block === undefined) throw new Error('test arena is full');
  const start = block.offset + elementBytes(element) * sample.misalignment;
  const rows = rowsAt(element, start, rowCount * dims);
  const query = element === 'i8' ? new Int8Array(dims).map(value) : new Float32Array(dims).map(value);
  const inverseNormsOffset = Math.ceil((start + rows.byteLength) / 4) * 4;
  const norms = new Float32Array(memory.buffer, inverseNormsOffset, rowCount);
  for (let row = 0; row < rowCount; row++) {
    const values = rows.subarray(row * dims, (row + 1) * dims);
    for (let i = 0; i < dims; i++) values[i] = row % sample.zeroRowEvery === 0 ? 0 : value();
    norms[row] = inverseNorm(new Float32Array(values));
  }
  const maskOffset = inverseNormsOffset + rowCount * 4;
  const mask = new Uint8Array(memory.buffer, maskOffset, Math.ceil(rowCount / 8));
  const outOffset = Math.ceil((maskOffset + mask.length) / 4) * 4;
  arena.free(block); // the next sample reuses it, with this one's values as dirt
  return {
    rows,
    norms,
    outOffset,
    scan: {
      ...{ metric, element, dims, rowCount, query, inverseNormsOffset, rowsOffset: start },
      ...{ k: 10, rowMaskOffset: 0, distanceBound: Number.POSITIVE_INFINITY },
    },
    setMask: (admits) => {
      mask.fill(0xff); // bits past the last row must not matter
      for (let row = 0; row < rowCount; row++) if (!admits(row)) clearBit(mask, row);
      return maskOffset;
    },
  };
}

function rowsAt(element: VectorScan['element'], offset: number, count: number): Placed['rows'] {
  if (element === 'f32') return new Float32Array(memory.buffer, offset, count);
  return element === 'f16'
    ? new Float16Array(memory.buffer, offset, count)
    : new Int8Array(memory.buffer, offset, count);
}

function clearBit(mask: Uint8Array, row: number): void {
  mask[row >> 3] = (mask[row >> 3] as number) & ~(1 << (row & 7));
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

function bits(values: Float32Array): readonly number[] {
  return Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length));
}

function expectSame(scan: VectorScan): void {
  const actual = kernels.scanTopK(scan);
  const expected = scalar.scanTopK(scan);
  expect(Array.from(actual.rows)).toEqual(Array.from(expected.rows));
  expect(bits(actual.distances)).toEqual(bits(expected.distances));
}

/** Distance by the definition, in f64, and what rounding every step to f32 may change it by. */
function definition(placed: Placed, row: number): { distance: number; tolerance: number } {
  const { metric, dims, query } = placed.scan;
  let dot = 0;
  let squared = 0;
  let magnitude = 1;
  for (let i = 0; i < dims; i++) {
    const a = placed.rows[row * dims + i] as number;
    const b = query[i] as number;
    dot += a * b;
    squared += (a - b) ** 2;
    magnitude += metric === 'euclidean_squared' ? (a - b) ** 2 : Math.abs(a * b);
  }
  const tolerance = magnitude * (dims + 4) * 2 ** -24;
  if (metric === 'euclidean_squared') return { distance: squared, tolerance };
  if (metric === 'dot_product') return { distance: -dot, tolerance };
  return { distance: 1 - dot * (placed.norms[row] as number) * inverseNorm(query), tolerance };
}

describe('WebAssembly kernels', () => {
  test('equal the scalar kernels in every bit, for any metric, dims, k, mask and bound', () => {
    fc.assert(
      fc.property(
        samples,
        fc.constantFrom(...metrics),
        fc.constantFrom(1, 2, 10, 64, 1000, kernelTopMax),
        fc.constantFrom('all', 'none', 'some', 'runs', 'one'),
        fc.constantFrom(Number.POSITIVE_INFINITY, 1, 0.5, 0, -1, -5),
        (sample, metric, k, maskKind, distanceBound) => {
          const placed = place(sample, metric);
          const random = xorshift(sample.seed + 1);
          const chosen = Math.floor(random() * sample.rowCount);
          const admits = {
            none: () => false,
            some: () => random() < 0.3,
            runs: (row: number) => (row >> 7) % 2 === 0,
            one: (row: number) => row === chosen,
          };
          const rowMaskOffset = maskKind === 'all' ? 0 : placed.setMask(admits[maskKind]);
          expectSame({ ...placed.scan, k, distanceBound, rowMaskOffset });
        },
      ),
      { numRuns: 600 },
    );
  });

  test('give the same distances for all rows as the scalar kernels and the definition', () => {
    fc.assert(
      fc.property(samples, fc.constantFrom(...metrics), (sample, metric) => {
        const placed = place(sample, metric);
        const out = new Float32Array(memory.buffer, placed.outOffset, sample.rowCount);
        scalar.distances(placed.scan, placed.outOffset);
        const expected = bits(out);
        out.fill(7);
        kernels.distances(placed.scan, placed.outOffset);
        expect(bits(out)).toEqual(expected);
        for (let row = 0; row < sample.rowCount; row++) {
          const { distance, tolerance } = definition(placed, row);
          expect(Math.abs((out[row] as number) - distance)).toBeLessThanOrEqual(tolerance);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('serve the largest dims and k, i8 sums without overflow included', () => {
    for (const metric of metrics) {
      for (const element of ['f32', 'f16', 'i8'] as const) {
        const shape = { element, dims: kernelDimsMax, rowCount: 9, seed: 5, distinctValues: 256 };
        const placed = place({ ...shape, zeroRowEvery: 1000, misalignment: 1 }, metric);
        if (element === 'i8') {
          placed.rows.fill(-128);
          placed.scan.query.fill(127);
        }
        expectSame({ ...placed.scan, k: kernelTopMax });
      }
    }
  });

  test('give for rows of f16 what they give for the same values in f32, in every bit', () => {
    const shape = { element: 'f32', rowCount: 150, seed: 5, distinctValues: 256 } as const;
    for (const metric of metrics) {
      for (const dims of [1, 3, 4, 17, 100]) {
        const placed = place({ ...shape, dims, zeroRowEvery: 9, misalignment: 0 }, metric);
        const rows = Float32Array.from(placed.rows, (value) => fromHalf(toHalf(value)));
        placed.rows.set(rows);
        const wide = kernels.scanTopK({ ...placed.scan, k: 150 });
        const halves = new Uint16Array(memory.buffer, placed.scan.rowsOffset, rows.length);
        halves.set(Uint16Array.from(rows, toHalf));
        const scan = { ...placed.scan, element: 'f16', k: 150 } as const;
        expect(kernels.scanTopK(scan)).toEqual(wide);
        expectSame(scan);
      }
    }
  });

  test('order ties by row and keep rows exactly at the bound', () => {
    const shape = { element: 'f32', dims: 4, rowCount: 200, seed: 1, distinctValues: 2 } as const;
    const placed = place({ ...shape, zeroRowEvery: 1, misalignment: 0 }, 'cosine_distance');
    const top = kernels.scanTopK({ ...placed.scan, k: 5, distanceBound: 1 });
    expect(Array.from(top.rows)).toEqual([0, 1, 2, 3, 4]);
    expect(Array.from(top.distances)).toEqual([1, 1, 1, 1, 1]);
    expect(kernels.scanTopK({ ...placed.scan, k: 5, distanceBound: 0.999 }).rows).toHaveLength(0);
  });

  test('do not touch rows that the mask leaves out', () => {
    for (const element of ['f32', 'f16', 'i8'] as const) {
      const shape = { element, dims: 20, rowCount: 300, seed: 3, distinctValues: 256 };
      const placed = place({ ...shape, zeroRowEvery: 1000, misalignment: 0 }, 'cosine_distance');
      const admits = (row: number) => row % 97 === 5;
      for (let row = 0; row < 300; row++) if (!admits(row)) placed.norms[row] = Number.NaN; // would fail the assertion
      const rowMaskOffset = placed.setMask(admits);
      const top = kernels.scanTopK({ ...placed.scan, k: 300, rowMaskOffset });
      expect(Array.from(top.rows).toSorted((a, b) => a - b)).toEqual([5, 102, 199, 296]);
    }
  });

  test('fail an assertion when a distance is NaN, for a lone row and within a group of four', () => {
    for (const element of ['f32', 'f16', 'i8'] as const) {
      const shape = { element, dims: 20, rowCount: 6, seed: 3, distinctValues: 256 };
      for (const row of [1, 5]) {
        const placed = place({ ...shape, zeroRowEvery: 1000, misalignment: 0 }, 'cosine_distance');
        placed.norms[row] = Number.NaN;
        expect(() => kernels.scanTopK(placed.scan)).toThrow('no distance is NaN');
        expect(() => scalar.scanTopK(placed.scan)).toThrow('no distance is NaN');
      }
    }
  });

  test('keep rows at an infinite distance, which is a distance', () => {
    const shape = { element: 'f32', dims: 1, rowCount: 5, seed: 3, distinctValues: 2 } as const;
    const placed = place({ ...shape, zeroRowEvery: 1000, misalignment: 0 }, 'euclidean_squared');
    placed.rows.set([1, -3e38, 2, 3e38, 3]);
    placed.scan.query.set([1]);
    const top = kernels.scanTopK(placed.scan);
    expect(Array.from(top.rows)).toEqual([0, 2, 4, 1, 3]);
    expectSame(placed.scan);
  });

  test('of two instances on one memory do not disturb each other', () => {
    const other = createKernels(module, memory, { offset: arena.scratch.offset + scratchSize, size: scratchSize });
    const shape = { element: 'f32', dims: 30, rowCount: 250, seed: 9, distinctValues: 256 } as const;
    const placed = place({ ...shape, zeroRowEvery: 1000, misalignment: 0 }, 'dot_product');
    const before = other.scanTopK(placed.scan);
    kernels.scanTopK({ ...placed.scan, metric: 'euclidean_squared', k: 250 });
    expect(other.scanTopK(placed.scan)).toEqual(before);
  });

  test('work in another thread on the same memory, also after it has grown', async () => {
    const worker = new Worker(workerCode, { eval: true });
    const first = arena.memories[0] as WebAssembly.Memory;
    const scratch = { offset: arena.scratch.offset + scratchSize, size: scratchSize };
    worker.postMessage({ module, memory: first, scratch, index: new URL('./index.ts', import.meta.url).href });
    const shape = { element: 'f32', dims: 30, rowCount: 250, seed: 9, distinctValues: 256 } as const;
    for (let round = 0; round < 5; round++) {
      memory.grow(1);
      const end = memory.buffer.byteLength;
      const { rows, scan } = place({ ...shape, zeroRowEvery: 1000, misalignment: 0 }, 'dot_product');
      const rowsOffset = end - rows.byteLength; // within the newest page
      new Float32Array(memory.buffer, rowsOffset, rows.length).set(rows);
      worker.postMessage({ ...scan, rowsOffset });
      const [answer] = await once(worker, 'message');
      expect(Array.from(answer.rows)).toEqual(Array.from(scalar.scanTopK(scan).rows));
    }
    await worker.terminate();
  });

  test('refuse a scan that reaches out of the memory or of their scratch', () => {
    const shape = { element: 'f32', dims: 8, rowCount: 100, seed: 9, distinctValues: 256 } as const;
    const { scan } = place({ ...shape, zeroRowEvery: 1000, misalignment: 0 }, 'dot_product');
    const end = memory.buffer.byteLength;
    const small = createKernels(module, memory, { offset: arena.scratch.offset, size: 96 });
    expect(() => kernels.scanTopK({ ...scan, rowsOffset: end - 4 })).toThrow('rows lie in memory');
    expect(() => kernels.scanTopK({ ...scan, rowMaskOffset: end - 4 })).toThrow('row mask lie in memory');
    expect(() => kernels.scanTopK({ ...scan, query: new Float32Array(7) })).toThrow('query has the dims');
    expect(() => kernels.scanTopK({ ...scan, dims: 0, query: new Float32Array(0) })).toThrow('dims of a scan');
    expect(() => kernels.scanTopK({ ...scan, k: kernelTopMax + 1 })).toThrow('k is in range');
    expect(() => kernels.scanTopK({ ...scan, distanceBound: Number.NaN })).toThrow('bound is a number');
    expect(() => kernels.distances(scan, end - 8)).toThrow('distances lie in memory');
    expect(small.scanTopK({ ...scan, k: 8 }).rows).toHaveLength(8);
    expect(() => small.scanTopK({ ...scan, k: 9 })).toThrow('scan fits its scratch');
  });

  test('place nothing in the memory they are given: the module has no data and no start function', () => {
    const bytes = readFileSync(new URL('../dist/kernels.wasm', import.meta.url));
    expect(sectionIds(bytes).filter((id) => id === 8 || id === 11)).toEqual([]);
  });

  test('that were not built say how to build them', () => {
    try {
      loadKernelModule(new URL('../dist/absent.wasm', import.meta.url));
    } catch (error) {
      expect(isLagoonError(error, 'internal')).toBe(true);
      expect(String(error)).toContain('make build');
      return;
    }
    throw new Error('an absent file was loaded');
  });
});

describe('inverseNorm', () => {
  test('is 0 where the norm has no finite inverse in f32', () => {
    expect(inverseNorm(Float32Array.of(0, -0))).toBe(0);
    expect(inverseNorm(Float32Array.of(1e-45))).toBe(0);
    expect(inverseNorm(Float32Array.of(3, 4))).toBe(Math.fround(0.2));
    expect(inverseNorm(Int8Array.of(-3, 4))).toBe(Math.fround(0.2));
  });
});

/** The first message brings module, memory and scratch, each later one a scan. */
const workerCode = `
  const { parentPort } = require('node:worker_threads');
  let kernels;
  parentPort.on('message', async (message) => {
    if (message.module === undefined) parentPort.postMessage((await kernels).scanTopK(message));
    else kernels = import(message.index).then((it) => it.createKernels(message.module, message.memory, message.scratch));
  });
`;

/** Ids of the sections of a WebAssembly binary: id, LEB128 size, content. */
function sectionIds(bytes: Uint8Array): readonly number[] {
  const ids: number[] = [];
  let at = 8;
  while (at < bytes.length) {
    ids.push(bytes[at++] as number);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    at += size;
  }
  return ids;
}
