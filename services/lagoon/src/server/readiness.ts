/** Whether traffic should come here, and if not, why. Never waits for anything. */
export interface Readiness {
  /** Undefined: ready. */
  readonly reason: string | undefined;
  readonly isStopping: boolean;
  markStarted(): void;
  markStopping(): void;
  /** What the store monitor found; undefined: the store answers. */
  setStoreFailure(failure: string | undefined): void;
}

export function createReadiness(): Readiness {
  let phase: 'starting' | 'started' | 'stopping' = 'starting';
  let storeFailure: string | undefined;
  return {
    get reason() {
      if (phase !== 'started') return phase;
      return storeFailure === undefined ? undefined : `the store fails: ${storeFailure}`;
    },
    get isStopping() {
      return phase === 'stopping';
    },
    markStarted: () => {
      if (phase === 'starting') phase = 'started';
    },
    markStopping: () => {
      phase = 'stopping';
    },
    setStoreFailure: (failure) => {
      storeFailure = failure;
    },
  };
}
