import { assert } from '@lagoon/base';
import { inverseNorm } from '../inverse-norm.ts';
import type { DistanceMetric } from '../metric.ts';
import { assertRange, elementBytes } from '../vector-scan.ts';
import { elementCodes, metricCodes } from '../wasm-kernels.ts';
import { type CodeQuery, listBase, prepareInt8, preparePq4 } from './code-query.ts';
import type {
  LeafBlock,
  LeafSearch,
  ListCandidates,
  ListCode,
  ListScorer,
  ListSearch,
  NearestLeaves,
  ProbedLists,
  RowDistances,
  ScorerMemory,
} from './contract.ts';
import { assertLeafSearch, assertListSearch, assertProbedLists, assertRowDistances } from './list-bounds.ts';
import { codeBytes, hasTerms, int8Stride, pq4SubCount } from './list-layout.ts';
import { instantiateLists, type ListWasm } from './list-wasm.ts';
import { distancesMax, entryCountMax, layOutScratch, maskRowsMax, type ScorerScratch } from './scorer-scratch.ts';

/** A scorer over the compiled kernels. `memoryAt` gives the arena's memories by index; it is asked once per memory. */
export function createListScorer(
  module: WebAssembly.Module,
  memoryAt: (memoryIndex: number) => ScorerMemory,
): ListScorer {
  const places = new Map<number, Place>();
  let session: Session | undefined;

  const placeAt = (memoryIndex: number): Place => {
    const known = places.get(memoryIndex);
    if (known !== undefined) return known;
    const memory = memoryAt(memoryIndex);
    const place = { ...memory, wasm: instantiateLists(module, memory.memory) };
    places.set(memoryIndex, place);
    return place;
  };

  /** Opens the selection at a memory, with what was selected at another one. */
  const moveTo = (current: Session, memoryIndex: number): Binding => {
    const { binding } = current;
    if (binding?.memoryIndex === memoryIndex) return binding;
    const place = placeAt(memoryIndex);
    const scratch = layOutScratch(place, current.dims);
    const entryMax = Math.min(scratch.entryMax, entryCountMax(current.keep));
    assert(entryMax > current.keep, 'candidates fit their scratch');
    const count = binding?.place.wasm.selectCount() ?? 0;
    const worst = binding?.place.wasm.selectWorst() ?? current.distanceBound;
    if (binding !== undefined) {
      assert(binding.place.wasm.selectNotANumber() === 0, 'no distance is NaN');
      const entries = new Uint32Array(binding.place.memory.buffer, binding.scratch.entries, count * 2);
      new Uint32Array(place.memory.buffer, scratch.entries, count * 2).set(entries);
    }
    place.wasm.selectBegin(scratch.entries, current.keep, entryMax, count, worst);
    writeQuery(place.memory, scratch.query, current.query);
    current.binding = { memoryIndex, place, scratch };
    return current.binding;
  };

  const finish = (current: Session): ListCandidates => {
    if (current.binding === undefined) return { numbers: new Uint32Array(0), distances: new Float32Array(0) };
    const { place, scratch } = current.binding;
    assert(place.wasm.selectNotANumber() === 0, 'no distance is NaN');
    return readPairs(place.memory, scratch.entries, place.wasm.selectFinish());
  };

  return {
    nearestLeaves: (search, blocks) => {
      assert(session === undefined, 'no other search is under way');
      assertLeafSearch(search);
      return nearestLeaves(search, blocks, moveTo, finish);
    },
    begin: (search) => {
      assert(session === undefined, 'no other search is under way');
      assertListSearch(search);
      session = createSession(search, search.candidatesMax, search.distanceBound);
    },
    score: (lists) => {
      assert(session !== undefined, 'a search is under way');
      const binding = moveTo(session, lists.memoryIndex);
      assertProbedLists(lists, session, binding.place.memory);
      if (lists.code.codec === 'flat') scoreFlat(session, binding, lists);
      else scoreCodes(session, binding, lists, lists.code);
    },
    finish: () => {
      assert(session !== undefined, 'a search is under way');
      const current = session;
      session = undefined;
      return finish(current);
    },
    distancesOf: (rows) => {
      assert(session === undefined, 'no other search is under way');
      return distancesOf(rows, placeAt(rows.memoryIndex));
    },
  };
}

interface Place extends ScorerMemory {
  readonly wasm: ListWasm;
}

/** Where a session's selection is now. */
interface Binding {
  readonly memoryIndex: number;
  readonly place: Place;
  readonly scratch: ScorerScratch;
  /** The code whose query lies in the scratch. */
  prepared?: { readonly code: ListCode; readonly query: CodeQuery };
}

