import type { Schema } from '@lagoon/format';
import type { NamespaceSettings } from './settings.ts';
import type { IdempotencyRecord, Manifest, NamespaceView } from './view.ts';

/**
 * The generation sequence of namespaces on one store: finding the head, reading on, appending.
 * Stateless: the view that goes in and comes out is all the state there is, so one log serves any number of namespaces.
 */
export interface NamespaceLog {
  /**
   * Finds the head and reads the newest manifest and the tail behind it. Proven when it returns.
   * `batches` are those of the tail that is in the view, so that (manifest, batches) is the whole content.
   */
  open(name: string, options?: OpenOptions, signal?: AbortSignal): Promise<ReadResult>;

  /**
   * Reads what was appended behind the view, until a probe sent after this call comes back absent: one GET where nothing was.
   * Restarts at the head by itself where the view turns out to
   * be below the floor; then `restarted` is true and the batches are those of a fresh `open`.
   */
  advance(view: NamespaceView, options: AdvanceOptions, signal?: AbortSignal): Promise<ReadResult>;

  /**
   * Appends one entry: builds it for the view, creates it, and on a lost race folds the winners in and asks for it again.
   * `build` is pure (but for looking at the time) and may be called several times, each time with the newest view. What it throws,
   * like 'nothing', is believed only after a probe behind the view came back absent; then nothing was committed.
   * `read` is what was read since the call before, so that whoever follows the rows need not read the winners again.
   * A birth writes its catalogue marker first; a truncate removes the marker after it.
   * Rejects `unavailable` with reason `outcome_unknown` where the outcome cannot be known; the view must then be dropped.
   */
  append(
    view: NamespaceView,
    build: (view: NamespaceView, read: ReadResult | undefined) => EntryDraft | 'nothing',
    signal?: AbortSignal,
  ): Promise<AppendResult>;

  /** Writes the head hint for the view, best effort: failures are logged. */
  writeHint(view: NamespaceView, signal?: AbortSignal): Promise<void>;

  /** The store's time now, as well as this process knows it: for the start of jobs and their age. */
  storeTimeMs(): number;

  /** Records of the idempotency table that left the tail; cached by manifest. */
  readIdempotencyParts(view: NamespaceView, signal?: AbortSignal): Promise<ReadonlyMap<string, IdempotencyRecord>>;
}

export interface OpenOptions {
  /**
   * Is told of a manifest as soon as one is known, beside the reading of what came after it: for reading ahead. Nothing is proven
   * then: what it names may be gone, and the view that comes out may have a newer one. May be told several times, or never.
   */
  readonly onManifest?: (manifest: Manifest) => void;
}

export interface AdvanceOptions {
  /** A generation that is said to exist: it and those before it are asked for at once. The answer may still end before it. */
  readonly generationMin?: number;
}

export interface ReadResult {
  readonly view: NamespaceView;
  /** Whether the view that went in was given up, so that `batches` replaces rather than extends what the caller holds. */
  readonly restarted: boolean;
  /**
   * What happened, in order. `batch`: rows to apply on top. `manifest`: bytes moved, content did not change.
   * `birth` and `truncate`: everything before is gone.
   */
  readonly events: readonly NamespaceEvent[];
}

export type NamespaceEvent =
  | {
      readonly kind: 'birth';
      readonly generation: number;
      readonly incarnation: string;
      /** What it begins with, where it was born from another's instant; a `batch` of what that left unindexed follows. */
      readonly manifest?: Manifest;
    }
  | { readonly kind: 'batch'; readonly generation: number; readonly parts: readonly Uint8Array[] }
  | { readonly kind: 'manifest'; readonly generation: number; readonly manifest: Manifest }
  | { readonly kind: 'truncate'; readonly generation: number }
  | { readonly kind: 'aborted'; readonly generation: number };

/** What an entry says; the log adds the chain, ids and framing, and moves parts above 4 MiB to a body of their own. */
export type EntryDraft =
  | { readonly kind: 'birth'; readonly incarnation: string; readonly family: string; readonly batch: BatchDraft }
  | ({ readonly kind: 'batch' } & BatchDraft)
  | {
      readonly kind: 'manifest';
      readonly commitId: string;
      /** ManifestEntry. */
      readonly message: Uint8Array;
      /** Its body, where the appender has it already; else it is read. */
      readonly manifest?: Manifest;
    }
  | { readonly kind: 'truncate' }
  /** A number burnt by garbage collection: jobs that have something in flight lose it, see the revocation and are dropped. */
  | { readonly kind: 'aborted'; readonly revokedJobs: readonly string[] };

export interface BatchDraft {
  /** Columnar blocks in the order in which they apply; verified by the caller. */
  readonly parts: readonly Uint8Array[];
  readonly upsertedRowCount: number;
  readonly deletedRowCount: number;
  /** The whole schema after the entry, where it changes. */
  readonly schema?: Schema;
  /** All settings after the entry, where they change. */
  readonly settings?: NamespaceSettings;
  /** `generation` is filled in by the log. */
  readonly idempotency: readonly Omit<IdempotencyRecord, 'generation'>[];
}

export type AppendResult =
  | { readonly outcome: 'committed'; readonly view: NamespaceView; readonly generation: number }
  | { readonly outcome: 'nothing'; readonly view: NamespaceView };
