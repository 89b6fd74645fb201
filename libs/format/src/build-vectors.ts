import { getBit } from './bitmap.ts';
import type { RejectValue } from './build-column.ts';
import type { NullBitmap, VectorColumn } from './column.ts';
import type { VectorElement, VectorType } from './schema.ts';
import { elementProblem, type VectorValues } from './vector-element.ts';

/**
 * A vector column from rows × dims floats, rounded to the type's element. Floats of an f32 column are used in place, and copied only where a
 * missing row is not zeros. Rejects rows with a component that the element cannot hold, or whose squared norm as f32 is not finite.
 */
export function buildVectorColumn(
  { element, dims }: VectorType,
  values: Float32Array,
  nulls: NullBitmap,
  reject: RejectValue,
): VectorColumn {
  const rowCount = values.length / dims;
  const inverseNorms = new Float32Array(rowCount);
  const cleared = nulls === undefined ? values : clearMissing(values, dims, nulls);
  const stored = storedValues(element, dims, cleared, reject);
  for (let row = 0; row < rowCount; row++) inverseNorms[row] = inverseNorm(stored, dims, row, reject);
  return { kind: 'vector', element, dims, nulls, values: stored, inverseNorms };
}

function storedValues(element: VectorElement, dims: number, values: Float32Array, reject: RejectValue): VectorValues {
  switch (element) {
    case 'f32':
      return values;
    case 'f16': {
      const stored = new Float16Array(values);
      for (let i = 0; i < stored.length; i++) {
        if (!Number.isFinite(stored[i])) rejectComponent(element, dims, values, i, reject);
      }
      return stored;
    }
    case 'i8': {
      const stored = new Int8Array(values);
      for (let i = 0; i < stored.length; i++) {
        if (stored[i] !== values[i]) rejectComponent(element, dims, values, i, reject);
      }
      return stored;
    }
  }
}

function rejectComponent(
  element: VectorElement,
  dims: number,
  values: Float32Array,
  index: number,
  reject: RejectValue,
): never {
  const found = values[index] as number;
  const problem = `component of the vector is not ${elementProblem(element, found) ?? 'a number'}`;
  return reject(Math.floor(index / dims), problem, { dimension: index % dims, found });
}

/** The largest squared norm that is finite as f32: halfway between the largest f32 and 2^128 rounds up to infinity. */
const squaredNormEnd = 2 ** 128 - 2 ** 103;

function inverseNorm(values: VectorValues, dims: number, row: number, reject: RejectValue): number {
  const from = row * dims;
  let sum = 0;
  for (let i = from; i < from + dims; i++) {
    const value = values[i] as number;
    sum += value * value;
  }
  if (sum === 0) return 0;
  if (!(sum < squaredNormEnd)) {
    const finite = Number.isFinite(sum);
    reject(
      row,
      finite ? 'squared norm of the vector is not finite in f32' : 'vector has a component that is no number',
    );
  }
  const inverse = 1 / Math.sqrt(sum);
  // a row of denormals has a norm whose inverse no f32 can hold: as good as zero
  return inverse < squaredNormEnd ? Math.fround(inverse) : 0;
}

function clearMissing(values: Float32Array, dims: number, nulls: Uint8Array): Float32Array {
  let cleared: Float32Array | undefined;
  for (let row = 0; row * dims < values.length; row++) {
    if (!getBit(nulls, row)) continue;
    if (isZero(values, row * dims, (row + 1) * dims)) continue;
    cleared ??= values.slice();
    cleared.fill(0, row * dims, (row + 1) * dims);
  }
  return cleared ?? values;
}

function isZero(values: Float32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (values[i] !== 0) return false;
  return true;
}