interface Session {
  readonly metric: DistanceMetric;
  readonly dims: number;
  readonly query: Float32Array | Int8Array;
  readonly queryInverseNorm: number;
  readonly keep: number;
  readonly distanceBound: number;
  binding?: Binding;
}

function createSession(
  { metric, dims, query, queryInverseNorm }: Omit<ListSearch, 'candidatesMax' | 'distanceBound'>,
  keep: number,
  distanceBound = Number.POSITIVE_INFINITY,
): Session {
  const inverse = metric === 'cosine_distance' ? (queryInverseNorm ?? inverseNorm(query)) : 0;
  return { metric, dims, query, queryInverseNorm: inverse, keep, distanceBound };
}

/**
 * Centroids are flat rows of f16. Those of cosine_distance have unit length, so a query of unit length makes it 1 + the distance by
 * dot product.
 */
function nearestLeaves(
  search: LeafSearch,
  blocks: readonly LeafBlock[],
  moveTo: (session: Session, memoryIndex: number) => Binding,
  finish: (session: Session) => ListCandidates,
): NearestLeaves {
  const cosine = search.metric === 'cosine_distance';
  const metric = cosine ? 'dot_product' : search.metric;
  const query = cosine ? unitQuery(search) : search.query;
  const session = createSession({ metric, dims: search.dims, query }, search.leavesMax);
  let first = 0;
  for (const block of blocks) {
    const { place, scratch } = moveTo(session, block.memoryIndex);
    assertRange(block.centroidsOffset, block.leafCount * search.dims * 2, place.memory, 'centroids');
    const { scanCentroids } = place.wasm;
    scanCentroids(metricCodes[metric], search.dims, block.leafCount, block.centroidsOffset, scratch.query, first);
    first += block.leafCount;
  }
  const { numbers, distances } = finish(session);
  if (cosine) for (let i = 0; i < distances.length; i++) (distances[i] as number) += 1;
  return { ...leavesOf(numbers, blocks), distances };
}

function leavesOf(numbers: Uint32Array, blocks: readonly LeafBlock[]): Omit<NearestLeaves, 'distances'> {
  const found = new Uint32Array(numbers.length);
  const leaves = new Uint32Array(numbers.length);
  const starts: number[] = [];
  let end = 0;
  for (const { leafCount } of blocks) {
    starts.push(end);
    end += leafCount;
  }
  for (let i = 0; i < numbers.length; i++) {
    const block = blockOf(starts, numbers[i] as number);
    found[i] = block;
    leaves[i] = (numbers[i] as number) - (starts[block] as number);
  }
  return { blocks: found, leaves };
}

/** The last block that begins at or before the number, by bisection; it is never empty, for it holds the number. */
function blockOf(starts: readonly number[], number: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] as number) <= number) low = middle;
    else high = middle;
  }
  return low;
}

function unitQuery({ query, queryInverseNorm }: LeafSearch): Float32Array {
  const inverse = queryInverseNorm ?? inverseNorm(query);
  return query.map((value) => value * inverse);
}

function scoreFlat(session: Session, { place, scratch }: Binding, lists: ProbedLists): void {
  const { metric, dims } = session;
  const size = elementBytes(lists.element) * dims;
  eachPart(lists, place.memory, scratch, (list, row, rowCount, mask, maskBit) => {
    place.wasm.scanFlatList(
      metricCodes[metric],
      elementCodes[lists.element],
      dims,
      rowCount,
      at(lists.offsets, list) + row * size,
      lists.inverseNormOffsets === undefined ? 0 : at(lists.inverseNormOffsets, list) + row * 4,
      scratch.query,
      session.queryInverseNorm,
      mask,
      maskBit,
      lists.rowBase + at(lists.starts, list) + row,
    );
  });
}

function scoreCodes(
  session: Session,
  binding: Binding,
  lists: ProbedLists,
  code: Exclude<ListCode, { readonly codec: 'flat' }>,
): void {
  const { place, scratch } = binding;
  const { metric, dims } = session;
  if (binding.prepared?.code !== code) {
    binding.prepared = { code, query: prepare(session, binding, code) };
  }
  const { query } = binding.prepared;
  const blockBytes = codeBytes(code.codec, dims, 32);
  const width = code.codec === 'int8' ? int8Stride(dims) : pq4SubCount(dims);
  const scan = code.codec === 'int8' ? place.wasm.scanInt8List : place.wasm.scanPq4List;
  const withTerms = hasTerms(code.codec, metric);
  eachPart(lists, place.memory, scratch, (list, row, rowCount, mask, maskBit) => {
    const codes = at(lists.offsets, list);
    const terms = withTerms ? codes + codeBytes(code.codec, dims, at(lists.rowCounts, list)) + row * 4 : 0;
    scan(
      width,
      rowCount,
      codes + (row / 32) * blockBytes,
      terms,
      scratch.codeQuery,
      listBase(lists.leafDistances[list] as number, query),
      query.unit,
      mask,
      maskBit,
      lists.rowBase + at(lists.starts, list) + row,
      scratch.sums,
    );
  });
}

