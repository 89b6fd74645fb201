import { alignUp, assert } from '@lagoon/base';
import { type Bitmap, getBit, openBlock, type VectorColumn, vectorElementBytes } from '@lagoon/format';
import { createMaxScore, type MaxScore } from '@lagoon/text';
import {
  createKernels,
  createListScorer,
  type DistanceMetric,
  type Kernels,
  kernelDimsMax,
  kernelTopMax,
  type ListScorer,
  listScratchBytes,
  type ScratchRegion,
  scratchBytes,
  type TopRows,
} from '@lagoon/vector';
import { type BlockText, openStoredText } from './block-text.ts';
import type { BlockLocation } from './job-block.ts';
import { type OpenedLists, openLists } from './opened-lists.ts';
import type { RowBlock } from './row-ranks.ts';
import { createSparseIndexes, type SparseIndexes } from './sparse-indexes.ts';
import { openStoredSegment, partCount, type StoredLists, type StoredPlace, type StoredText } from './stored-segment.ts';
import { createTextIndexCache, type TextIndexCache } from './text-index-cache.ts';
import { createTextLists, type TextLists } from './text-lists.ts';

/** What one thread keeps between jobs: opened blocks, kernels, text indexes. */
export interface SearchContext {
  /** The block at its place in the arena; opened once, never verified here: that was done before it got there. */
  openBlock(location: BlockLocation): RowBlock;
  scanVectors(memoryIndex: number, column: VectorColumn, scan: BlockScan): TopRows;
  /** A text that lies in the arena beside its block; opened once. */
  openText(location: BlockLocation, text: StoredText): BlockText;
  readonly textIndexes: TextIndexCache;
  readonly textLists: TextLists;
  readonly maxScore: MaxScore;
  readonly sparseIndexes: SparseIndexes;
  /** The lists of a vector column; opened once. */
  openLists(location: BlockLocation, lists: StoredLists): OpenedLists;
  readonly listScorer: ListScorer;
  /** The bytes of a part of a segment. */
  bytesAt(place: StoredPlace): Uint8Array;
  /** Forgets opened blocks that may have been evicted. */
  forgetBlocks(blockIds: readonly number[]): void;
  /** Asks for the memory again: it has grown, and this thread may hold a view of its old length. */
  forgetMemory(memoryIndex: number): void;
}

/** A block as this thread sees it, with the text indexes that it has opened beside it. */
interface OpenedBlock {
  readonly location: BlockLocation;
  readonly block: RowBlock;
  readonly texts: Map<string, BlockText>;
  readonly lists: Map<string, { readonly stored: StoredLists; readonly opened: OpenedLists }>;
}

function countParts({ segment }: BlockLocation): number {
  return segment === undefined ? 0 : partCount(segment);
}

export interface BlockScan {
  readonly metric: DistanceMetric;
  readonly query: Float32Array | Int8Array;
  readonly queryInverseNorm: number;
  readonly k: number;
  readonly distanceBound: number;
  readonly rowCount: number;
  readonly admitted: Bitmap | undefined;
  /** Rows are not in the order of ids, by which ties are broken: all rows at the distance of the worst one are given. */
  readonly withTies: boolean;
}

/** One memory of the arena with a region in it that this thread alone writes. */
export interface SearchMemory {
  readonly memory: WebAssembly.Memory;
  readonly scratch: ScratchRegion;
}

/** Rows that one kernel call scans: its row mask fits the scratch region. */
const scanRowCountMax = 1 << 20;
const maskBytes = scanRowCountMax / 8;

const kernelBytes = alignUp(scratchBytes(kernelDimsMax, kernelTopMax), 16);
const listBytes = alignUp(listScratchBytes(), 16);

/** Bytes of scratch in each memory for one thread. */
export const searchScratchBytes = maskBytes + kernelBytes + listBytes;

export interface SearchContextOptions {
  /** Bytes of derived text indexes that the thread may keep; and as many of postings that it has unpacked. */
  readonly textIndexBytesMax: number;
}

/** `memoryAt` gives the arena's memories by index; it is asked once per memory, and again when told to. */
export function createSearchContext(
  module: WebAssembly.Module,
  memoryAt: (memoryIndex: number) => SearchMemory,
  options: SearchContextOptions,
): SearchContext {
  const scanners = new Map<number, MemoryScanner>();
  const blocks = new Map<number, OpenedBlock>();
  let scorer: ListScorer | undefined;
  const scannerOf = (memoryIndex: number): MemoryScanner => {
    const known = scanners.get(memoryIndex);
    if (known !== undefined) return known;
    const scanner = createMemoryScanner(module, memoryAt(memoryIndex));
    scanners.set(memoryIndex, scanner);
    return scanner;
  };
  const bytesAt = ({ memoryIndex, offset, size }: StoredPlace): Uint8Array =>
    new Uint8Array(scannerOf(memoryIndex).memory.buffer, offset, size);
  return {
    openBlock: (location) => {
      const known = blocks.get(location.blockId);
      if (known !== undefined && countParts(known.location) === countParts(location)) return known.block;
      const { segment } = location;
      const block =
        segment === undefined ? openBlock(bytesAt(location), { verify: false }) : openStoredSegment(segment, bytesAt);
      blocks.set(location.blockId, {
        location,
        block,
        texts: known?.texts ?? new Map(),
        lists: known?.lists ?? new Map(),
      });
      return block;
    },
    openText: (location, text) => {
      const opened = blocks.get(location.blockId);
      assert(opened !== undefined, 'a block is opened before its text');
      const known = opened.texts.get(text.attribute);
      if (known !== undefined) return known;
      const stored = openStoredText(location, text, bytesAt(text));
      opened.texts.set(text.attribute, stored);
      return stored;
    },
    openLists: (location, stored) => {
      const opened = blocks.get(location.blockId);
      assert(opened !== undefined, 'a block is opened before its lists');
      const known = opened.lists.get(stored.attribute);
      if (known !== undefined && (known.stored.codes === undefined) === (stored.codes === undefined))
        return known.opened;
      const lists = openLists(stored, bytesAt);
      opened.lists.set(stored.attribute, { stored, opened: lists });
      return lists;
    },
    get listScorer() {
      scorer ??= createListScorer(module, (memoryIndex) => scorerMemory(memoryAt(memoryIndex)));
      return scorer;
    },
    bytesAt,
    scanVectors: (memoryIndex, column, scan) => scannerOf(memoryIndex).scan(column, scan),
    textIndexes: createTextIndexCache(options.textIndexBytesMax),
    textLists: createTextLists(options.textIndexBytesMax),
    maxScore: createMaxScore(),
    sparseIndexes: createSparseIndexes(options.textIndexBytesMax),
    forgetBlocks: (blockIds) => {
      for (const blockId of blockIds) blocks.delete(blockId);
    },
    forgetMemory: (memoryIndex) => {
      scanners.delete(memoryIndex);
      scorer = undefined;
    },
  };
}

