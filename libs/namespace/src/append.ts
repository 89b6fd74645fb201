import { backoffMs, type ErrorCode, isLagoonError, LagoonError } from '@lagoon/base';
import type { CreateResult } from '@lagoon/object-store';
import type { LogContext } from './context.ts';
import { type HeirDraft, isBodyTooOld, type SealedEntry, sealEntry, type WrittenBody } from './draft.ts';
import { type ReadEntry, readEntry } from './entry-reader.ts';
import { checkFloor, type FloorCheck } from './floor.ts';
import { fold } from './fold.ts';
import type { EntryDraft, NamespaceEvent } from './namespace-log.ts';
import { isProven, proofBy } from './proof.ts';
import type { NamespaceView, Proof } from './view.ts';
import { apply } from './walk.ts';

/** How often one number is tried while the store gives no clear answer. */
const attemptCountMax = 6;
const backoff = { firstDelayMs: 20, delayMsMax: 1_000 };

export type CommitResult =
  /** `object` is what lies there, where this call wrote it. */
  | { readonly outcome: 'won'; readonly view: NamespaceView; readonly object: Uint8Array | undefined }
  /** The number holds another's entry, which is in the view. */
  | {
      readonly outcome: 'lost';
      readonly view: NamespaceView;
      readonly events: readonly NamespaceEvent[];
      readonly body: WrittenBody | undefined;
    }
  /** Lost below the floor: nothing was written, start over at the head. */
  | { readonly outcome: 'below_floor'; readonly body: WrittenBody | undefined };

export interface CommitOptions {
  readonly earlierBody: WrittenBody | undefined;
  /** Whether the entry may still be created; asked before every attempt but the first. */
  readonly isStillValid: () => boolean;
}

type Verdict =
  /** The proof is of the moment since when the number was certainly the newest. */
  | { readonly kind: 'won'; readonly proof: Proof; readonly found: ReadEntry | undefined }
  | { readonly kind: 'lost'; readonly winner: ReadEntry }
  | { readonly kind: 'unreadable'; readonly error: unknown }
  /** The store said that the number is taken, or said nothing, and nothing is there. */
  | { readonly kind: 'absent' };

/**
 * Tries to make the draft generation view + 1. The outcome is what log/<view + 1> holds, never a status alone; and it counts only if
 * a floor check, by the view or by a listing beside the request, says that this number was never removed.
 * Throws `unavailable` with reason `outcome_unknown` where that cannot be known any more.
 */
export async function commit(
  context: LogContext,
  view: NamespaceView,
  draft: EntryDraft | HeirDraft,
  options: CommitOptions,
  signal?: AbortSignal,
): Promise<CommitResult> {
  const attempt: Attempt = {
    sealed: await sealEntry(context, view, draft, options.earlierBody, undefined, signal),
    proof: view.proof,
    firstSent: undefined,
    maybeApplied: false,
    cause: undefined,
  };
  try {
    for (let index = 0; index < attemptCountMax; index++) {
      if (index > 0) {
        await context.clock.sleep(backoffMs(context.random, backoff, index), signal);
        if (!options.isStillValid()) break;
      }
      if (isBodyTooOld(context, attempt.sealed.body)) {
        attempt.sealed = await sealEntry(context, view, draft, undefined, attempt.sealed.commitId, signal);
      }
      const result = await tryOnce(context, view, attempt, signal);
      if (result !== undefined) return result;
    }
  } catch (error) {
    if (!attempt.maybeApplied) throw error;
    throw outcomeUnknown(attempt.sealed.key, error);
  }
  const { key } = attempt.sealed;
  if (attempt.maybeApplied) throw outcomeUnknown(key, attempt.cause);
  throw new LagoonError('unavailable', 'the store gives no clear answer', { context: { key }, cause: attempt.cause });
}

/** What is known while one number is tried. */
interface Attempt {
  sealed: SealedEntry;
  /** The newest floor check: the view's own, or one made on the way. */
  proof: Proof | undefined;
  firstSent: Proof | undefined;
  /** Whether a request may have been applied, or may still be. */
  maybeApplied: boolean;
  cause: unknown;
}

/** One request and what came of it; undefined: nothing is known yet, try again. */
async function tryOnce(
  context: LogContext,
  view: NamespaceView,
  attempt: Attempt,
  signal?: AbortSignal,
): Promise<CommitResult | undefined> {
  const beside = startFloorCheck(context, view.name, attempt.proof, signal);
  try {
    const sent = context.time.now();
    attempt.firstSent ??= sent;
    const result = await createEntry(context, attempt, signal);
    context.metrics.appended(metricOf[result.outcome]);
    if (result.outcome !== 'exists') attempt.maybeApplied = true;
    if (result.outcome === 'unknown') attempt.cause = result.cause;
    const verdict = await judge(context, view, attempt, result, sent, signal);
    if (verdict === undefined) return undefined;
    if (verdict.kind === 'won') attempt.maybeApplied = true;
    const floor = await ensureProven(context, view, attempt, beside, signal);
    if (floor > view.generation) return belowFloor(attempt);
    return conclude(context, view, attempt, verdict);
  } finally {
    await beside;
  }
}

