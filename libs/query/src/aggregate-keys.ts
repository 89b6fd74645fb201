import { assert, compareBytes, utf8Decode } from '@lagoon/base';
import {
  type AttributeValue,
  type Column,
  formatUuid,
  getBit,
  type ScalarColumn,
  type ScalarType,
} from '@lagoon/format';

/** Values of one key, numbered as they are met, over all blocks. 0 is the missing value. */
export interface KeyDictionary {
  /**
   * Codes of a block's rows: of a scalar exactly one, of an array one per distinct element. The list is the next call's, too.
   * `undefined`: no row of the block has the attribute.
   */
  over(column: Column | undefined): (row: number) => readonly number[];
  valueOf(code: number): AttributeValue;
  /** Missing first, numbers by value, the others by their bytes. */
  compare(a: number, b: number): number;
}

type KeyValue = number | bigint | Uint8Array;

const missing: readonly number[] = [0];

export function createKeyDictionary(scalar: ScalarType): KeyDictionary {
  const values: (KeyValue | undefined)[] = [undefined];
  const codeOfNumber = new Map<number | bigint, number>();
  const codeOfBytes = createBytesTable(values);

  const numbered = (value: number | bigint): number => {
    const known = codeOfNumber.get(value);
    if (known !== undefined) return known;
    codeOfNumber.set(value, values.length);
    values.push(value);
    return values.length - 1;
  };
  const codes = (column: ScalarColumn): ((index: number) => number) => {
    switch (column.scalar) {
      case 'int':
      case 'datetime':
      case 'uint':
      case 'entry': {
        const numbers = column.values;
        return (index) => numbered(numbers[index] as bigint);
      }
      case 'float': // −0 is 0: a Map takes them for one
      case 'bool': {
        const numbers = column.values;
        return (index) => numbered((numbers[index] as number) + 0);
      }
      case 'uuid':
        return (index) => codeOfBytes(column.bytes, 16 * index, 16 * index + 16);
      case 'string':
      case 'bytes':
        return (index) =>
          codeOfBytes(column.bytes, column.offsets[index] as number, column.offsets[index + 1] as number);
    }
  };
  return {
    over: (column) => {
      if (column === undefined) return () => missing;
      assert(column.kind !== 'vector', 'rows are not grouped by vectors');
      const { nulls } = column;
      const isMissing = (row: number) => nulls !== undefined && getBit(nulls, row);
      if (column.kind === 'scalar') {
        const codeOf = codes(column);
        const one = [0];
        return (row) => {
          one[0] = isMissing(row) ? 0 : codeOf(row);
          return one;
        };
      }
      const codeOf = codes(column.elements);
      const distinct = new Set<number>();
      return (row) => {
        if (isMissing(row)) return missing;
        distinct.clear();
        const end = column.rowOffsets[row + 1] as number;
        for (let i = column.rowOffsets[row] as number; i < end; i++) distinct.add(codeOf(i));
        return [...distinct];
      };
    },
    valueOf: (code) => toValue(scalar, values[code]),
    compare: (a, b) => compareKeyValues(values[a], values[b]),
  };
}

function compareKeyValues(a: KeyValue | undefined, b: KeyValue | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function toValue(scalar: ScalarType, value: KeyValue | undefined): AttributeValue {
  if (value === undefined) return null;
  if (scalar === 'bool') return value === 1;
  if (!(value instanceof Uint8Array)) return value;
  if (scalar === 'uuid') return formatUuid(value);
  return scalar === 'string' ? utf8Decode(value) : value;
}

/** Codes of byte strings by their content: an open hash table over copies, so that no string is made per row. */
function createBytesTable(values: (KeyValue | undefined)[]): (bytes: Uint8Array, from: number, to: number) => number {
  let slots = new Uint32Array(1024);
  let used = 0;
  const isAt = (code: number, bytes: Uint8Array, from: number, to: number): boolean => {
    const known = values[code] as Uint8Array;
    if (known.length !== to - from) return false;
    for (let i = 0; i < known.length; i++) if (known[i] !== bytes[from + i]) return false;
    return true;
  };
  const grow = (): void => {
    const old = slots;
    slots = new Uint32Array(old.length * 2);
    for (const code of old) {
      if (code === 0) continue;
      const known = values[code] as Uint8Array;
      let slot = hashBytes(known, 0, known.length) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = code;
    }
  };
  return (bytes, from, to) => {
    let slot = hashBytes(bytes, from, to) & (slots.length - 1);
    for (let code = slots[slot] as number; code !== 0; code = slots[slot] as number) {
      if (isAt(code, bytes, from, to)) return code;
      slot = (slot + 1) & (slots.length - 1);
    }
    slots[slot] = values.length;
    values.push(bytes.slice(from, to));
    if (++used * 2 > slots.length) grow();
    return values.length - 1;
  };
}

/** FNV-1a. */
function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
