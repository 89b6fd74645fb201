/**
 * Shares probes among those who wait for one, never with somebody who came after it was sent: who arrives while one is under
 * way gets the next, together with all others who arrive until that one is sent. There is never more than one.
 */
export interface ProbeQueue<T> {
  /** The outcome of a probe that was sent after this call. */
  sentFromNow(): Promise<void>;
  /** The probe that is under way, and since when; undefined where none is. */
  readonly underWay: { readonly done: Promise<void>; readonly sentAt: T } | undefined;
}

/** `now` is of whatever clocks the caller compares ages by. */
export function createProbeQueue<T>(now: () => T, probe: (sentAt: T) => Promise<void>): ProbeQueue<T> {
  let underWay: { readonly done: Promise<void>; readonly sentAt: T } | undefined;
  let next: Promise<void> | undefined;
  const send = (): Promise<void> => {
    const sentAt = now();
    const done = probe(sentAt).finally(() => {
      underWay = undefined;
    });
    underWay = { done, sentAt };
    return done;
  };
  return {
    get underWay() {
      return underWay;
    },
    sentFromNow: () => {
      // In the turns between the end of one probe and the start of the next, none is under way and yet there is one to share.
      if (next !== undefined) return next;
      if (underWay === undefined) return send();
      next = underWay.done
        .catch(() => {}) // its own waiters see the failure
        .then(() => {
          next = undefined;
          return send();
        });
      return next;
    },
  };
}
