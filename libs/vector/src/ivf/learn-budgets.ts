import { type Asked, deepEvery, lostRank, neighbourCount, rankedCount, summarize } from './budget-summary.ts';
import { budgetKs } from './budgets.ts';
import { type BuildContext, readRows, runTasks, type Wave } from './build-context.ts';
import { type LearningQueries, learningStateWords, type RankTask } from './build-tasks.ts';
import { listBase, prepareInt8, preparePq4 } from './code-query.ts';
import type { IvfBudgets, ListCode } from './contract.ts';
import type { EncodedLists } from './encode-lists.ts';
import { toHalves } from './half-float.ts';
import type { LeafLayout } from './lay-out-leaves.ts';
import { createTruth, shareOut } from './learn-truth.ts';
import { hasTerms, int8Stride, pq4SubCount } from './list-layout.ts';

/**
 * Budgets from rows that ask for their neighbours. First the true neighbours, then for each of them two ranks: that of its leaf among all leaves, and
 * its own among all rows by their codes. A neighbour is found by (leaves, candidates) if both ranks are below.
 */
export interface Learning {
  /** Offers a wave of rows, which are prepared as the queries are. */
  offerRows(wave: Wave): Promise<void>;
  /** Called once, when all rows were offered and lists are laid out. */
  beginLists(layout: LeafLayout, code: ListCode): void;
  offerLists(lists: EncodedLists): Promise<void>;
  finish(): IvfBudgets;
}

export function createLearning(context: BuildContext): Learning {
  const { memory, wasm, dims, rows, plan, options, executor, unit } = context;
  const { metric } = options;
  const { queryRows } = plan;
  const queryCount = queryRows.length;
  const queries = memory.take(queryCount * dims * 4);
  readRows(context, queryRows, queries);
  if (unit) wasm.normalizeRows(queries, queryCount, dims);
  // One more than asked for, as the query's row is among them.
  const depthOf = (query: number) =>
    Math.min(rows.rowCount, (query % deepEvery === 0 ? (budgetKs.at(-1) as number) : neighbourCount) + 1);
  const truth = createTruth(context, queries, queryCount, depthOf);
  let ranked: Ranking | undefined;
  let layoutOf: LeafLayout | undefined;
  let leafRanks: Uint32Array = new Uint32Array(0);

  return {
    offerRows: truth.offerRows,
    beginLists: (layout, code) => {
      layoutOf = layout;
      const distances = leafDistances(context, layout, queries, queryCount);
      leafRanks = ranksOf(distances, layout.leafEnds.length);
      if (code.codec !== 'flat') {
        const entries = takeStates(context, queries, queryCount, (q) =>
          Math.min(rows.rowCount, rankedCount(depthOf(q))),
        );
        ranked = prepareRanking(context, code, entries, distances, queryCount);
      }
    },
    offerLists: ({ listCount, lists, codes, firstPosition }) =>
      runTasks(
        context,
        shareOut(queryCount, executor.threadCount).map(
          ({ from, to }, thread): RankTask => ({
            ...(ranked as Ranking).task,
            ...{ from, to, sums: (ranked as Ranking).sums + thread * 64 },
            ...{ listCount, lists, codes, firstNumber: firstPosition },
          }),
        ),
      ),
    finish: () => {
      const layout = layoutOf as LeafLayout;
      const positions = new Uint32Array(rows.rowCount);
      layout.order.forEach((row, position) => {
        positions[row] = position;
      });
      const leafOf = leafByPosition(layout, rows.rowCount);
      const leafCount = layout.leafEnds.length;
      const asked = Array.from({ length: queryCount }, (_, query): Asked => {
        const self = queryRows[query] as number;
        const neighbours = truth.nearest(query).filter((row) => row !== self);
        const places = neighbours.map((row) => positions[row] as number);
        const leafRank = places.map((place) => leafRanks[query * leafCount + (leafOf[place] as number)] as number);
        if (ranked === undefined) return { leafRanks: leafRank, codeRanks: places.map((_, i) => i) };
        const order = finishQuery(context, ranked.task.learning, query);
        return { leafRanks: leafRank, codeRanks: codeRanksOf(places, order, positions[self] as number) };
      });
      return summarize(asked, leafCount, ranked === undefined);
    },
  };

  function takeStates(
    { memory: into }: BuildContext,
    at: number,
    count: number,
    keepOf: (query: number) => number,
  ): LearningQueries {
    const states = into.take(count * learningStateWords * 4);
    for (let query = 0; query < count; query++) {
      const keep = keepOf(query);
      const entryMax = 2 * keep + 64;
      const words = into.u32(states + query * learningStateWords * 4, learningStateWords);
      words.set([into.take(entryMax * 8), keep, entryMax, 0]);
      into.f32(states + query * learningStateWords * 4 + 16, 1)[0] = Number.POSITIVE_INFINITY;
    }
    return { metric, dims, queries: at, states };
  }
}

