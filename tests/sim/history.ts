/** What clients did and saw in a run, in the order of virtual time; the checker compares it with the log in the bucket. */
export interface History {
  readonly writes: WriteRecord[];
  /** Those of the writes that depend on rows. */
  readonly conditionals: ConditionalRecord[];
  readonly reads: ReadRecord[];
  readonly lists: ListRecord[];
  readonly ends: EndRecord[];
  readonly births: BirthRecord[];
  readonly snapshots: SnapshotRecord[];
  /** How often each status was answered. */
  readonly statuses: Map<number, number>;
}

/** One write request; every row carries its number `w`, and one row or deleted id is its own, so that the log tells what became of it. */
export interface WriteRecord {
  readonly namespace: string;
  readonly w: number;
  readonly upserts: readonly number[];
  readonly deletes: readonly number[];
  readonly startedMs: number;
  /** It holds no rows: where nothing lives it is acknowledged and changes nothing. */
  readonly isDeleteOnly: boolean;
  /** The write whose idempotency key it took, with a body of its own. */
  readonly rivalOf: number | undefined;
  /** As acknowledged, the first answer first; a retry with the same key may add its own. */
  readonly generations: number[];
  acknowledgedMs: number | undefined;
  /** Refused for good: must not be in the log. */
  refused: string | undefined;
}

export interface ConditionalRecord extends WriteRecord {
  readonly kind: 'increment' | 'filterDelete' | 'filterPatch';
  /** Of the counter. */
  readonly id?: number;
  /** Writes by filter are of rows that were last written before this. */
  below: number;
  /** As the answer counts it; undefined until it is known. */
  appliedCount: number | undefined;
}

/** Counters have ids from here on, below the witnesses'. */
export const counterIdFirst = 100;

export function isCounter(id: number): boolean {
  return id >= counterIdFirst && id < witnessOf(0);
}

/** A query, or a look at the metadata. */
export interface ReadRecord {
  readonly namespace: string;
  /** Index of the query node that answered. */
  readonly node: number;
  readonly level: 'strong' | 'eventual';
  readonly kind: 'id' | 'kNN' | 'ANN' | 'BM25' | 'metadata' | 'export';
  readonly generationMin: number;
  /** Of ANN: rows asked for. All other reads ask for all. */
  readonly limit?: number;
  readonly startedMs: number;
  readonly endedMs: number;
  /** Undefined: there is no such namespace. */
  readonly seen: SeenState | undefined;
}

export interface SeenState {
  readonly generation: number;
  /** `w` by id; undefined for metadata. */
  readonly rows: ReadonlyMap<number, number> | undefined;
  /** Of a search by vector. */
  readonly vectors?: readonly SeenVector[];
  /** Names, sorted; undefined for queries. */
  readonly attributes: readonly string[] | undefined;
}

/** A row's vector, [x, 1], and how far away it was said to be. */
export interface SeenVector {
  readonly id: number;
  readonly x: number;
  readonly distance: number;
}

export interface ListRecord {
  readonly startedMs: number;
  readonly names: readonly string[];
}

/** A delete of a whole namespace that was acknowledged. */
export interface EndRecord {
  readonly namespace: string;
  readonly startedMs: number;
  readonly generation: number;
  readonly acknowledgedMs: number;
}

/** A namespace that began as another's instant, as acknowledged. */
export interface BirthRecord {
  readonly namespace: string;
  readonly source: string;
  readonly startedMs: number;
  readonly acknowledgedMs: number;
  readonly generation: number;
  readonly sourceGeneration: number;
  /** Undefined: the newest. */
  readonly sourceGenerationAsked: number | undefined;
}

export interface SnapshotRecord {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
}

export function createHistory(): History {
  return {
    writes: [],
    conditionals: [],
    reads: [],
    lists: [],
    ends: [],
    births: [],
    snapshots: [],
    statuses: new Map(),
  };
}

/** Every write leaves this id, in a row or among its deletes. */
export function witnessOf(w: number): number {
  return 1_000 + w;
}

/** Eventual reads of the workload are at most so old. */
export const stalenessMsMax = 2_000;
