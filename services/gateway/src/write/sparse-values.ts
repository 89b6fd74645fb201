import { packSparseEntry, type SparseEntry, sparseDimensionMax } from '@lagoon/format';
import type { SparseValue } from '@lagoon/proto/lagoon/v1/value_pb.js';
import { shortestF16 } from '../json/f16-decimal.ts';
import { asFiniteNumber, asObject, clip, wrongValue } from '../json/shape.ts';

/** Entries of one sparse vector; more would not fit a value. */
const entryCountMax = 1 << 20;

const dimensionPattern = /^(0|[1-9][0-9]{0,9})$/;

/** `{"dimension": weight}` with dimensions from 0 to 2^32 − 1; in their order. */
export function readSparse(value: unknown, path: string): SparseEntry[] {
  const object = asObject(value, path);
  const entries = Object.keys(object).map((name) => {
    const at = `${path}.${clip(name)}`;
    const dimension = dimensionPattern.test(name) ? Number(name) : Number.NaN;
    if (!(dimension <= sparseDimensionMax))
      throw wrongValue(at, 'an object is a sparse vector, whose dimensions are integers from 0 to 4294967295');
    return { dimension, weight: checkWeight(asFiniteNumber(object[name], at), at) };
  });
  return inOrder(entries, path);
}

/** The same of a message. */
export function readSparseMessage(value: SparseValue | undefined, path: string): SparseEntry[] {
  const { dimensions = [], weights = [] } = value ?? {};
  if (dimensions.length !== weights.length) throw wrongValue(path, 'each dimension has one weight');
  return inOrder(
    dimensions.map((dimension, i) => ({ dimension, weight: checkWeight(weights[i] as number, path) })),
    path,
  );
}

export function packSparse(entries: readonly SparseEntry[]): bigint[] {
  return entries.map(packSparseEntry);
}

export function sparseMessage(entries: readonly SparseEntry[]): { dimensions: number[]; weights: number[] } {
  return { dimensions: entries.map(({ dimension }) => dimension), weights: entries.map(({ weight }) => weight) };
}

/** As it is answered: each weight as the shortest decimal that reads back as the same f16. */
export function sparseToJson({ dimensions, weights }: SparseValue): Record<string, number> {
  return Object.fromEntries(dimensions.map((dimension, i) => [String(dimension), shortestF16(weights[i] as number)]));
}

function checkWeight(weight: number, path: string): number {
  if (Number.isFinite(Math.f16round(weight))) return weight;
  throw wrongValue(path, 'the weight is no finite f16', { found: weight });
}

function inOrder(entries: SparseEntry[], path: string): SparseEntry[] {
  if (entries.length > entryCountMax) throw wrongValue(path, 'too many dimensions', { found: entries.length });
  const sorted = entries.sort((a, b) => a.dimension - b.dimension);
  for (let i = 1; i < sorted.length; i++) {
    const { dimension } = sorted[i] as SparseEntry;
    if (dimension === sorted[i - 1]?.dimension) throw wrongValue(path, 'a dimension is there twice', { dimension });
  }
  return sorted;
}