/** The number may have been removed: only if every attempt was refused is it certain that nothing was written. */
function belowFloor(attempt: Attempt): CommitResult {
  if (attempt.maybeApplied) throw outcomeUnknown(attempt.sealed.key, undefined);
  return { outcome: 'below_floor', body: attempt.sealed.body };
}

function conclude(
  context: LogContext,
  view: NamespaceView,
  attempt: Attempt,
  verdict: Verdict,
): CommitResult | undefined {
  const { sealed, proof } = attempt;
  switch (verdict.kind) {
    case 'won':
      return verdict.found === undefined
        ? { outcome: 'won', view: { ...sealed.folded, proof: verdict.proof }, object: sealed.object }
        : { outcome: 'won', view: { ...fold(view, verdict.found).view, proof: verdict.proof }, object: undefined };
    case 'lost': {
      const events: NamespaceEvent[] = [];
      const after = apply(context, view, verdict.winner, events);
      return { outcome: 'lost', view: { ...after, proof }, events, body: sealed.body };
    }
    case 'unreadable':
      throw verdict.error;
    case 'absent':
      return undefined;
  }
}

const metricOf = { created: 'won', exists: 'lost', unknown: 'unknown' } as const;

/** Only an unproven writer needs it; it runs beside the request, and a failure counts when its answer is needed. */
function startFloorCheck(
  context: LogContext,
  name: string,
  proof: Proof | undefined,
  signal?: AbortSignal,
): Promise<FloorCheck | undefined> | undefined {
  if (isProven(proof, context.time.now())) return undefined;
  return checkFloor(context, name, signal).catch(() => undefined);
}

/** With these codes the store says that it has not done what it was asked. */
export const refusals: readonly ErrorCode[] = [
  'invalid_argument',
  'permission_denied',
  'unauthenticated',
  'resource_exhausted',
];

/** A definite refusal is thrown; whatever leaves the outcome open is `unknown`. */
async function createEntry(context: LogContext, attempt: Attempt, signal?: AbortSignal): Promise<CreateResult> {
  const { key, object } = attempt.sealed;
  try {
    const result = await context.store.create(key, object, signal);
    context.time.answered(result);
    return result;
  } catch (error) {
    if (isLagoonError(error) && refusals.includes(error.code)) throw error;
    if (signal?.aborted) throw outcomeUnknown(key, error);
    return { outcome: 'unknown', cause: error, storeTimeMs: undefined };
  }
}

/** What the number holds; undefined where even that cannot be read now. */
async function judge(
  context: LogContext,
  view: NamespaceView,
  attempt: Attempt,
  result: CreateResult,
  sent: Proof,
  signal?: AbortSignal,
): Promise<Verdict | undefined> {
  if (result.outcome === 'created') return { kind: 'won', proof: proofBy(sent, result), found: undefined };
  try {
    const known = view.live?.manifest.generation ?? 0;
    const { entry } = await readEntry(context, view.name, view.generation + 1, known, signal);
    if (entry === undefined) return { kind: 'absent' };
    // An earlier request may be the one that was applied, so the proof goes back to the first; and a handed manifest may have been
    // appended by another writer, in other bytes: the next entry chains to those that lie there.
    if (entry.header.commitId === attempt.sealed.commitId) {
      return { kind: 'won', proof: attempt.firstSent ?? sent, found: entry };
    }
    return { kind: 'lost', winner: entry };
  } catch (error) {
    if (isLagoonError(error, 'unavailable')) return undefined;
    if (isLagoonError(error, 'corrupt')) return { kind: 'unreadable', error };
    throw error;
  }
}

/** The largest floor as of now, as far as it matters: 0 where the proof at hand still holds when the answer is there. */
async function ensureProven(
  context: LogContext,
  view: NamespaceView,
  attempt: Attempt,
  beside: Promise<FloorCheck | undefined> | undefined,
  signal?: AbortSignal,
): Promise<number> {
  const early = await beside;
  if (early !== undefined) {
    attempt.proof = early.proof;
    if (early.floor > view.generation) return early.floor;
  }
  if (isProven(attempt.proof, context.time.now())) return 0;
  const check = await checkFloor(context, view.name, signal);
  attempt.proof = check.proof;
  return check.floor;
}

function outcomeUnknown(key: string, cause: unknown): LagoonError {
  if (isLagoonError(cause) && cause.reason === 'outcome_unknown') return cause;
  return new LagoonError('unavailable', 'the write may or may not have been applied', {
    reason: 'outcome_unknown',
    context: { key },
    cause,
  });
}
