import { readFileSync } from 'node:fs';
import { alignUp, assert, LagoonError } from '@lagoon/base';
import type { ScratchRegion } from './arena.ts';
import { inverseNorm } from './inverse-norm.ts';
import type { Kernels, TopRows, VectorScan } from './kernels.ts';
import type { DistanceMetric } from './metric.ts';
import {
  assertRange,
  assertRankedScan,
  assertScan,
  kernelDimsMax,
  kernelTopMax,
  type UnrankedScan,
} from './vector-scan.ts';

/** Bytes of scratch that scans of at most so many dims and results need. */
export function scratchBytes(dimsMax: number = kernelDimsMax, kMax: number = kernelTopMax): number {
  return alignUp(dimsMax * 4, 16) + kMax * heapEntryBytes;
}

/**
 * The compiled kernels, to be instantiated by `createKernels` in any thread (a module can be posted to a worker).
 * `internal` when the build has not made them.
 */
export function loadKernelModule(file: URL = new URL('../dist/kernels.wasm', import.meta.url)): WebAssembly.Module {
  return new WebAssembly.Module(readArtefact(file));
}

/**
 * Kernels of one thread over one shared memory. `scratch` lies in that memory and is used by nobody else while
 * these kernels live; a scan that needs more of it than there is fails an assertion (see `scratchBytes`).
 */
export function createKernels(module: WebAssembly.Module, memory: WebAssembly.Memory, scratch: ScratchRegion): Kernels {
  assert(scratch.offset % 16 === 0, 'scratch is 16-byte aligned');
  assertRange(scratch.offset, scratch.size, memory, 'scratch');
  const wasm = exportsOf(new WebAssembly.Instance(module, { env: { memory } }));
  return {
    scanTopK: (scan) => {
      assertRankedScan(scan, memory);
      if (scan.k === 0 || scan.rowCount === 0) return noRows;
      const k = Math.min(scan.k, scan.rowCount);
      const heapOffset = scratch.offset + alignUp(scan.dims * 4, 16);
      assert(heapOffset + k * heapEntryBytes <= scratch.offset + scratch.size, 'scan fits its scratch');
      writeQuery(memory, scratch.offset, scan);
      const count = wasm.scanTopK(
        metricCodes[scan.metric],
        elementCodes[scan.element],
        scan.dims,
        scan.rowCount,
        scan.rowsOffset,
        scan.inverseNormsOffset,
        scratch.offset,
        queryInverseNormOf(scan),
        k,
        scan.rowMaskOffset,
        scan.distanceBound,
        heapOffset,
      );
      assert(wasm.notANumber() === 0, 'no distance is NaN');
      return readTop(memory, heapOffset, count);
    },
    distances: (scan, outOffset) => {
      assertScan(scan, memory);
      assertRange(outOffset, scan.rowCount * 4, memory, 'distances');
      assert(alignUp(scan.dims * 4, 16) <= scratch.size, 'query fits its scratch');
      writeQuery(memory, scratch.offset, scan);
      wasm.distances(
        metricCodes[scan.metric],
        elementCodes[scan.element],
        scan.dims,
        scan.rowCount,
        scan.rowsOffset,
        scan.inverseNormsOffset,
        scratch.offset,
        queryInverseNormOf(scan),
        outOffset,
      );
    },
  };
}

const heapEntryBytes = 8;
const noRows: TopRows = { rows: new Uint32Array(0), distances: new Float32Array(0) };

/** Codes of `kernels/assembly/distance.ts`. */
export const metricCodes: Readonly<Record<DistanceMetric, number>> = {
  dot_product: 0,
  euclidean_squared: 1,
  cosine_distance: 2,
};

export const elementCodes: Readonly<Record<VectorScan['element'], number>> = { f32: 0, i8: 1, f16: 2 };

interface WasmExports {
  readonly scanTopK: (...values: number[]) => number;
  readonly distances: (...values: number[]) => void;
  readonly notANumber: () => number;
}

function exportsOf(instance: WebAssembly.Instance): WasmExports {
  const { scanTopK, distances, notANumber } = instance.exports;
  assert(typeof scanTopK === 'function', 'kernel module exports scanTopK');
  assert(typeof distances === 'function', 'kernel module exports distances');
  assert(typeof notANumber === 'function', 'kernel module exports notANumber');
  return instance.exports as unknown as WasmExports;
}

function queryInverseNormOf(scan: UnrankedScan & Pick<VectorScan, 'queryInverseNorm'>): number {
  if (scan.metric !== 'cosine_distance') return 0;
  return scan.queryInverseNorm ?? inverseNorm(scan.query);
}

/** f32 as it is; i8 widened to i16, as the kernel multiplies it. Views are made anew: the memory may have grown. */
function writeQuery(memory: WebAssembly.Memory, offset: number, scan: UnrankedScan): void {
  const target =
    scan.element === 'i8'
      ? new Int16Array(memory.buffer, offset, scan.dims)
      : new Float32Array(memory.buffer, offset, scan.dims);
  target.set(scan.query);
}

function readTop(memory: WebAssembly.Memory, offset: number, count: number): TopRows {
  const rowPairs = new Uint32Array(memory.buffer, offset, count * 2);
  const distancePairs = new Float32Array(memory.buffer, offset, count * 2);
  const rows = new Uint32Array(count);
  const distances = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    rows[i] = rowPairs[2 * i] as number;
    distances[i] = distancePairs[2 * i + 1] as number;
  }
  return { rows, distances };
}

function readArtefact(file: URL): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new LagoonError('internal', 'the vector kernels are not built: run make build', {
      context: { file: file.pathname },
      cause: error,
    });
  }
}
