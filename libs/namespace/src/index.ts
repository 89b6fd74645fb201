export type { ManifestCommitter, ManifestJob, ManifestOutcome, PreparedManifest } from './manifest-commit.ts';
export type {
  AdvanceOptions,
  AppendResult,
  BatchDraft,
  EntryDraft,
  NamespaceEvent,
  NamespaceLog,
  ReadResult,
} from './namespace-log.ts';
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
