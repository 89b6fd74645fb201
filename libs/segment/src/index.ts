export { decodeDeleteVector, encodeDeleteVector } from './delete-vector.v1.ts';
export { type DeleteVectorPlan, type LaterRows, type OlderSegment, planDeleteVectors } from './plan-delete-vectors.ts';
export { type ObjectReference, readObject, readRequestCount } from './read-object.ts';
export {
  type DeleteVectorReference,
  deleteVectorInlineBytesMax,
  readDeleteVector,
  readSegmentBlock,
} from './read-segment.ts';
