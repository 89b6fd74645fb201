import { type VectorElement, vectorValuesOf } from '@lagoon/format';
import { inverseNorm } from '@lagoon/vector';

/** Inverse norms of some of the vectors that lie one behind the other, as their column has them. */
export function inverseNormsOf(
  element: VectorElement,
  dims: number,
  vectors: Uint8Array,
  rows: Iterable<number>,
): Float32Array {
  const values = vectorValuesOf(element, vectors);
  return Float32Array.from(rows, (row) => {
    const vector = values.subarray(row * dims, (row + 1) * dims);
    return inverseNorm(vector instanceof Float16Array ? new Float32Array(vector) : vector);
  });
}
