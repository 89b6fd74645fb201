import { blockRowCount } from './block-row-count.ts';
import { firstInBlock, gainOfRow, type ListCursor, moveToWindow } from './list-cursor.ts';

/**
 * Block-max MaxScore (Turtle and Flood 1995; Ding and Suel 2011) over windows of rows, as bulk scoring in Lucene does it.
 *
 * In a window each term is bounded by its best block. Terms whose bounds together stay below what a row must score are not
 * essential: a row that holds only such terms is never looked at. The others are added up row by row; a row that may still
 * reach the score is completed by looking up the rest, best first, until it is out of reach.
 *
 * Sums here are taken in no fixed order, so they only decide what is left out, and with an allowance for rounding. What may
 * enter is offered, and the sink computes its exact score.
 */
export interface RowSink {
  /** Rows that score below it cannot enter; above 0. Grows with what is offered. */
  readonly scoreMin: number;
  /** Of the rows that are offered no more than that many can stay. */
  readonly rowCountMax: number;
  /** Whether, of one cursor, weight · gain is the score to the last bit: nothing is allowed for rounding then. */
  readonly isExact: boolean;
  /** Rows come in ascending order. */
  offer(row: number): void;
  /** The same of a row whose exact score is known. */
  offerScored(row: number, score: number): void;
}

export interface MaxScore {
  /**
   * Offers every row of `rowCount` whose sum of weight · gain over the cursors may reach the sink's `scoreMin`; weights are
   * above 0. `admitted`: bitmap of rows that may be offered, undefined for all. Returns how many rows were scored.
   */
  collect(cursors: readonly ListCursor[], rowCount: number, admitted: Uint8Array | undefined, sink: RowSink): number;
}

/** Rows of a window: its sums fit a first-level cache. */
const windowRowCount = 4_096;

/** Sums of at most a thousand terms in another order differ by less, relatively. */
const roundingAllowance = 1 - 1e-9;

/** Cost of looking a row up in a list, in postings that are added instead. */
const lookUpCost = 8;

export function createMaxScore(): MaxScore {
  const sums = new Float64Array(windowRowCount);
  const touched = new Uint32Array(windowRowCount / 32);
  let scoredRowCount = 0;

  /** Looks up the cursors [0, count), best first; offers the row unless it falls out of reach. */
  const complete = (window: Window, row: number, sum: number, count: number): void => {
    const { cursors, bounds, sink } = window;
    const needed = scoreNeeded(window);
    let score = sum;
    for (let i = count - 1; i >= 0; i--) {
      if (score + (bounds[i + 1] as number) < needed) return;
      const cursor = cursors[i] as ListCursor;
      score += cursor.weight * gainOfRow(cursor, row);
    }
    if (score >= needed) sink.offer(row);
  };

  /** One term, all rows admitted: nothing but its blocks. */
  const scanList = ({ list, weight }: ListCursor, { sink, allowance, floor }: Window): void => {
    const { rows, gains, blockGains } = list;
    let needed = Math.max(sink.scoreMin, floor) * allowance;
    for (let block = 0; block < blockGains.length; block++) {
      if (weight * (blockGains[block] as number) < needed) continue;
      if (list.loaded[block] === 0) list.load(block);
      const from = block * blockRowCount;
      const end = Math.min(from + blockRowCount, list.count);
      scoredRowCount += end - from;
      for (let i = from; i < end; i++) {
        const score = weight * (gains[i] as number);
        if (score < needed) continue;
        if (sink.isExact) sink.offerScored(rows[i] as number, score);
        else sink.offer(rows[i] as number);
        needed = Math.max(sink.scoreMin, floor) * allowance;
      }
    }
  };

  /** One essential term: its postings are the candidates; blocks that cannot reach the score are not loaded. */
  const scanOne = (window: Window, from: number, to: number): void => {
    const { cursors, bounds, admitted } = window;
    const rest = cursors.length - 1;
    const { list, weight, windowBlock } = cursors[rest] as ListCursor;
    const { rows, gains, lastRows } = list;
    const others = bounds[rest] as number;
    for (let block = windowBlock; block < lastRows.length; block++) {
      if (block > windowBlock && (lastRows[block - 1] as number) + 1 >= to) return;
      let needed = scoreNeeded(window) - others;
      if (weight * (list.blockGains[block] as number) < needed) continue;
      if (list.loaded[block] === 0) list.load(block);
      const end = Math.min((block + 1) * blockRowCount, list.count);
      for (let i = firstInBlock(list, block, from); i < end; i++) {
        const row = rows[i] as number;
        if (row >= to) return;
        scoredRowCount++;
        const score = weight * (gains[i] as number);
        if (score < needed || !isAdmitted(admitted, row)) continue;
        complete(window, row, score, rest);
        needed = scoreNeeded(window) - others;
      }
    }
  };

  const addUp = ({ list, weight, windowBlock }: ListCursor, from: number, to: number): void => {
    const { rows, gains, lastRows } = list;
    for (let block = windowBlock; block < lastRows.length; block++) {
      if (block > windowBlock && (lastRows[block - 1] as number) + 1 >= to) return;
      if (list.loaded[block] === 0) list.load(block);
      const end = Math.min((block + 1) * blockRowCount, list.count);
      for (let i = firstInBlock(list, block, from); i < end; i++) {
        const row = rows[i] as number;
        if (row >= to) return;
        const at = row - from;
        sums[at] = (sums[at] as number) + weight * (gains[i] as number);
        touched[at >>> 5] = (touched[at >>> 5] as number) | (1 << (at & 31));
      }
    }
  };

  const scanSeveral = (window: Window, essential: number, from: number, to: number): void => {
    const { cursors, bounds, admitted } = window;
    for (let i = essential; i < cursors.length; i++) addUp(cursors[i] as ListCursor, from, to);
    const others = bounds[essential] as number;
    let needed = scoreNeeded(window) - others;
    for (let word = 0; word < (to - from + 31) >>> 5; word++) {
      let bits = touched[word] as number;
      if (bits === 0) continue;
      touched[word] = 0;
      while (bits !== 0) {
        const at = (word << 5) + 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        const sum = sums[at] as number;
        sums[at] = 0;
        scoredRowCount++;
        if (sum < needed || !isAdmitted(admitted, from + at)) continue;
        complete(window, from + at, sum, essential);
        needed = scoreNeeded(window) - others;
      }
    }
  };

  /** Few rows are admitted: they are looked up instead. */
  const lookUpAdmitted = (window: Window, admitted: Uint8Array, from: number, to: number): void => {
    for (let at = from >>> 3; at < (to + 7) >>> 3; at++) {
      const byte = admitted[at] as number;
      for (let bit = 0; byte >>> bit !== 0; bit++) {
        const row = 8 * at + bit;
        if (((byte >>> bit) & 1) === 0 || row >= to) continue;
        scoredRowCount++;
        complete(window, row, 0, window.cursors.length);
      }
    }
  };

  const scanWindow = (window: Window, from: number, to: number): void => {
    const { cursors, bounds, admitted } = window;
    for (const cursor of cursors) moveToWindow(cursor, from, to);
    sortByBound(cursors);
    for (let i = 0; i < cursors.length; i++) {
      bounds[i + 1] = (bounds[i] as number) + (cursors[i] as ListCursor).windowBound;
    }
    const essential = firstAbove(bounds, scoreNeeded(window));
    if (essential === cursors.length) return;
    if (admitted !== undefined) {
      const admittedCount = countAdmitted(admitted, from, to);
      if (admittedCount === 0) return;
      const postingCount = countPostings(cursors, essential, to);
      if (admittedCount * cursors.length * lookUpCost < postingCount) {
        lookUpAdmitted(window, admitted, from, to);
        return;
      }
    }
    if (essential === cursors.length - 1) scanOne(window, from, to);
    else scanSeveral(window, essential, from, to);
  };

  return {
    collect: (cursors, rowCount, admitted, sink) => {
      scoredRowCount = 0;
      const allowance = sink.isExact && cursors.length === 1 ? 1 : roundingAllowance;
      const bounds = new Float64Array(cursors.length + 1);
      const floor = admitted === undefined ? scoreFloor(cursors, sink.rowCountMax) : 0;
      const window = { cursors: [...cursors], bounds, admitted, sink, allowance, floor };
      const [only] = cursors;
      if (only !== undefined && cursors.length === 1 && admitted === undefined) {
        scanList(only, window);
        return scoredRowCount;
      }
      for (let from = 0; from < rowCount && cursors.length > 0; from += windowRowCount) {
        scanWindow(window, from, Math.min(from + windowRowCount, rowCount));
      }
      return scoredRowCount;
    },
  };
}

