import { assert } from '@lagoon/base';
import type { VectorScan } from './kernels.ts';

/** Bounds of every kernel; the dialect has the same. */
export const kernelDimsMax = 10_752;
export const kernelTopMax = 10_000;

export type UnrankedScan = Omit<VectorScan, 'k' | 'rowMaskOffset' | 'distanceBound'>;

/** Bytes of one value of a row. */
export function elementBytes(element: VectorScan['element']): number {
  return element === 'f32' ? 4 : element === 'f16' ? 2 : 1;
}

/** Bytes of one row's values. */
export function rowBytes(scan: Pick<VectorScan, 'element' | 'dims'>): number {
  return scan.dims * elementBytes(scan.element);
}

/** What a kernel may rely on: a scan that breaks it is a bug of the caller. */
export function assertScan(scan: UnrankedScan, memory: WebAssembly.Memory): void {
  assert(scan.dims >= 1 && scan.dims <= kernelDimsMax, 'dims of a scan are in range');
  assert(scan.query.length === scan.dims, 'query has the dims of the rows');
  assert(scan.query instanceof Int8Array === (scan.element === 'i8'), 'query has the element type of the rows');
  assert(scan.element !== 'f32' || scan.rowsOffset % 4 === 0, 'f32 rows are 4-byte aligned');
  assertRange(scan.rowsOffset, scan.rowCount * rowBytes(scan), memory, 'rows');
  if (scan.metric !== 'cosine_distance') return;
  assert(scan.inverseNormsOffset % 4 === 0, 'inverse norms are 4-byte aligned');
  assertRange(scan.inverseNormsOffset, scan.rowCount * 4, memory, 'inverse norms');
}

export function assertRankedScan(scan: VectorScan, memory: WebAssembly.Memory): void {
  assertScan(scan, memory);
  assert(scan.k >= 0 && scan.k <= kernelTopMax, 'k is in range');
  assert(!Number.isNaN(scan.distanceBound), 'distance bound is a number');
  if (scan.rowMaskOffset !== 0) assertRange(scan.rowMaskOffset, Math.ceil(scan.rowCount / 8), memory, 'row mask');
}

export function assertRange(offset: number, size: number, memory: WebAssembly.Memory, what: string): void {
  // Another thread may have grown the memory without this one having noticed yet: growing by nothing looks again.
  if (offset + size > memory.buffer.byteLength) memory.grow(0);
  assert(offset >= 0 && offset + size <= memory.buffer.byteLength, `${what} lie in memory`);
}
