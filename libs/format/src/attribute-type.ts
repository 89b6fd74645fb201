import { invalidArgument, unimplemented } from '@lagoon/base';
import {
  type AttributeType,
  limits,
  type ScalarType,
  scalarTypes,
  type VectorElement,
  type VectorType,
} from './schema.ts';

const sparseType = '{}f16';

const vectorPattern = /^\[([0-9]{1,9})\](f32|f16|i8)$/;

/**
 * A type as the HTTP dialect spells it: `string`, `[]string`, `[100]f32`.
 * Throws `invalid_argument` for no type at all, `unimplemented` for multi-vector types and sparse vectors of other weights.
 */
export function parseAttributeType(text: string): AttributeType {
  if (isScalarType(text)) return { kind: 'scalar', scalar: text };
  const element = text.startsWith('[]') ? text.slice(2) : '';
  if (isScalarType(element)) return { kind: 'array', scalar: element };
  const vector = vectorPattern.exec(text);
  if (vector !== null) {
    const dims = Number(vector[1]);
    checkDims(dims);
    return { kind: 'vector', element: vector[2] as VectorElement, dims };
  }
  if (text === sparseType) return { kind: 'array', scalar: 'entry' };
  if (/^\{\}(f32|i8)$/.test(text)) throw unimplemented(`sparse vector type ${text}`);
  if (vectorPattern.test(element)) throw unimplemented(`multi-vector type ${text}`);
  throw invalidArgument('unknown attribute type', { type: text });
}

export function formatAttributeType(type: AttributeType): string {
  switch (type.kind) {
    case 'scalar':
      return type.scalar;
    case 'array':
      return type.scalar === 'entry' ? sparseType : `[]${type.scalar}`;
    case 'vector':
      return `[${type.dims}]${type.element}`;
  }
}

export function equalAttributeTypes(a: AttributeType, b: AttributeType): boolean {
  if (a.kind === 'vector') return b.kind === 'vector' && a.element === b.element && a.dims === b.dims;
  return a.kind === b.kind && a.scalar === (b as { scalar: ScalarType }).scalar;
}

/** Throws `invalid_argument` unless 1 ≤ dims ≤ the limit. */
function checkDims(dims: number, attribute?: string): void {
  if (Number.isInteger(dims) && dims >= 1 && dims <= limits.dimensionsMax) return;
  throw invalidArgument('vector dimensions out of range', { attribute, dims, max: limits.dimensionsMax });
}

/** Throws `invalid_argument` for wrong dimensions. */
export function checkVectorType({ dims }: VectorType, attribute: string): void {
  checkDims(dims, attribute);
}

function isScalarType(text: string): text is ScalarType {
  return (scalarTypes as readonly string[]).includes(text);
}

export function isSparseType(type: AttributeType): boolean {
  return type.kind === 'array' && type.scalar === 'entry';
}
