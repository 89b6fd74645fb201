import { assert } from '@lagoon/base';
import { assertRange, elementBytes, kernelDimsMax } from '../vector-scan.ts';
import type { LeafSearch, ListCode, ListSearch, ProbedLists, RowDistances } from './contract.ts';
import { listBytes, pq4CodeCount, pq4SubCount, pq4SubDims } from './list-layout.ts';

/** What kernels over lists may rely on: who breaks it has a bug. */
export function assertLeafSearch({ dims, query, leavesMax }: LeafSearch): void {
  assertQuery(dims, query);
  assert(leavesMax >= 1, 'a leaf is asked for');
}

export function assertListSearch({ dims, query, candidatesMax, distanceBound }: ListSearch): void {
  assertQuery(dims, query);
  assert(candidatesMax >= 1, 'a candidate is asked for');
  assert(distanceBound === undefined || !Number.isNaN(distanceBound), 'distance bound is a number');
}

export function assertProbedLists(
  lists: ProbedLists,
  { metric, dims, query }: Pick<ListSearch, 'metric' | 'dims' | 'query'>,
  memory: WebAssembly.Memory,
): void {
  const { code, element, starts, rowCounts, offsets, inverseNormOffsets, leafDistances, positionMask } = lists;
  const count = starts.length;
  assert(rowCounts.length === count && offsets.length === count, 'columns of lists are equally long');
  assertCode(code, dims);
  const flat = code.codec === 'flat';
  const needsNorms = flat && metric === 'cosine_distance';
  if (flat) assertElement(element, query);
  else assert(leafDistances.length === count, 'each list has the distance of its leaf');
  assert(!needsNorms || inverseNormOffsets?.length === count, 'each list has its inverse norms');
  for (let list = 0; list < count; list++) {
    const rowCount = rowCounts[list] as number;
    const size = flat ? rowCount * dims * elementBytes(element) : listBytes(code.codec, metric, dims, rowCount);
    assertRange(offsets[list] as number, size, memory, 'lists');
    if (needsNorms) assertRange(inverseNormOffsets?.[list] as number, rowCount * 4, memory, 'inverse norms');
    const end = (starts[list] as number) + rowCount;
    assert(positionMask === undefined || positionMask.length * 8 >= end, 'the mask covers the lists');
  }
}

export function assertRowDistances(rows: RowDistances, memory: WebAssembly.Memory): void {
  const { metric, element, dims, query, offsets, inverseNorms } = rows;
  assertQuery(dims, query);
  assertElement(element, query);
  const size = dims * elementBytes(element);
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] as number;
    if (offset < first) first = offset;
    if (offset > last) last = offset;
  }
  if (offsets.length > 0) assertRange(first, last - first + size, memory, 'rows');
  assert(metric !== 'cosine_distance' || inverseNorms?.length === offsets.length, 'each row has its inverse norm');
}

function assertQuery(dims: number, query: Float32Array | Int8Array): void {
  assert(dims >= 1 && dims <= kernelDimsMax, 'dims of a search are in range');
  assert(query.length === dims, 'query has the dims of the rows');
}

function assertElement(element: ProbedLists['element'], query: Float32Array | Int8Array): void {
  assert(query instanceof Int8Array === (element === 'i8'), 'query has the element type of the rows');
}

function assertCode(code: ListCode, dims: number): void {
  if (code.codec === 'int8') assert(code.scales.length === dims, 'each dimension has a scale');
  if (code.codec === 'pq4') {
    assert(code.codebook.length === pq4SubCount(dims) * pq4CodeCount * pq4SubDims, 'codebook has the dims of the rows');
  }
}
