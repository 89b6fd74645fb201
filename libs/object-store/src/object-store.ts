/**
 * The one durable thing Lagoon needs: a flat map from keys to bytes with create-if-absent.
 *
 * Invariants that every store must keep (the contract suite in `testing/` and `store-check` prove them):
 * - `create` is atomic: of any number of racing creators of a key exactly one is told `created`.
 * - After a `created` or a resolved `put`, every `get` and every `list` that starts later sees the object.
 * - A `get` never returns bytes that were not written whole by one `put` or `create`.
 * - `list` returns keys in ascending order of their UTF-8 bytes.
 *
 * Errors: `unavailable` for anything that may pass (network, 5xx, throttling, timeouts), `permission_denied`,
 * `resource_exhausted` (disk full, quota), `invalid_argument` (a key or range that no store takes). Absence is
 * a value, never an error. Aborting the signal rejects with the signal's reason.
 */
export interface ObjectStore {
  /** For messages and metrics: `s3://bucket/prefix`, `file:///path`, `memory:`. */
  readonly url: string;

  /** The whole object or a part of it; `undefined` when there is no such key. */
  get(key: string, options?: GetOptions, signal?: AbortSignal): Promise<StoredObject | undefined>;

  /** Writes, replacing what was there. */
  put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<Stamp>;

  /**
   * Creates the key unless it exists. Sent exactly once: no layer below retries it.
   * `unknown` means that the store gave no clear answer: it may or may not have been, or still be, applied.
   */
  create(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<CreateResult>;

  /**
   * As `create`, without having the bytes in memory; absent where a store cannot do better than that. Call it through
   * `createFrom`. The source may be read more than once.
   */
  createStreamed?(key: string, source: ByteSource, signal?: AbortSignal): Promise<CreateResult>;

  /** One page of keys below a prefix. */
  list(options: ListOptions, signal?: AbortSignal): Promise<ListPage>;

  /** Removes keys; absent ones are no error. In batches of at most 1,000 per request. */
  delete(keys: readonly string[], signal?: AbortSignal): Promise<Stamp>;

  close(): Promise<void>;
}

export interface GetOptions {
  readonly range?: ByteRange;
  /** Called once with the answer's own stamp, also when the key is absent: a proof of freshness needs the store's time. */
  readonly onStamp?: (stamp: Stamp) => void;
}

/**
 * Half-open, in bytes: [start, end). Either `start` + `end`, or `suffix` for the last so many bytes. A range past the end is
 * cut; one that starts at or past the end gives empty bytes.
 */
export type ByteRange = { readonly start: number; readonly end: number } | { readonly suffix: number };

/** The store's own time of its answer, from its `Date` header or its file system, where it gives one. */
export interface Stamp {
  readonly storeTimeMs: number | undefined;
}

export interface StoredObject extends Stamp {
  readonly bytes: Uint8Array;
  /** Size of the whole object, also when a range was asked. */
  readonly objectSize: number;
}

/** Bytes that lie somewhere else, such as in a file. */
export interface ByteSource {
  readonly byteLength: number;
  /** Of all bytes: a store that can compares it with what it got. */
  readonly sha256: Uint8Array;
  read(start: number, end: number): Promise<Uint8Array>;
}

export type CreateResult =
  | ({ readonly outcome: 'created' } & Stamp)
  | ({ readonly outcome: 'exists' } & Stamp)
  | ({ readonly outcome: 'unknown'; readonly cause: unknown } & Stamp);

export interface ListOptions {
  readonly prefix: string;
  /** Only keys strictly after this one. */
  readonly startAfter?: string;
  /** At most so many keys in the page; default and bound 1,000. */
  readonly limit?: number;
}

export interface ListPage extends Stamp {
  readonly objects: readonly ListedObject[];
  /** Whether keys remain behind the last one; go on with `startAfter` = the last key. */
  readonly truncated: boolean;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly lastModifiedMs: number;
}

/** Longest key in UTF-8 bytes: S3's bound. */
export const keyBytesMax = 1024;

/** Largest page of `list` and largest batch of `delete`. */
export const pageSizeMax = 1000;
