import { type Clock, type Log, toLagoonError } from '@lagoon/base';

/** Something to be closed when those before it are. */
export interface ClosingStep {
  readonly name: string;
  close(): Promise<void>;
}

/**
 * Closes one after the other, but waits for none of them longer than until `deadlineMs` of the monotonic clock: a store that
 * hangs must not keep a process that was told to stop. What is not closed by then is told and left; nothing that was
 * acknowledged depends on it.
 */
export async function closeInTime(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  steps: readonly ClosingStep[],
  deadlineMs: number,
): Promise<void> {
  for (const { name, close } of steps) {
    const closed = close().then(
      () => true,
      (error: unknown) => {
        log.warn('closing failed', { what: name, error: toLagoonError(error) });
        return true;
      },
    );
    const late = createAlarm(clock, Math.max(0, deadlineMs - clock.monotonicMs()));
    const isClosed = await Promise.race([closed, late.rings]);
    late.cancel();
    if (!isClosed) log.warn('not closed within the grace period', { what: name });
  }
}

function createAlarm(clock: Clock, delayMs: number) {
  const { promise, resolve } = Promise.withResolvers<false>();
  const timer = clock.setTimer(delayMs, () => resolve(false));
  return { rings: promise, cancel: () => timer.cancel() };
}
