import { type BuildContext, runTasks, type Wave } from './build-context.ts';
import { padTo8, type TruthTask } from './build-tasks.ts';

/** The true nearest rows of some queries, found while all rows pass through memory. */
export interface Truth {
  offerRows(wave: Wave): Promise<void>;
  /** Numbers of the nearest rows, nearest first. Once per query, after all rows. */
  nearest(query: number): Uint32Array;
}

const stateBytes = 16;

/** `queries` are prepared as rows are (unit length); `keepOf` says how many each one keeps. */
export function createTruth(
  context: BuildContext,
  queries: number,
  queryCount: number,
  keepOf: (query: number) => number,
): Truth {
  const { memory, wasm, executor } = context;
  const states = memory.take(queryCount * stateBytes);
  for (let query = 0; query < queryCount; query++) {
    const keep = keepOf(query);
    const entryMax = 2 * keep + 64;
    memory.u32(states + query * stateBytes, 4).set([memory.take(entryMax * 8), keep, entryMax, 0]);
  }
  const parts = shareOut(queryCount, executor.threadCount).map(({ from, to }) =>
    packQueries(context, queries, states, from, to),
  );
  return {
    offerRows: ({ rows, rowCount, first }) =>
      runTasks(
        context,
        parts.map((part) => ({ ...part, rows, rowCount, firstNumber: first })),
      ),
    nearest: (query) => {
      const at = states + query * stateBytes;
      const [entries, keep, entryMax, count] = memory.u32(at, 4) as unknown as [number, number, number, number];
      wasm.selectBegin(entries, keep, entryMax, count, Number.POSITIVE_INFINITY);
      const found = wasm.selectFinish();
      return memory.u32(entries, found * 2).filter((_, i) => i % 2 === 0);
    },
  };
}

function packQueries(
  { memory, wasm, dims, options }: BuildContext,
  queries: number,
  states: number,
  from: number,
  to: number,
): Omit<TruthTask, 'rows' | 'rowCount' | 'firstNumber'> {
  const queryCount = to - from;
  const padded = padTo8(queryCount);
  const panels = memory.take(padded * dims * 4);
  const zeros = memory.take(padded * 4);
  const worsts = memory.take(padded * 4);
  wasm.packPanels(queries + from * dims * 4, queryCount, dims, panels);
  wasm.packBiases(queries + from * dims * 4, queryCount, dims, 1, zeros);
  memory.f32(worsts, padded).fill(Number.POSITIVE_INFINITY).fill(Number.NEGATIVE_INFINITY, 0, queryCount);
  return {
    ...{ kind: 'truth', dims, queryCount, queries: panels, zeros, worsts },
    squares: options.metric === 'euclidean_squared',
    states: states + from * stateBytes,
    scores: memory.take(padded * 16),
  };
}

/** Stretches of about equal length. */
export function shareOut(count: number, partMax: number): readonly { readonly from: number; readonly to: number }[] {
  const parts = Math.min(count, partMax);
  return Array.from({ length: parts }, (_, part) => ({
    from: Math.floor((part * count) / parts),
    to: Math.floor(((part + 1) * count) / parts),
  }));
}
