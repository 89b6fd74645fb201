import type { AttributeRange, Schema } from '@lagoon/format';
import type { NamespaceSettings } from './settings.ts';

/**
 * A namespace at one generation: the value that folding its entries up to there gives. Pure data; holds no rows.
 */
export interface NamespaceView {
  readonly name: string;
  /** Newest generation folded in; 0 when the sequence is empty. */
  readonly generation: number;
  /** What the next entry chains to; undefined at generation 0. */
  readonly tip: ChainLink | undefined;
  /** Generation of the newest manifest of any incarnation; 0: none. */
  readonly newestManifestGeneration: number;
  /** Undefined: nothing lives under this name, it was never born or has ended. */
  readonly live: LiveNamespace | undefined;
  /** Undefined: the view is not proven (storage page, section 2). */
  readonly proof: Proof | undefined;
}

export interface ChainLink {
  /** SHA-256 of the entry's object. */
  readonly hash: Uint8Array;
  readonly commitId: string;
}

/** When a floor check proved the view, by three clocks; the largest elapsed one counts. */
export interface Proof {
  readonly monotonicMs: number;
  readonly wallMs: number;
  readonly storeTimeMs: number | undefined;
}

export interface LiveNamespace {
  readonly incarnation: string;
  readonly family: string;
  readonly birthGeneration: number;
  readonly createdAtMs: number;
  readonly lastWriteAtMs: number;
  /** As of the view's generation. */
  readonly schema: Schema;
  readonly settings: NamespaceSettings;
  /** The newest manifest of this incarnation; the empty manifest before the first. */
  readonly manifest: Manifest;
  /** Batches behind `manifest.indexedThrough`, ascending by generation; no rows, only what they weigh. */
  readonly tail: readonly TailBatch[];
  /** Jobs revoked by entries that the manifest does not know of yet; the next one copies them. */
  readonly revokedJobs: readonly string[];
}

export interface TailBatch {
  readonly generation: number;
  readonly sizeBytes: number;
  readonly upsertedRowCount: number;
  readonly deletedRowCount: number;
  readonly writtenAtMs: number;
  readonly idempotency: readonly IdempotencyRecord[];
}

export interface IdempotencyRecord {
  readonly key: string;
  readonly bodyHash: Uint8Array;
  readonly generation: number;
  readonly rowsUpserted: number;
  readonly rowsDeleted: number;
  readonly rowsPatched: number;
  /** Whether rows that a filter of the write matched were left. */
  readonly rowsRemaining: boolean;
  readonly logicalBytesWritten: number;
  readonly writtenAtMs: number;
}

/** A full description of the indexed part; pure edits make the next one. */
export interface Manifest {
  /** Generation of the entry that carries it; 0 for the empty manifest. */
  readonly generation: number;
  readonly incarnation: string;
  readonly family: string;
  readonly birthGeneration: number;
  /** As of `indexedThrough`; the tail adds to it. */
  readonly schema: Schema;
  readonly settings: NamespaceSettings;
  readonly indexedThrough: number;
  /** Oldest first; a later segment's row supersedes an earlier one's of the same id. */
  readonly segments: readonly SegmentReference[];
  readonly rows: RowAccounting;
  /** Commit ids of the newest manifests, its own last: whoever appends one looks for its id here first. */
  readonly recentCommitIds: readonly string[];
  readonly idempotencyParts: readonly IdempotencyPartReference[];
  readonly obsolete: readonly ObsoleteObject[];
  /** Oldest first. */
  readonly revocations: readonly Revocation[];
  readonly createdAtMs: number;
  readonly lastWriteAtMs: number;
  /**
   * What the incarnation began as, where it was born from another's instant. Its tail and body are named until `indexedThrough`
   * has reached the birth; then they have been consumed, and only the lineage is left.
   */
  readonly origin?: Instant;
  /** The first segments of a large manifest as they lie in objects of their own; what was changed since is in `segments` only. */
  readonly parts?: readonly ManifestPart[];
}

/** An immutable run of segments that manifests share. */
export interface ManifestPart {
  readonly object: ObjectReference;
  readonly segments: readonly SegmentReference[];
}

/** A namespace at one generation: by name, everything that reading it takes. */
export interface Instant {
  /** Whose it is. */
  readonly namespace: string;
  readonly incarnation: string;
  readonly family: string;
  /** Of the incarnation, in the namespace's own sequence. */
  readonly birthGeneration: number;
  readonly generation: number;
  /** Of the newest manifest then; undefined where nothing was indexed. It may belong to an ancestor. */
  readonly manifestBody: ObjectReference | undefined;
  /** Log entries behind that manifest, oldest first: what ancestors left unindexed, then its own. */
  readonly tail: readonly LogRange[];
}

/** Entries of one log, both ends included; the hash of the last one and the chain fix them all. */
export interface LogRange {
  readonly namespace: string;
  readonly generationFirst: number;
  readonly generationLast: number;
  readonly hashLast: Uint8Array;
}

export interface ObjectReference {
  readonly key: string;
  readonly size: number;
  readonly sha256: Uint8Array;
}

export interface SegmentReference {
  readonly object: ObjectReference;
  readonly rowCount: number;
  readonly liveRowCount: number;
  readonly logicalBytes: number;
  readonly deleteVector: DeleteVectorReference | undefined;
  readonly generationFirst: number;
  readonly generationLast: number;
  /** Where the footer of a segment of version 1 lies in its object, in bytes; absent: a flat segment, one columnar block. */
  readonly footer?: FooterPlace;
  /** Of filterable attributes; absent: not known. */
  readonly attributeRanges?: readonly AttributeRange[];
}

export interface FooterPlace {
  readonly offset: number;
  readonly size: number;
  /** Bytes right before it that are worth reading with it; absent: none. */
  readonly lead?: number;
}

export type DeleteVectorReference =
  | { readonly kind: 'inline'; readonly bitmap: Uint8Array }
  | { readonly kind: 'object'; readonly object: ObjectReference };

export interface RowAccounting {
  readonly added: number;
  readonly superseded: number;
  readonly deleted: number;
  readonly live: number;
}

export interface IdempotencyPartReference {
  readonly object: ObjectReference;
  readonly writtenAtMsMax: number;
}

export interface ObsoleteObject {
  readonly key: string;
  /** Generation of the last manifest that named it. */
  readonly obsoleteSinceGeneration: number;
  /** Start of the job that gave it up, in the store's time; absent until it is committed, and in old manifests. */
  readonly obsoleteAtMs?: number;
}

/** A job that a generation has revoked. */
export interface Revocation {
  readonly job: string;
  /** Start of the job that copied it, in the store's time: at most half a day before it was revoked. */
  readonly atMs: number;
}
