import { assert } from '@lagoon/base';
import { inverseNorm } from '../inverse-norm.ts';
import { scalarDistance, scalarRows } from '../scalar-kernels.ts';
import { type CodeQuery, listBase, prepareInt8, preparePq4 } from './code-query.ts';
import type { ListCandidates, ListScorer, ListSearch, ProbedLists } from './contract.ts';
import { assertLeafSearch, assertListSearch, assertProbedLists, assertRowDistances } from './list-bounds.ts';
import { codeBytes, hasTerms, int8Stride, pq4BlockRows, pq4SubCount } from './list-layout.ts';

/** The scorer in plain TypeScript, with bit-equal results: the oracle of the compiled one, written for clarity. */
export function createScalarListScorer(memoryAt: (memoryIndex: number) => WebAssembly.Memory): ListScorer {
  let search: ListSearch | undefined;
  let found: Candidate[] = [];
  return {
    nearestLeaves: (asked, blocks) => {
      assertLeafSearch(asked);
      const { metric, dims, leavesMax } = asked;
      const cosine = metric === 'cosine_distance';
      const inverse = cosine ? (asked.queryInverseNorm ?? inverseNorm(asked.query)) : 1;
      const query = asked.query.map((value) => value * inverse);
      const leaves = blocks.flatMap((block, blockIndex) => {
        const rows = scalarRows(memoryAt(block.memoryIndex), 'f16', block.centroidsOffset, block.leafCount * dims);
        return Array.from({ length: block.leafCount }, (_, leaf) => {
          const centroid = rows.subarray(leaf * dims, (leaf + 1) * dims);
          const distance = scalarDistance(cosine ? 'dot_product' : metric, centroid, query, 0, 0);
          return { block: blockIndex, leaf, distance };
        });
      });
      leaves.sort((a, b) => ascending(a.distance, b.distance) || a.block - b.block || a.leaf - b.leaf);
      const nearest = leaves.slice(0, leavesMax);
      return {
        blocks: Uint32Array.from(nearest, ({ block }) => block),
        leaves: Uint32Array.from(nearest, ({ leaf }) => leaf),
        distances: Float32Array.from(nearest, ({ distance }) => distance + (cosine ? 1 : 0)),
      };
    },
    begin: (begun) => {
      assertListSearch(begun);
      search = begun;
      found = [];
    },
    score: (lists) => {
      assert(search !== undefined, 'a search is under way');
      assertProbedLists(lists, search, memoryAt(lists.memoryIndex));
      for (let list = 0; list < lists.starts.length; list++) {
        found.push(...scoreList(search, lists, list, memoryAt(lists.memoryIndex)));
      }
    },
    finish: () => {
      assert(search !== undefined, 'a search is under way');
      const best = bestOf(found, search);
      search = undefined;
      return best;
    },
    distancesOf: (rows) => {
      const memory = memoryAt(rows.memoryIndex);
      assertRowDistances(rows, memory);
      const { metric, element, dims, query, offsets, inverseNorms } = rows;
      const queryInverse = metric === 'cosine_distance' ? (rows.queryInverseNorm ?? inverseNorm(query)) : 0;
      return Float32Array.from(offsets, (offset, i) =>
        scalarDistance(metric, scalarRows(memory, element, offset, dims), query, inverseNorms?.[i] ?? 0, queryInverse),
      );
    },
  };
}

interface Candidate {
  readonly number: number;
  readonly distance: number;
}

function bestOf(found: readonly Candidate[], { candidatesMax, distanceBound }: ListSearch): ListCandidates {
  const kept = found.filter(({ distance }) => {
    assert(!Number.isNaN(distance), 'no distance is NaN');
    return distance <= (distanceBound ?? Number.POSITIVE_INFINITY);
  });
  kept.sort((a, b) => ascending(a.distance, b.distance) || a.number - b.number);
  const best = kept.slice(0, candidatesMax);
  return {
    numbers: Uint32Array.from(best, ({ number }) => number),
    distances: Float32Array.from(best, ({ distance }) => distance),
  };
}

function scoreList(search: ListSearch, lists: ProbedLists, list: number, memory: WebAssembly.Memory): Candidate[] {
  const start = at(lists.starts, list);
  const distanceAt = rowDistances(search, lists, list, memory);
  const scored: Candidate[] = [];
  for (let row = 0; row < at(lists.rowCounts, list); row++) {
    if (!admits(lists.positionMask, start + row)) continue;
    scored.push({ number: lists.rowBase + start + row, distance: distanceAt(row) });
  }
  return scored;
}