function prepare(
  { metric, dims, query, queryInverseNorm }: Session,
  { place, scratch }: Binding,
  code: Exclude<ListCode, { readonly codec: 'flat' }>,
): CodeQuery {
  const { buffer } = place.memory;
  if (code.codec === 'int8') {
    const target = new Int16Array(buffer, scratch.codeQuery, int8Stride(dims));
    return prepareInt8(metric, query, queryInverseNorm, code.scales, target);
  }
  const target = new Uint8Array(buffer, scratch.codeQuery, pq4SubCount(dims) * 16);
  return preparePq4(metric, query, queryInverseNorm, code.codebook, target);
}

type ScanPart = (list: number, row: number, rowCount: number, mask: number, maskBit: number) => void;

/** Whole lists without a mask; with one, parts of lists whose mask fits the scratch, beginning at multiples of 32 rows. */
function eachPart(lists: ProbedLists, memory: WebAssembly.Memory, scratch: ScorerScratch, scan: ScanPart): void {
  const { starts, rowCounts, positionMask } = lists;
  if (positionMask === undefined) {
    for (let list = 0; list < starts.length; list++) scan(list, 0, at(rowCounts, list), 0, 0);
    return;
  }
  const target = new Uint8Array(memory.buffer, scratch.mask, maskRowsMax / 8 + 1);
  for (let list = 0; list < starts.length; list++) {
    for (let row = 0; row < at(rowCounts, list); row += maskRowsMax) {
      const rowCount = Math.min(maskRowsMax, at(rowCounts, list) - row);
      const position = at(starts, list) + row;
      target.set(positionMask.subarray(position >>> 3, (position + rowCount + 7) >>> 3));
      scan(list, row, rowCount, scratch.mask, position & 7);
    }
  }
}

function distancesOf(rows: RowDistances, place: Place): Float32Array {
  assertRowDistances(rows, place.memory);
  const { metric, element, dims, query, offsets, inverseNorms } = rows;
  const scratch = layOutScratch(place, dims);
  const { buffer } = place.memory;
  const queryInverse = metric === 'cosine_distance' ? (rows.queryInverseNorm ?? inverseNorm(query)) : 0;
  const result = new Float32Array(offsets.length);
  writeQuery(place.memory, scratch.query, query);
  for (let first = 0; first < offsets.length; first += distancesMax) {
    const count = Math.min(distancesMax, offsets.length - first);
    new Uint32Array(buffer, scratch.rowOffsets, count).set(offsets.subarray(first, first + count));
    if (inverseNorms !== undefined) {
      new Float32Array(buffer, scratch.inverseNorms, count).set(inverseNorms.subarray(first, first + count));
    }
    place.wasm.distancesOf(
      metricCodes[metric],
      elementCodes[element],
      dims,
      count,
      scratch.rowOffsets,
      scratch.inverseNorms,
      scratch.query,
      queryInverse,
      scratch.distances,
    );
    result.set(new Float32Array(buffer, scratch.distances, count), first);
  }
  return result;
}

/** f32 as it is; i8 widened to i16, as the kernel multiplies it. */
function writeQuery(memory: WebAssembly.Memory, offset: number, query: Float32Array | Int8Array): void {
  const target =
    query instanceof Float32Array
      ? new Float32Array(memory.buffer, offset, query.length)
      : new Int16Array(memory.buffer, offset, query.length);
  target.set(query);
}

function readPairs(memory: WebAssembly.Memory, offset: number, count: number): ListCandidates {
  const words = new Uint32Array(memory.buffer, offset, count * 2);
  const floats = new Float32Array(memory.buffer, offset, count * 2);
  const numbers = new Uint32Array(count);
  const distances = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    numbers[i] = words[2 * i] as number;
    distances[i] = floats[2 * i + 1] as number;
  }
  return { numbers, distances };
}

function at(values: Uint32Array, index: number): number {
  return values[index] as number;
}