interface Window {
  /** By ascending bound in the window. */
  readonly cursors: ListCursor[];
  /** bounds[i]: what the cursors [0, i) can add together. */
  readonly bounds: Float64Array;
  readonly admitted: Uint8Array | undefined;
  readonly sink: RowSink;
  readonly allowance: number;
  /** Rows that score less are not among the best, whatever the sink has yet. */
  readonly floor: number;
}

/** Rows whose sum is below it cannot enter. */
function scoreNeeded({ sink, allowance, floor }: Window): number {
  const { scoreMin } = sink;
  return (scoreMin > floor ? scoreMin : floor) * allowance;
}

/**
 * Every block has a row that scores as much as its best one by one term alone: of any term that many rows reach the block that
 * is number `rowCount` among its best. Holds only where all rows are admitted.
 */
function scoreFloor(cursors: readonly ListCursor[], rowCount: number): number {
  let floor = 0;
  for (const { list, weight } of cursors) floor = Math.max(floor, weight * list.rankedGain(rowCount));
  return floor;
}

/** By insertion: the order hardly changes from window to window. */
function sortByBound(cursors: ListCursor[]): void {
  for (let i = 1; i < cursors.length; i++) {
    const cursor = cursors[i] as ListCursor;
    let at = i;
    while (at > 0 && (cursors[at - 1] as ListCursor).windowBound > cursor.windowBound) {
      cursors[at] = cursors[at - 1] as ListCursor;
      at--;
    }
    cursors[at] = cursor;
  }
}

/** How many cursors together stay below the score. */
function firstAbove(bounds: Float64Array, score: number): number {
  let count = 0;
  while (count + 1 < bounds.length && (bounds[count + 1] as number) < score) count++;
  return count;
}

function isAdmitted(admitted: Uint8Array | undefined, row: number): boolean {
  return admitted === undefined || (((admitted[row >>> 3] as number) >>> (row & 7)) & 1) === 1;
}

function countAdmitted(admitted: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = from >>> 3; at < (to + 7) >>> 3; at++) {
    let byte = admitted[at] as number;
    byte -= (byte >>> 1) & 0x55;
    byte = (byte & 0x33) + ((byte >>> 2) & 0x33);
    count += (byte + (byte >>> 4)) & 0x0f;
  }
  return count;
}

/** About how many postings the cursors from `first` have in the window. */
function countPostings(cursors: readonly ListCursor[], first: number, to: number): number {
  let count = 0;
  for (let i = first; i < cursors.length; i++) {
    const { list, windowBlock } = cursors[i] as ListCursor;
    let block = windowBlock;
    while (block < list.lastRows.length && (list.lastRows[block] as number) < to) block++;
    count += Math.min(list.count, (block + 1 - windowBlock) * blockRowCount);
  }
  return count;
}
