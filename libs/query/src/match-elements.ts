import type { ScalarColumn } from '@lagoon/format';
import type { Operand, RangeOperator } from './query-plan.ts';

/**
 * Predicates over the elements of a scalar column, read in place: 64-bit integers as two 32-bit words, for a BigInt would be an
 * object per row; strings, uuids and bytes by their bytes. A missing row reads as whatever its place holds: callers mask it.
 */
export type ElementMatcher = (index: number) => boolean;

/** Up to so many operands are compared one by one; more are looked up. */
const linearOperandCountMax = 4;

export function matchAny(column: ScalarColumn, operands: readonly Operand[]): ElementMatcher {
  switch (column.scalar) {
    case 'int':
    case 'datetime':
    case 'uint':
    case 'entry':
      return matchAnyWord(wordsOf(column.values), operands as readonly bigint[]);
    case 'float':
      return matchAnyNumber(column.values, operands as readonly number[]);
    case 'bool':
      return matchAnyNumber(column.values, operands as readonly number[]);
    default:
      return matchAnyBytes(column.bytes, boundsOf(column), operands as readonly Uint8Array[]);
  }
}

/** Whether the element is below (above, …) the operand. */
export function matchRange(column: ScalarColumn, operator: RangeOperator, operand: Operand): ElementMatcher {
  const compare = compareTo(column, operand);
  switch (operator) {
    case 'lt':
      return (index) => compare(index) < 0;
    case 'lte':
      return (index) => compare(index) <= 0;
    case 'gt':
      return (index) => compare(index) > 0;
    case 'gte':
      return (index) => compare(index) >= 0;
  }
}

function compareTo(column: ScalarColumn, operand: Operand): (index: number) => number {
  switch (column.scalar) {
    case 'int':
    case 'datetime':
      return compareSigned(column.values, operand as bigint);
    case 'uint':
    case 'entry':
      return compareUnsigned(column.values, operand as bigint);
    case 'float':
    case 'bool': {
      const { values } = column;
      const bound = operand as number;
      return (index) => (values[index] as number) - bound;
    }
    default:
      return compareBytesTo(column.bytes, boundsOf(column), operand as Uint8Array);
  }
}

function compareSigned(values: BigInt64Array, operand: bigint): (index: number) => number {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
  const high = Number(operand >> 32n);
  const low = Number(operand & 0xffffffffn);
  return (index) => {
    const difference = (words[2 * index + 1] as number) - high;
    return difference !== 0 ? difference : ((words[2 * index] as number) >>> 0) - low;
  };
}

function compareUnsigned(values: BigUint64Array, operand: bigint): (index: number) => number {
  const words = wordsOf(values);
  const high = Number(operand >> 32n);
  const low = Number(operand & 0xffffffffn);
  return (index) => {
    const difference = (words[2 * index + 1] as number) - high;
    return difference !== 0 ? difference : (words[2 * index] as number) - low;
  };
}

function wordsOf(values: BigInt64Array | BigUint64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

function matchAnyWord(words: Uint32Array, operands: readonly bigint[]): ElementMatcher {
  const lows = operands.map((operand) => Number(BigInt.asUintN(32, operand)));
  const highs = operands.map((operand) => Number(BigInt.asUintN(64, operand) >> 32n));
  const [low, high] = [lows[0], highs[0]];
  if (operands.length === 1) return (index) => words[2 * index] === low && words[2 * index + 1] === high;
  const highsByLow = new Map<number, number[]>();
  for (const [i, value] of lows.entries()) {
    const same = highsByLow.get(value);
    if (same === undefined) highsByLow.set(value, [highs[i] as number]);
    else same.push(highs[i] as number);
  }
  return (index) => highsByLow.get(words[2 * index] as number)?.includes(words[2 * index + 1] as number) ?? false;
}

function matchAnyNumber(values: Float64Array | Uint8Array, operands: readonly number[]): ElementMatcher {
  const [only] = operands;
  if (operands.length === 1) return (index) => values[index] === only;
  const set = new Set(operands); // −0 and 0 are one member, as in ===
  return (index) => set.has(values[index] as number);
}

/** Element `index` is bytes [starts[index], starts[index + 1]), or 16 bytes each where there are no starts. */
type Bounds = Uint32Array | undefined;

function boundsOf(column: Extract<ScalarColumn, { readonly bytes: Uint8Array }>): Bounds {
  return column.scalar === 'uuid' ? undefined : column.offsets;
}

function startOf(bounds: Bounds, index: number): number {
  return bounds === undefined ? 16 * index : (bounds[index] as number);
}

function matchAnyBytes(bytes: Uint8Array, bounds: Bounds, operands: readonly Uint8Array[]): ElementMatcher {
  if (operands.length > linearOperandCountMax) return matchBytesInTable(bytes, bounds, operands);
  return (index) => {
    const start = startOf(bounds, index);
    const end = startOf(bounds, index + 1);
    for (const operand of operands) if (equalRange(bytes, start, end, operand)) return true;
    return false;
  };
}

function matchBytesInTable(bytes: Uint8Array, bounds: Bounds, operands: readonly Uint8Array[]): ElementMatcher {
  const byHash = new Map<number, Uint8Array[]>();
  for (const operand of operands) {
    const hash = hashRange(operand, 0, operand.length);
    const same = byHash.get(hash);
    if (same === undefined) byHash.set(hash, [operand]);
    else same.push(operand);
  }
  return (index) => {
    const start = startOf(bounds, index);
    const end = startOf(bounds, index + 1);
    return byHash.get(hashRange(bytes, start, end))?.some((operand) => equalRange(bytes, start, end, operand)) ?? false;
  };
}

function equalRange(bytes: Uint8Array, start: number, end: number, operand: Uint8Array): boolean {
  if (end - start !== operand.length) return false;
  for (let i = 0; i < operand.length; i++) if (bytes[start + i] !== operand[i]) return false;
  return true;
}

/** FNV-1a, 32 bits. */
function hashRange(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash;
}

function compareBytesTo(bytes: Uint8Array, bounds: Bounds, operand: Uint8Array): (index: number) => number {
  return (index) => {
    const start = startOf(bounds, index);
    const length = startOf(bounds, index + 1) - start;
    const shared = Math.min(length, operand.length);
    for (let i = 0; i < shared; i++) {
      const difference = (bytes[start + i] as number) - (operand[i] as number);
      if (difference !== 0) return difference;
    }
    return length - operand.length;
  };
}
