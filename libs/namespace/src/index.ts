export { type ListNamespacesOptions, listNamespaces, type NamespacePage } from './catalog.ts';
export { isHintDue } from './hint.ts';
export { findIdempotent, recordsLeavingTail, writeIdempotencyPart } from './idempotency.ts';
export {
  bodyKey,
  catalogKey,
  catalogPrefix,
  clusterKey,
  type DataKey,
  dataKey,
  dirtyKey,
  dirtyPrefix,
  familyKey,
  floorKey,
  headKey,
  logKey,
  logPrefix,
  namespacePrefix,
  type ParsedKey,
  parseKey,
} from './keys.ts';
export { createNamespaceLog, type NamespaceLogDeps, type NamespaceLogOptions } from './log.ts';
export {
  applyIndexEdit,
  checkManifest,
  emptyManifest,
  expireIdempotencyParts,
  type IndexEdit,
  namedKeys,
  type SegmentDeletes,
} from './manifest.ts';
export type { ManifestCommitter, ManifestJob, ManifestOutcome, PreparedManifest } from './manifest-commit.ts';
export { checkNamespaceName } from './name-escape.ts';
export type {
  AdvanceOptions,
  AppendResult,
  BatchDraft,
  EntryDraft,
  NamespaceEvent,
  NamespaceLog,
  ReadResult,
} from './namespace-log.ts';
export { emptyView } from './open.ts';
export type {
  ChainLink,
  DeleteVectorReference,
  IdempotencyPartReference,
  IdempotencyRecord,
  LiveNamespace,
  Manifest,
  NamespaceView,
  ObjectReference,
  ObsoleteObject,
  Proof,
  RowAccounting,
  SegmentReference,
  TailBatch,
} from './view.ts';
