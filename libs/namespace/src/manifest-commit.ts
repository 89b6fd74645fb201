import type { NamespaceLog } from './namespace-log.ts';
import type { Manifest, NamespaceView } from './view.ts';

/** A manifest entry that is ready to be appended by whoever can: its message (ManifestEntry) and its commit id. */
export interface PreparedManifest {
  readonly commitId: string;
  readonly message: Uint8Array;
}

/** What a job wants to commit: the pure edit of the newest manifest, and who made it. */
export interface ManifestJob {
  readonly job: string;
  /** Store time when the job began. */
  readonly startedAtMs: number;
}

export type ManifestOutcome =
  | { readonly outcome: 'committed'; readonly generation: number; readonly view: NamespaceView }
  /** Another manifest came first: rebase the edit, or drop the job. */
  | { readonly outcome: 'superseded'; readonly view: NamespaceView }
  /** The incarnation ended, the job is revoked, or older than half a day: drop the job. */
  | { readonly outcome: 'refused'; readonly view: NamespaceView };

export interface ManifestCommitter {
  /** Checks the manifest's invariants, writes its body object and returns the small entry. */
  prepare(view: NamespaceView, manifest: Manifest, job: ManifestJob, signal?: AbortSignal): Promise<PreparedManifest>;
  /** Appends a prepared entry: by the ingester between two groups, by the compactor when no ingester answers. Both may. */
  append(
    log: NamespaceLog,
    view: NamespaceView,
    prepared: PreparedManifest,
    signal?: AbortSignal,
  ): Promise<ManifestOutcome>;
}
