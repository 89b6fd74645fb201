export type {
  ArrayColumn,
  Block,
  Column,
  IdColumn,
  NamedColumn,
  NullBitmap,
  ScalarColumn,
  VectorColumn,
} from './column.ts';
export type { DocumentId } from './document-id.ts';
export {
  type AttributeSchema,
  type AttributeType,
  type DistanceMetric,
  distanceMetrics,
  type FullTextSearch,
  type IdKind,
  limits,
  type ScalarType,
  type Schema,
  scalarTypes,
  type VectorElement,
} from './schema.ts';
export type { AttributeValue } from './value.ts';
