import { LagoonError } from '@lagoon/base';
import { isNamed } from './error-wire.ts';

/** The caller's side of a call that ended for its own reasons: the same errors on both transports. */
export function abortedError(reason: unknown, method: string): LagoonError {
  if (reason instanceof LagoonError) return reason;
  if (isNamed(reason, 'TimeoutError')) return deadlineError(method);
  return new LagoonError('cancelled', 'the call was cancelled', { cause: reason, context: { method } });
}

export function deadlineError(method: string): LagoonError {
  return new LagoonError('deadline_exceeded', 'no answer in time', { context: { method } });
}

/** Throws when there is no time or no caller left before the call begins. */
export function checkBeforeCall(method: string, timeoutMs: number, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal.reason, method);
  if (!(timeoutMs > 0)) throw deadlineError(method);
}
