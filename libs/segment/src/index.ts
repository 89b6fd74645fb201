export { type ClusteredRows, type ClusterOptions, clusterPieces, clusterRows } from './cluster-rows.ts';
export { type Clusters, decodeClusters } from './clusters.v1.ts';
export { decodeDeleteVector, encodeDeleteVector } from './delete-vector.v1.ts';
export type { FooterPlace } from './footer-place.ts';
export type { GranuleRange, IndexRoot } from './index-root.v1.ts';
export {
  type AttributeIndex,
  findKeyRange,
  findKeys,
  type KeyRange,
  nullPostings,
  type PostingsRange,
  type ReadIndexGranules,
} from './look-up.ts';
export {
  type MergedObject,
  type MergeSegmentsOptions,
  mergeSegments,
  noRank,
  type RankedRows,
  type RowOrderer,
  type RowsToOrder,
} from './merge-segments.ts';
export type { SegmentToMerge } from './merge-sources.ts';
export { gramKeysOf } from './ngrams.ts';
export {
  openSegment,
  type SegmentLists,
  type SegmentPart,
  type SegmentReader,
} from './open-segment.ts';
export { type DeleteVectorPlan, type LaterRows, type OlderSegment, planDeleteVectors } from './plan-delete-vectors.ts';
export type { SegmentIds } from './read-ids.ts';
export { type ObjectReference, readObject, readRequestCount } from './read-object.ts';
export { createRangeReader, type ReadRange, wholeIfSmall } from './read-range.ts';
export {
  type DeleteVectorReference,
  deleteVectorInlineBytesMax,
  inIdOrder,
  readDeleteVector,
  readSegmentRows,
  type SegmentRows,
} from './read-segment.ts';
export { createFileScratch, createMemoryScratch, type Scratch, type ScratchFile } from './scratch.ts';
export type { SegmentColumn, SegmentFooter, SegmentIdentity } from './segment-footer.v1.ts';
export { valueKey } from './value-key.ts';
export { type VectorLists, type WriteSegmentOptions, type WrittenSegment, writeSegment } from './write-segment.v1.ts';
