import type { AttributeType, ScalarType } from './schema.ts';

/** What a column of a scalar type may become when the schema says otherwise: JSON cannot tell these apart. */
const scalarConversions: { readonly [From in ScalarType]: readonly ScalarType[] } = {
  int: ['float', 'uint'],
  uint: ['int', 'float'],
  string: ['uuid', 'datetime', 'bytes'],
  float: [],
  uuid: [],
  datetime: [],
  bool: [],
  bytes: [],
  entry: [],
};

const vectorElementSources: readonly ScalarType[] = ['float', 'int', 'uint'];

/**
 * Whether values of `from` can be stored as `to`, as far as types tell (single values may still not fit):
 * scalars and arrays of them by the table above; an array of numbers, or base64 text of little-endian f32, as a vector;
 * vectors of f32, which all are in requests, as those of another element.
 */
export function canConvert(from: AttributeType, to: AttributeType): boolean {
  if (to.kind === 'vector') {
    if (from.kind === 'vector') return (from.element === 'f32' || from.element === to.element) && from.dims === to.dims;
    return from.kind === 'array' ? vectorElementSources.includes(from.scalar) : from.scalar === 'string';
  }
  if (from.kind !== to.kind) return false;
  return from.scalar === to.scalar || scalarConversions[from.scalar].includes(to.scalar);
}
