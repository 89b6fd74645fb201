import type { Clock } from './clock.ts';

/** Lets other work of the process run where the caller has computed for `sliceMs` since it last did. */
export function createBreather(clock: Clock, sliceMs: number, signal?: AbortSignal): () => Promise<void> {
  let lastMs = clock.monotonicMs();
  return async () => {
    signal?.throwIfAborted();
    if (clock.monotonicMs() - lastMs < sliceMs) return;
    await clock.sleep(0, signal);
    lastMs = clock.monotonicMs();
  };
}