interface Ranking {
  readonly task: Omit<RankTask, 'from' | 'to' | 'sums' | 'listCount' | 'lists' | 'codes' | 'firstNumber'>;
  readonly sums: number;
}

/** f32 per query and leaf, in the metric's units, from the centroids as they are stored. */
function leafDistances(
  { memory, wasm, dims, options, unit }: BuildContext,
  { centroids, leafEnds }: LeafLayout,
  queries: number,
  queryCount: number,
): Float32Array {
  const leafCount = leafEnds.length;
  const mark = memory.mark();
  const halves = memory.take(leafCount * dims * 2);
  new Uint16Array(memory.memory.buffer, halves, leafCount * dims).set(toHalves(centroids));
  const out = memory.take(leafCount * 4);
  const all = new Float32Array(queryCount * leafCount);
  const metric = options.metric === 'euclidean_squared' ? 1 : 0;
  for (let query = 0; query < queryCount; query++) {
    wasm.distances(metric, 2, dims, leafCount, halves, 0, queries + query * dims * 4, 0, out);
    const distances = memory.f32(out, leafCount);
    for (let leaf = 0; leaf < leafCount; leaf++) {
      all[query * leafCount + leaf] = (distances[leaf] as number) + (unit ? 1 : 0);
    }
  }
  memory.release(mark);
  return all;
}

function ranksOf(distances: Float32Array, leafCount: number): Uint32Array {
  const ranks = new Uint32Array(distances.length);
  for (let first = 0; first < distances.length; first += leafCount) {
    const order = Uint32Array.from({ length: leafCount }, (_, leaf) => leaf);
    order.sort((a, b) => (distances[first + a] as number) - (distances[first + b] as number) || a - b);
    order.forEach((leaf, rank) => {
      ranks[first + leaf] = rank;
    });
  }
  return ranks;
}

function prepareRanking(
  { memory, dims, options, executor }: BuildContext,
  code: Exclude<ListCode, { readonly codec: 'flat' }>,
  learning: LearningQueries,
  distances: Float32Array,
  queryCount: number,
): Ranking {
  const { metric } = options;
  const codeQueryBytes = code.codec === 'int8' ? int8Stride(dims) * 2 : pq4SubCount(dims) * 16;
  const codeQueries = memory.take(queryCount * codeQueryBytes);
  const units = memory.take(queryCount * 4);
  const bases = memory.take(distances.length * 4);
  const leafCount = distances.length / queryCount;
  const baseView = memory.f32(bases, distances.length);
  for (let query = 0; query < queryCount; query++) {
    const values = memory.f32(learning.queries + query * dims * 4, dims);
    const at = codeQueries + query * codeQueryBytes;
    const prepared =
      code.codec === 'int8'
        ? prepareInt8(metric, values, 1, code.scales, new Int16Array(memory.memory.buffer, at, codeQueryBytes / 2))
        : preparePq4(metric, values, 1, code.codebook, memory.u8(at, codeQueryBytes));
    memory.f32(units + query * 4, 1)[0] = prepared.unit;
    for (let i = query * leafCount; i < (query + 1) * leafCount; i++) {
      baseView[i] = listBase(distances[i] as number, prepared);
    }
  }
  const sums = memory.take(executor.threadCount * 64);
  const withTerms = hasTerms(code.codec, metric);
  const task = { learning, codec: code.codec, withTerms, leafCount, bases, units, codeQueries, codeQueryBytes };
  return { task: { kind: 'rank', ...task }, sums };
}

/** Numbers that a query has selected, nearest first. */
function finishQuery({ memory, wasm }: BuildContext, { states }: LearningQueries, query: number): Uint32Array {
  const at = states + query * learningStateWords * 4;
  const [entries, keep, entryMax, count] = memory.u32(at, 4) as unknown as readonly [number, number, number, number];
  wasm.selectBegin(entries, keep, entryMax, count, memory.f32(at + 16, 1)[0] as number);
  const found = wasm.selectFinish();
  return memory.u32(entries, found * 2).filter((_, i) => i % 2 === 0);
}

function codeRanksOf(places: Uint32Array, order: Uint32Array, self: number): Uint32Array {
  const rankOf = new Map<number, number>();
  for (const position of order) if (position !== self) rankOf.set(position, rankOf.size);
  return places.map((place) => rankOf.get(place) ?? lostRank);
}

function leafByPosition({ leafEnds }: LeafLayout, rowCount: number): Uint32Array {
  const leaves = new Uint32Array(rowCount);
  leafEnds.forEach((end, leaf) => {
    leaves.fill(leaf, leaf === 0 ? 0 : leafEnds[leaf - 1], end);
  });
  return leaves;
}
