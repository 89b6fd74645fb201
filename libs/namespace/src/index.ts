export type { BirthOutcome } from './bear.ts';
export type { BodyDeps, BodyPlace } from './body.ts';
export { type ListNamespacesOptions, listNamespaces, type NamespacePage } from './catalog.ts';
export {
  type Certificate,
  type Cluster,
  type ClusterDeps,
  clusterFormatVersion,
  openCluster,
  readCluster,
  recordCertificate,
} from './cluster.ts';
export type { NamespaceLogDeps } from './context.ts';
export { clearDirtyMarkers, type DirtyMarker, listDirtyMarkers, writeDirtyMarker } from './dirty.ts';
export { type DecodedEntry, decodeEntry } from './entry.v1.ts';
export { decodeFamilyMember, type FamilyMember, writeFamilyRecord } from './family.ts';
export { type CensusDeps, type FamilyCensus, takeCensus } from './gc-census.ts';
export { createFactReader, type FactReader } from './gc-facts.ts';
export { addToPrint } from './gc-print.ts';
export { listRecordedFamilies } from './gc-records.ts';
export {
  firstUnindexed,
  isRetentionOver,
  listEverything,
  type NamespaceSurvey,
  nextFloor,
  surveyForGarbage,
} from './gc-survey.ts';
export {
  type FamilyVerdict,
  type Garbage,
  garbageKinds,
  judgeFamily,
  type StuckBirth,
  type UnfinishedJob,
} from './gc-verdict.ts';
export { isHintDue } from './hint.ts';
export {
  findIdempotent,
  idempotencyKeepMsMin,
  isOldByAnyClock,
  readIdempotencyPart,
  recordsLeavingTail,
  writeIdempotencyPart,
} from './idempotency.ts';
export { createJobLeases, type JobLease, type JobLeases, sweepJobLeases } from './job-leases.ts';
export {
  bodyKey,
  catalogKey,
  catalogPrefix,
  clusterKey,
  type DataKey,
  dataKey,
  dataRoot,
  dirtyKey,
  dirtyPrefix,
  familiesPrefix,
  familyKey,
  floorKey,
  gcStateKey,
  headKey,
  logKey,
  logPrefix,
  namespacePrefix,
  namespacesPrefix,
  operationKey,
  type ParsedKey,
  type PinKey,
  parseKey,
  pinKey,
  pinPrefix,
  pinsPrefix,
} from './keys.ts';
export { createLineage, type Heir, type InstantContent, type Lineage } from './lineage.ts';
export { createNamespaceLog, type NamespaceLogOptions } from './log.ts';
export {
  applyIndexEdit,
  checkManifest,
  emptyManifest,
  expireIdempotencyParts,
  type IndexEdit,
  namedKeys,
  revocationCountMax,
  type SegmentDeletes,
} from './manifest.ts';
export {
  createManifestCommitter,
  jobAgeMsMax,
  type ManifestCommitter,
  type ManifestCommitterDeps,
  type ManifestJob,
  type ManifestOutcome,
  type PreparedManifest,
} from './manifest-commit.ts';
export { type Mended, mendManifest } from './mend-manifest.ts';
export { applyMergeEdit, findSegments, type MergeEdit } from './merge-edit.ts';
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
export { type CopyOperation, type FinishedCopy, readOperation, writeOperation } from './operations.ts';
export { decodePin, type Pin } from './pin-codec.ts';
export type { Snapshot } from './pins.ts';
export { checkSeal } from './record-seal.ts';
export { defaultSettings, type NamespaceSettings, sameSettings } from './settings.ts';
export type {
  ChainLink,
  DeleteVectorReference,
  IdempotencyPartReference,
  IdempotencyRecord,
  Instant,
  LiveNamespace,
  LogRange,
  Manifest,
  ManifestPart,
  NamespaceView,
  ObjectReference,
  ObsoleteObject,
  Proof,
  RowAccounting,
  SegmentReference,
  TailBatch,
} from './view.ts';
