import {
  type AttributeRange,
  type AttributeType,
  attributeRangeCountMax,
  type Column,
  countBits,
  type Schema,
} from '@lagoon/format';
import { forEachValue } from './build-attribute-index.ts';

/** Bytes of a bound that are kept where all of them are not needed. */
const boundBytesMax = 32;

/** Between which values those of a segment's attributes lie; rows come in pieces. */
export interface RangesBuilder {
  /** The next rows of an attribute; one that is not filterable is passed over. */
  add(name: string, column: Column, rowCount: number): void;
  /** Of the schema's filterable attributes, in its order; those that no row has are there too. */
  finish(rowCount: number): readonly AttributeRange[];
}

export function createRangesBuilder(schema: Schema): RangesBuilder {
  const bounds = new Map<string, Bounds>();
  for (const [name, { type, filterable }] of schema.attributes) {
    if (!filterable || type.kind === 'vector') continue;
    if (bounds.size >= attributeRangeCountMax) break;
    bounds.set(name, { type, min: undefined, max: undefined, valueRowCount: 0 });
  }
  return {
    add: (name, column, rowCount) => {
      const found = bounds.get(name);
      if (found !== undefined && column.kind !== 'vector') widen(found, column, rowCount);
    },
    finish: (rowCount) =>
      Array.from(bounds, ([name, { type, min, max, valueRowCount }]) => ({
        ...{ name, type, nullCount: rowCount - valueRowCount },
        ...{ min: min?.slice(0, boundBytesMax), max: max && cutUp(max) },
      })),
  };
}

interface Bounds {
  readonly type: AttributeType;
  min: Uint8Array | undefined;
  max: Uint8Array | undefined;
  valueRowCount: number;
}

function widen(bounds: Bounds, column: Exclude<Column, { readonly kind: 'vector' }>, rowCount: number): void {
  bounds.valueRowCount += rowCount - (column.nulls === undefined ? 0 : countBits(column.nulls));
  forEachValue(column, rowCount, (_row, bytes, start, end) => {
    const { min, max } = bounds;
    if (min === undefined || compareTo(bytes, start, end, min) < 0) bounds.min = bytes.slice(start, end);
    if (max === undefined || compareTo(bytes, start, end, max) > 0) bounds.max = bytes.slice(start, end);
  });
}

function compareTo(bytes: Uint8Array, start: number, end: number, other: Uint8Array): number {
  const shared = Math.min(end - start, other.length);
  for (let i = 0; i < shared; i++) {
    const difference = (bytes[start + i] as number) - (other[i] as number);
    if (difference !== 0) return difference;
  }
  return end - start - other.length;
}

/** A short key at or above a long one; all of it where its first bytes leave no room above. */
function cutUp(key: Uint8Array): Uint8Array {
  if (key.length <= boundBytesMax) return key;
  const cut = key.slice(0, boundBytesMax);
  for (let i = boundBytesMax - 1; i >= 0; i--) {
    if (cut[i] === 0xff) continue;
    cut[i] = (cut[i] as number) + 1;
    return cut.slice(0, i + 1);
  }
  return key;
}
