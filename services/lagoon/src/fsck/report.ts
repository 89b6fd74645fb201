import type { ObjectStore } from '@lagoon/object-store';

/** Something that is not what it was written as, or not there. */
export interface Problem {
  readonly key: string;
  readonly problem: string;
}

/** An object that no root leads to. */
export interface Orphan {
  readonly key: string;
  readonly size: number;
  readonly lastModifiedMs: number;
  /** Why it is garbage, or why it is not yet. */
  readonly reason: string;
}

/** What a repair can mend: a name that lives and is not listed, or whose hint is worth writing again. */
export interface LivingName {
  readonly name: string;
  readonly incarnation: string;
  readonly isListed: boolean;
  readonly hasHint: boolean;
}

export interface FsckReport {
  readonly problems: readonly Problem[];
  readonly orphans: readonly Orphan[];
  readonly living: readonly LivingName[];
  /** Names of which the body of a manifest above the floor cannot be read. */
  readonly lostManifests: ReadonlySet<string>;
  readonly counts: FsckCounts;
}

export interface FsckCounts {
  names: number;
  entries: number;
  manifests: number;
  objects: number;
  bytesRead: number;
}

export interface Listed {
  readonly size: number;
  readonly lastModifiedMs: number;
}

/** What the parts of one check share: what there is, what was reached, what is wrong. */
export interface FsckRun {
  readonly store: ObjectStore;
  readonly inventory: ReadonlyMap<string, Listed>;
  readonly reached: Set<string>;
  readonly lostManifests: Set<string>;
  readonly counts: FsckCounts;
  readonly signal: AbortSignal | undefined;
  report(key: string, problem: string): void;
}
