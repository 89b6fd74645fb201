import { assert, invalidAt } from '@lagoon/base';
import { type Column, getBit, type NullBitmap, type ScalarType } from '@lagoon/format';
import { createExactSum, type ExactSum } from './exact-sum.ts';
import type { AggregatePlan } from './query-plan.ts';

/** One aggregate over all groups. */
export interface Accumulator {
  /** Adds rows of a block: `'rows'` where each counts, undefined where none has the attribute. */
  over(column: Column | 'rows' | undefined): (group: number, row: number) => void;
  /** Counts and sums of integers as bigint, sums of floats as number; 0 for a group without values. */
  valueOf(group: number): bigint | number;
}

export function createAccumulator({ kind, label, type }: AggregatePlan): Accumulator {
  if (kind === 'count') return createCount();
  assert(type?.kind === 'scalar', 'sums are of scalar attributes');
  return type.scalar === 'float' ? createFloatSum(label) : createIntegerSum(label, type.scalar);
}

function createCount(): Accumulator {
  const counts: number[] = [];
  return {
    over: (column) => {
      if (column === undefined) return () => {};
      return whereGiven(column === 'rows' ? undefined : column.nulls, (group) => {
        counts[group] = (counts[group] ?? 0) + 1;
      });
    },
    valueOf: (group) => BigInt(counts[group] ?? 0),
  };
}

/** Words of 32 bits are added up as floats, which is exact for 2²⁰ of them; then they go into the whole sum. */
const addedCountMax = 1 << 20;

function createIntegerSum(label: string, scalar: ScalarType): Accumulator {
  const totals: bigint[] = [];
  const lows: number[] = [];
  const highs: number[] = [];
  const addedCounts: number[] = [];
  const settle = (group: number): bigint => {
    const total = (totals[group] ?? 0n) + BigInt(lows[group] ?? 0) + (BigInt(highs[group] ?? 0) << 32n);
    totals[group] = total;
    lows[group] = 0;
    highs[group] = 0;
    addedCounts[group] = 0;
    return total;
  };
  return {
    over: (column) => {
      if (column === undefined || column === 'rows') return () => {};
      assert(column.kind === 'scalar' && 'values' in column, 'sums are of numbers');
      const { buffer, byteOffset, length } = column.values;
      const low = new Uint32Array(buffer, byteOffset, 2 * length);
      const high = scalar === 'uint' ? low : new Int32Array(buffer, byteOffset, 2 * length);
      return whereGiven(column.nulls, (group, row) => {
        lows[group] = (lows[group] ?? 0) + (low[2 * row] as number);
        highs[group] = (highs[group] ?? 0) + (high[2 * row + 1] as number);
        addedCounts[group] = (addedCounts[group] ?? 0) + 1;
        if (addedCounts[group] === addedCountMax) settle(group);
      });
    },
    valueOf: (group) => {
      const total = settle(group);
      if (total !== BigInt.asIntN(64, total) && total !== BigInt.asUintN(64, total)) throw tooLarge(label);
      return total;
    },
  };
}

function createFloatSum(label: string): Accumulator {
  const sums: ExactSum[] = [];
  return {
    over: (column) => {
      if (column === undefined || column === 'rows') return () => {};
      assert(column.kind === 'scalar' && column.scalar === 'float', 'a sum of floats is of floats');
      const { values } = column;
      return whereGiven(column.nulls, (group, row) => {
        let sum = sums[group];
        if (sum === undefined) {
          sum = createExactSum();
          sums[group] = sum;
        }
        sum.add(values[row] as number);
      });
    },
    valueOf: (group) => {
      const total = sums[group]?.value() ?? 0;
      if (!Number.isFinite(total)) throw tooLarge(label);
      return total;
    },
  };
}

function whereGiven(nulls: NullBitmap, add: (group: number, row: number) => void) {
  if (nulls === undefined) return add;
  return (group: number, row: number): void => {
    if (!getBit(nulls, row)) add(group, row);
  };
}

function tooLarge(label: string): Error {
  return invalidAt(`aggregate_by.${label}`, 'sum is too large for 64 bits');
}
