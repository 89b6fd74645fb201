/**
 * Shares probes among those who wait for one, never with somebody who came after it was sent: who arrives while one is under
 * way gets the next, together with all others who arrive until that one is sent.
 */
export interface ProbeQueue {
  /** The outcome of a probe that was sent after this call. */
  sentFromNow(): Promise<void>;
  /** The probe that is under way, and since when; undefined where none is. */
  readonly underWay: { readonly done: Promise<void>; readonly sentAtMs: number } | undefined;
}

export function createProbeQueue(nowMs: () => number, probe: () => Promise<void>): ProbeQueue {
  let underWay: { readonly done: Promise<void>; readonly sentAtMs: number } | undefined;
  let next: Promise<void> | undefined;
  const send = (): Promise<void> => {
    const sentAtMs = nowMs();
    const done = probe().finally(() => {
      underWay = undefined;
    });
    underWay = { done, sentAtMs };
    return done;
  };
  return {
    get underWay() {
      return underWay;
    },
    sentFromNow: () => {
      if (underWay === undefined) return send();
      next ??= underWay.done
        .catch(() => {}) // its own waiters see the failure
        .then(() => {
          next = undefined;
          return send();
        });
      return next;
    },
  };
}
