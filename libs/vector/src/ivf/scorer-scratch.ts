import { alignUp, assert } from '@lagoon/base';
import { kernelDimsMax, kernelTopMax } from '../vector-scan.ts';
import type { ScorerMemory } from './contract.ts';
import { int8Stride, pq4SubCount } from './list-layout.ts';

/** Rows whose mask is copied at once, and rows whose distances are computed at once. */
export const maskRowsMax = 8192;
export const distancesMax = 1024;

/** Where things lie in a scorer's scratch region; offsets in the memory. */
export interface ScorerScratch {
  /** The query in the rows' element type, i8 widened to i16. */
  readonly query: number;
  /** The query as the codes meet it: i16 values or a pq4 table. */
  readonly codeQuery: number;
  readonly sums: number;
  readonly mask: number;
  readonly rowOffsets: number;
  readonly inverseNorms: number;
  readonly distances: number;
  readonly entries: number;
  /** Entries that there is room for. */
  readonly entryMax: number;
}

/**
 * Bytes of scratch that a scorer needs in each memory for so many dimensions and candidates (or leaves). The default serves everything
 * that kernels serve.
 */
export function listScratchBytes(dimsMax: number = kernelDimsMax, candidatesMax: number = 2 * kernelTopMax): number {
  return fixedBytes(dimsMax) + entryCountMax(candidatesMax) * 8;
}

/** Twice as many entries as are kept: a cut costs about two comparisons per entry then. */
export function entryCountMax(candidatesMax: number): number {
  return 2 * candidatesMax + 64;
}

export function layOutScratch({ memory, scratch }: ScorerMemory, dims: number): ScorerScratch {
  assert(scratch.offset % 16 === 0, 'scratch is 16-byte aligned');
  assert(scratch.offset + scratch.size <= memory.buffer.byteLength, 'scratch lies in memory');
  const query = scratch.offset;
  const codeQuery = query + queryBytes(dims);
  const sums = codeQuery + codeQueryBytes(dims);
  const mask = sums + 64;
  const rowOffsets = mask + maskBytes;
  const inverseNorms = rowOffsets + distancesMax * 4;
  const distances = inverseNorms + distancesMax * 4;
  const entries = distances + distancesMax * 4;
  const entryMax = Math.floor((scratch.offset + scratch.size - entries) / 8);
  assert(entryMax > 0, 'the query fits its scratch');
  return { query, codeQuery, sums, mask, rowOffsets, inverseNorms, distances, entries, entryMax };
}

/** A list that does not begin at a byte reaches into one more; kernels read eight bytes at a time. */
const maskBytes = alignUp(maskRowsMax / 8 + 1 + 8, 16);

function queryBytes(dims: number): number {
  return alignUp(dims * 4, 16);
}

function codeQueryBytes(dims: number): number {
  return Math.max(int8Stride(dims) * 2, pq4SubCount(dims) * 16);
}

function fixedBytes(dims: number): number {
  return queryBytes(dims) + codeQueryBytes(dims) + 64 + maskBytes + 3 * distancesMax * 4;
}