/** The part of the scratch region behind those of the mask and of the kernels. */
function scorerMemory({ memory, scratch }: SearchMemory): SearchMemory {
  return { memory, scratch: { offset: scratch.offset + maskBytes + kernelBytes, size: listBytes } };
}

interface MemoryScanner {
  readonly memory: WebAssembly.Memory;
  scan(column: VectorColumn, scan: BlockScan): TopRows;
}

function createMemoryScanner(module: WebAssembly.Module, { memory, scratch }: SearchMemory): MemoryScanner {
  assert(scratch.size >= searchScratchBytes, 'a search thread has its whole scratch region');
  const kernels = createKernels(module, memory, {
    offset: scratch.offset + maskBytes,
    size: kernelBytes,
  });
  return {
    memory,
    scan: (column, scan) => {
      if (scan.rowCount <= scanRowCountMax) return scanRows(kernels, memory, scratch, column, scan, 0, scan.rowCount);
      const parts: TopRows[] = [];
      for (let from = 0; from < scan.rowCount; from += scanRowCountMax) {
        const to = Math.min(from + scanRowCountMax, scan.rowCount);
        parts.push(scanRows(kernels, memory, scratch, column, scan, from, to));
      }
      return concatenate(parts);
    },
  };
}

/** Rows whose distances fit the region of the mask. */
const distanceRowCount = maskBytes / 4;

/** Scans the rows [from, to); `from` is a multiple of 8. */
function scanRows(
  kernels: Kernels,
  memory: WebAssembly.Memory,
  scratch: ScratchRegion,
  column: VectorColumn,
  scan: BlockScan,
  from: number,
  to: number,
): TopRows {
  if (scan.admitted !== undefined) {
    new Uint8Array(memory.buffer, scratch.offset, maskBytes).set(scan.admitted.subarray(from >>> 3, (to + 7) >>> 3));
  }
  const top = kernels.scanTopK({
    ...vectorRows(column, scan, from, to),
    k: scan.withTies ? Math.min(scan.k + 1, kernelTopMax) : scan.k,
    rowMaskOffset: scan.admitted === undefined ? 0 : scratch.offset,
    distanceBound: scan.distanceBound,
  });
  if (from > 0) for (let i = 0; i < top.rows.length; i++) (top.rows[i] as number) += from;
  if (!scan.withTies || top.rows.length < scan.k) return top;
  const worst = top.distances[scan.k - 1] as number;
  if (top.rows.length > scan.k && (top.distances[scan.k] as number) > worst) return top;
  return rowsWithin(kernels, memory, scratch, column, scan, worst, from, to);
}

function vectorRows(column: VectorColumn, scan: BlockScan, from: number, to: number) {
  return {
    metric: scan.metric,
    element: column.element,
    dims: column.dims,
    rowCount: to - from,
    rowsOffset: column.values.byteOffset + from * column.dims * vectorElementBytes(column.element),
    inverseNormsOffset: column.inverseNorms.byteOffset + from * 4,
    query: scan.query,
    queryInverseNorm: scan.queryInverseNorm,
  } as const;
}

/** All admitted rows up to a distance, in the order of rows: only asked for where rows are as far as the last one that counts. */
function rowsWithin(
  kernels: Kernels,
  memory: WebAssembly.Memory,
  scratch: ScratchRegion,
  column: VectorColumn,
  scan: BlockScan,
  worst: number,
  from: number,
  to: number,
): TopRows {
  const rows: number[] = [];
  const found: number[] = [];
  for (let start = from; start < to; start += distanceRowCount) {
    const end = Math.min(start + distanceRowCount, to);
    kernels.distances({ ...vectorRows(column, scan, start, end), distanceBound: worst }, scratch.offset);
    const distances = new Float32Array(memory.buffer, scratch.offset, end - start);
    for (let row = start; row < end; row++) {
      const distance = distances[row - start] as number;
      if (distance > worst || (scan.admitted !== undefined && !getBit(scan.admitted, row))) continue;
      rows.push(row);
      found.push(distance);
    }
  }
  return { rows: Uint32Array.from(rows), distances: Float32Array.from(found) };
}

/** Not ascending any more: the caller ranks them. */
function concatenate(parts: readonly TopRows[]): TopRows {
  const count = parts.reduce((sum, part) => sum + part.rows.length, 0);
  const rows = new Uint32Array(count);
  const distances = new Float32Array(count);
  let offset = 0;
  for (const part of parts) {
    rows.set(part.rows, offset);
    distances.set(part.distances, offset);
    offset += part.rows.length;
  }
  return { rows, distances };
}
