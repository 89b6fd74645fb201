/**
 * What a search did, for people: a line per step, made only where it is asked for. A step is one word ("probe"); facts are named as
 * the answer names them, in snake_case, with their unit last.
 */
export interface TraceLine {
  readonly step: string;
  /** The block in the job's list that it was about; undefined: all of them. */
  readonly block: number | undefined;
  readonly facts: Readonly<Record<string, string | number>>;
}

export interface SearchTrace {
  /** Facts are made only if somebody listens. */
  add(step: string, block: number | undefined, facts: () => TraceLine['facts']): void;
  readonly lines: readonly TraceLine[];
}

export function createSearchTrace(): SearchTrace {
  const lines: TraceLine[] = [];
  return { add: (step, block, facts) => void lines.push({ step, block, facts: facts() }), lines };
}

export const noTrace: SearchTrace = { add: () => {}, lines: [] };
