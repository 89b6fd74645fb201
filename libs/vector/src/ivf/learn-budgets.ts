import { allLeaves, budgetKs, budgetRecalls } from './budgets.ts';
import { type BuildContext, type Piece, readRows, runTasks } from './build-context.ts';
import { type LearningQueries, learningStateWords, type RankTask, type TruthTask } from './build-tasks.ts';
import { listBase, prepareInt8, preparePq4 } from './code-query.ts';
import type { IvfBudgets, ListCode } from './contract.ts';
import type { EncodedLists } from './encode-lists.ts';
import { toHalves } from './half-float.ts';
import type { LeafLayout } from './lay-out-leaves.ts';
import { hasTerms, int8Stride, pq4SubCount } from './list-layout.ts';

/**
 * Budgets from rows that ask for their neighbours. First the true neighbours, then for each of them two ranks: that of its leaf among all leaves, and
 * its own among all rows by their codes. A neighbour is found by (leaves, candidates) if both ranks are below.
 */
export interface Learning {
  /** Offers a wave of rows, which are prepared as the queries are. */
  offerRows(wave: readonly Piece[]): Promise<void>;
  /** Called once, when all rows were offered and lists are laid out. */
  beginLists(layout: LeafLayout, code: ListCode): void;
  offerLists(lists: readonly EncodedLists[]): Promise<void>;
  finish(): IvfBudgets;
}

/** Neighbours that most queries ask for; every eighth asks for all that budgets are learned for. */
const neighbourCount = 1000;
const deepEvery = 8;
/** Candidates by code that are ranked; what lies behind them counts as lost. */
const rankedCount = (k: number) => 2 * k + 1000;
/** z of a one-sided 99 % bound. */
const confidence = 2.326;
const margin = 0.02;

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
  const truth = takeStates(context, queries, queryCount, depthOf);
  let ranked: Ranking | undefined;
  let layoutOf: LeafLayout | undefined;
  let leafRanks: Uint32Array = new Uint32Array(0);

  return {
    offerRows: async (wave) => {
      for (const piece of wave) {
        await runTasks(
          context,
          shareOut(queryCount, executor.threadCount).map(
            ({ from, to }): TruthTask => ({
              ...{ kind: 'truth', learning: truth, from, to },
              ...{ rows: piece.rows, rowCount: piece.rowCount, firstNumber: piece.first },
            }),
          ),
        );
      }
    },
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
    offerLists: async (lists) => {
      for (const part of lists) {
        await runTasks(
          context,
          shareOut(queryCount, executor.threadCount).map(
            ({ from, to }, thread): RankTask => ({
              ...(ranked as Ranking).task,
              ...{ from, to, sums: (ranked as Ranking).sums + thread * 64 },
              ...{ listCount: part.listCount, lists: part.lists, codes: part.codes, firstNumber: part.firstPosition },
            }),
          ),
        );
      }
    },
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
        const neighbours = finishQuery(context, truth, query).filter((row) => row !== self);
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

interface Asked {
  /** Per neighbour, nearest first. */
  readonly leafRanks: Uint32Array;
  readonly codeRanks: Uint32Array;
}

interface Ranking {
  readonly task: Omit<RankTask, 'from' | 'to' | 'sums' | 'listCount' | 'lists' | 'codes' | 'firstNumber'>;
  readonly sums: number;
}

const lost = 0xffffffff;

function shareOut(count: number, parts: number): readonly { readonly from: number; readonly to: number }[] {
  return Array.from({ length: Math.min(count, parts) }, (_, part) => ({
    from: Math.floor((part * count) / Math.min(count, parts)),
    to: Math.floor(((part + 1) * count) / Math.min(count, parts)),
  }));
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
  return places.map((place) => rankOf.get(place) ?? lost);
}

function leafByPosition({ leafEnds }: LeafLayout, rowCount: number): Uint32Array {
  const leaves = new Uint32Array(rowCount);
  leafEnds.forEach((end, leaf) => {
    leaves.fill(leaf, leaf === 0 ? 0 : leafEnds[leaf - 1], end);
  });
  return leaves;
}

function summarize(asked: readonly Asked[], leafCount: number, exact: boolean): IvfBudgets {
  const leaves: number[] = [];
  const candidates: number[] = [];
  for (const k of budgetKs) {
    const deep = asked.filter((_, query) => k <= neighbourCount || query % deepEvery === 0);
    const cut = deep.map((one) => ({
      leafRanks: one.leafRanks.subarray(0, k),
      codeRanks: one.codeRanks.subarray(0, k),
    }));
    for (const recall of budgetRecalls) {
      const needed = exact ? k : candidatesFor(cut, k, recall);
      candidates.push(needed);
      leaves.push(leavesFor(cut, needed, recall, leafCount));
    }
  }
  return {
    ks: budgetKs,
    recalls: budgetRecalls,
    leaves: Uint32Array.from(leaves),
    candidates: Uint32Array.from(candidates),
  };
}

/** Candidates that lose at most a tenth of what the recall may lose. */
function candidatesFor(asked: readonly Asked[], k: number, recall: number): number {
  const ranks = Uint32Array.from(asked.flatMap((one) => Array.from(one.codeRanks))).sort();
  if (ranks.length === 0) return k;
  const last = ranks[Math.min(ranks.length - 1, Math.ceil(ranks.length * (1 - (1 - recall) / 10)))] as number;
  const most = rankedCount(k + 1);
  return Math.max(k, Math.min(most, last + 1));
}

/** The fewest leaves whose recall is, with 99 % confidence, the target and a margin; else all that find anything. */
function leavesFor(asked: readonly Asked[], candidates: number, recall: number, leafCount: number): number {
  const target = recall + Math.min(margin, (1 - recall) / 2);
  const everything = meanRecall(asked, candidates, leafCount);
  let low = 0;
  let high = leafCount; // enough, or all
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const { lower, mean } = meanRecall(asked, candidates, middle);
    if (lower >= target || mean >= everything.mean) high = middle;
    else low = middle;
  }
  return high === leafCount ? allLeaves : high;
}

/** With one more query that found nothing: a bound from few queries that all found all is below 1. */
function meanRecall(asked: readonly Asked[], candidates: number, leaves: number): { mean: number; lower: number } {
  let sum = 0;
  let squares = 0;
  for (const { leafRanks, codeRanks } of asked) {
    let found = 0;
    for (let i = 0; i < leafRanks.length; i++) {
      if ((leafRanks[i] as number) < leaves && (codeRanks[i] as number) < candidates) found++;
    }
    const recall = leafRanks.length === 0 ? 1 : found / leafRanks.length;
    sum += recall;
    squares += recall * recall;
  }
  const count = asked.length + 1;
  const mean = sum / count;
  const deviation = Math.sqrt(Math.max(0, squares / count - mean * mean));
  return { mean, lower: mean - (confidence * deviation) / Math.sqrt(count) };
}
