import { invalidAt } from '@lagoon/base';
import { elementProblem, formatAttributeType, type VectorType } from '@lagoon/format';

/**
 * A query vector as kernels compare it with rows of the type. Rows of i8 are compared with integers like themselves, so that sums are exact;
 * rows of f32 and f16 with any f32 whose squared norm f32 holds, for else distances would not be numbers.
 */
export function planQueryVector(
  type: VectorType,
  query: Float32Array,
  attribute: string,
  path: string,
): Float32Array | Int8Array {
  if (type.element === 'i8') return integersOf(type, query, attribute, path);
  let squaredNorm = 0;
  for (const value of query) squaredNorm += value * value;
  if (!Number.isFinite(Math.fround(squaredNorm))) {
    throw invalidAt(path, 'query vector must be finite, its squared norm too', { attribute });
  }
  return query;
}

function integersOf(type: VectorType, query: Float32Array, attribute: string, path: string): Int8Array {
  for (let dimension = 0; dimension < query.length; dimension++) {
    const found = query[dimension] as number;
    const problem = elementProblem('i8', found);
    if (problem === undefined) continue;
    throw invalidAt(`${path}[${dimension}]`, `not ${problem}`, {
      ...{ attribute, type: formatAttributeType(type), found },
    });
  }
  return new Int8Array(query);
}
