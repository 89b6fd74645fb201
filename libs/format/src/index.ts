export { type AttributeRange, attributeRangeCountMax, isRangeOf } from './attribute-range.ts';
export { equalAttributeTypes, formatAttributeType, isSparseType, parseAttributeType } from './attribute-type.ts';
export {
  andInPlace,
  andNotInPlace,
  type Bitmap,
  bitmapBytes,
  clearBit,
  countBits,
  createBitmap,
  createFullBitmap,
  forEachBit,
  getBit,
  isBitmapOf,
  nextBit,
  notInPlace,
  orInPlace,
  setBit,
  setBitRange,
} from './bitmap.ts';
export type { BlockInput, ColumnInput } from './block-input.ts';
export { buildIds } from './build-ids.ts';
export { coerceBlock } from './coerce-block.ts';
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
export {
  type ColumnShape,
  columnRowRanges,
  columnSize,
  layOutColumn,
  openColumn,
  openColumnRows,
  type PartName,
  shapeOf,
  verifyLaidOutColumn,
} from './column-layout.ts';
export { type ColumnStream, createColumnStream, gatherIdsOf, selectRows } from './column-stream.ts';
export { formatDatetime, parseDatetime } from './datetime.ts';
export { encodeDeletes, encodeIds } from './delete-block.ts';
export { type DocumentId, parseDocumentId } from './document-id.ts';
export { encodeBlock } from './encode-block.ts';
export { missingColumn } from './gather.ts';
export { compareIds, findId, forEachCommonId, idAt, lowerBound } from './id-column.ts';
export { type MergeSource, mergeBlocks } from './merge-blocks.ts';
export { mergeSchema } from './merge-schema.ts';
export {
  combineBlocks,
  createNewestRowsMerge,
  type NewestPiece,
  type NewestRows,
  type NewestRowsMerge,
} from './newest-rows.ts';
export { type OpenBlockOptions, openBlock, verifyBlock } from './open-block.v1.ts';
export { encodePatched, type PatchInput } from './patch-block.ts';
export { queryLimits } from './query-limits.ts';
export { concatenateColumns, reorderColumns, rowNumbers, sliceColumns, sliceIds } from './row-columns.ts';
export { andNotRowSets, andRowSet, encodeRowSet, orRowSets } from './row-set.v1.ts';
export {
  type AnnSettings,
  type AttributeSchema,
  type AttributeType,
  type DistanceMetric,
  distanceMetrics,
  type FullTextSearch,
  fullTextSearchDefaults,
  type IdKind,
  type ListCodec,
  languages,
  limits,
  listCodecs,
  type PatternSetting,
  patternSettings,
  type ScalarType,
  type Schema,
  scalarTypes,
  tokenizers,
  type VectorElement,
  type VectorType,
} from './schema.ts';
export type { AttributeDeclaration, SchemaDeclaration } from './schema-declaration.ts';
export { packSparseEntry, type SparseEntry, sparseDimensionMax, unpackSparseEntry } from './sparse-entry.ts';
export { canConvert } from './type-conversion.ts';
export { formatUuid, parseUuid } from './uuid.ts';
export type { AttributeValue } from './value.ts';
export { isNull, valueAt } from './value-at.ts';
export { elementProblem, type VectorValues, vectorElementBytes, vectorValuesOf } from './vector-element.ts';
export { verifyIds, verifyIdTexts } from './verify-block.v1.ts';
export { writeBlock } from './write-block.v1.ts';