/** Distance by row of a list. */
function rowDistances(
  search: ListSearch,
  lists: ProbedLists,
  list: number,
  memory: WebAssembly.Memory,
): (row: number) => number {
  const { metric, dims, query } = search;
  const queryInverse = metric === 'cosine_distance' ? (search.queryInverseNorm ?? inverseNorm(query)) : 0;
  const { code } = lists;
  const offset = at(lists.offsets, list);
  if (code.codec === 'flat') return flatDistances(search, lists, list, memory, queryInverse);
  const { sumAt, prepared } =
    code.codec === 'int8'
      ? int8Sums(search, query, queryInverse, code.scales, memory, offset)
      : pq4Sums(search, query, queryInverse, code.codebook, memory, offset);
  const base = Math.fround(listBase(lists.leafDistances[list] as number, prepared));
  const rowCount = at(lists.rowCounts, list);
  const termsAt = offset + codeBytes(code.codec, dims, rowCount);
  const terms = hasTerms(code.codec, metric) ? scalarRows(memory, 'f32', termsAt, rowCount) : undefined;
  const unit = Math.fround(prepared.unit);
  return (row) => {
    const distance = Math.fround(base + Math.fround(Math.fround(sumAt(row)) * unit));
    return terms === undefined ? distance : Math.fround(distance + (terms[row] as number));
  };
}

function flatDistances(
  { metric, dims, query }: ListSearch,
  lists: ProbedLists,
  list: number,
  memory: WebAssembly.Memory,
  queryInverse: number,
): (row: number) => number {
  const rowCount = at(lists.rowCounts, list);
  const rows = scalarRows(memory, lists.element, at(lists.offsets, list), rowCount * dims);
  const norms =
    lists.inverseNormOffsets === undefined
      ? undefined
      : scalarRows(memory, 'f32', at(lists.inverseNormOffsets, list), rowCount);
  return (row) =>
    scalarDistance(metric, rows.subarray(row * dims, (row + 1) * dims), query, norms?.[row] ?? 0, queryInverse);
}

interface Sums {
  readonly sumAt: (row: number) => number;
  readonly prepared: CodeQuery;
}

function int8Sums(
  { metric, dims }: ListSearch,
  query: Float32Array | Int8Array,
  queryInverse: number,
  scales: Float32Array,
  memory: WebAssembly.Memory,
  offset: number,
): Sums {
  const stride = int8Stride(dims);
  const target = new Int16Array(stride);
  const prepared = prepareInt8(metric, query, queryInverse, scales, target);
  const sumAt = (row: number) => {
    const codes = new Int8Array(memory.buffer, offset + row * stride, stride);
    return codes.reduce((sum, code, j) => sum + code * (target[j] as number), 0);
  };
  return { sumAt, prepared };
}

function pq4Sums(
  { metric, dims }: ListSearch,
  query: Float32Array | Int8Array,
  queryInverse: number,
  codebook: Float32Array,
  memory: WebAssembly.Memory,
  offset: number,
): Sums {
  const subCount = pq4SubCount(dims);
  const table = new Uint8Array(subCount * 16);
  const prepared = preparePq4(metric, query, queryInverse, codebook, table);
  const sumAt = (row: number) => {
    const inBlock = row % pq4BlockRows;
    const block = offset + Math.floor(row / pq4BlockRows) * subCount * 16;
    const bytes = new Uint8Array(memory.buffer, block, subCount * 16);
    let sum = 0;
    for (let sub = 0; sub < subCount; sub++) {
      const pair = bytes[sub * 16 + (inBlock % 16)] as number;
      sum += table[sub * 16 + (inBlock < 16 ? pair & 15 : pair >> 4)] as number;
    }
    return sum;
  };
  return { sumAt, prepared };
}

function admits(mask: Uint8Array | undefined, position: number): boolean {
  return mask === undefined || (((mask[position >> 3] as number) >> (position & 7)) & 1) === 1;
}

/** Not a subtraction: two infinite distances are equal. */
function ascending(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function at(values: Uint32Array, index: number): number {
  return values[index] as number;
}
