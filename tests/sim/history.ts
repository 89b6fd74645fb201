/** What clients did and saw in a run, in the order of virtual time; the checker compares it with the log in the bucket. */
export interface History {
  readonly writes: WriteRecord[];
  readonly reads: ReadRecord[];
  readonly ends: EndRecord[];
}

/** One write request; every row carries its number `w`, so that the log tells what became of it. */
export interface WriteRecord {
  readonly namespace: string;
  readonly w: number;
  readonly upserts: readonly number[];
  readonly deletes: readonly number[];
  readonly startedMs: number;
  /** As acknowledged, the first answer first; a retry with the same key may add its own. */
  readonly generations: number[];
  acknowledgedMs: number | undefined;
  /** Refused for good: must not be in the log. */
  refused: string | undefined;
}

export interface ReadRecord {
  readonly namespace: string;
  readonly level: 'strong' | 'eventual';
  readonly ranking: string;
  readonly generationMin: number;
  readonly startedMs: number;
  readonly endedMs: number;
  /** Undefined: there is no such namespace. */
  readonly seen: { readonly generation: number; readonly rows: ReadonlyMap<number, number> } | undefined;
}

/** A delete of a whole namespace that was acknowledged. */
export interface EndRecord {
  readonly namespace: string;
  readonly startedMs: number;
  readonly generation: number;
  readonly acknowledgedMs: number;
}

export function createHistory(): History {
  return { writes: [], reads: [], ends: [] };
}
