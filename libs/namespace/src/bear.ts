import { createRandomId, LagoonError } from '@lagoon/base';
import { commit, refusals } from './append.ts';
import { removeCatalogMarker, writeCatalogMarker } from './catalog.ts';
import type { LogContext } from './context.ts';
import type { HeirDraft } from './draft.ts';
import { writeMember } from './family.ts';
import { surveyNamespace } from './floor.ts';
import { emptyView, openNamespace } from './open.ts';
import type { IdempotencyRecord, Instant, NamespaceView } from './view.ts';

export interface BirthRequest {
  readonly name: string;
  /** As far as the caller knows it. */
  readonly view: NamespaceView | undefined;
  /** Asked once; throws where there is no such instant. */
  find(signal?: AbortSignal): Promise<Instant>;
  /** After the family record is there: throws `gone` where the instant may be collected. */
  confirm(instant: Instant, signal?: AbortSignal): Promise<void>;
  readonly idempotency: readonly Omit<IdempotencyRecord, 'generation'>[];
}

export type BirthOutcome =
  | { readonly outcome: 'born'; readonly generation: number; readonly incarnation: string; readonly origin: Instant }
  /** Something lives there already: nothing was done. */
  | { readonly outcome: 'lives'; readonly view: NamespaceView };

const attemptCountMax = 5;

/**
 * Gives a name where nothing lives an incarnation that begins as the instant. The order is what makes it safe against garbage collection
 * (README): head of the child, family record, confirmation, marker, birth entry. A record is good for one number only: whoever loses
 * it begins again with another incarnation, and the record stays for garbage collection.
 */
export async function bear(context: LogContext, request: BirthRequest, signal?: AbortSignal): Promise<BirthOutcome> {
  let view = request.view ?? (await findHead(context, request.name, signal));
  let instant: Instant | undefined;
  for (let attempt = 0; attempt < attemptCountMax; attempt++) {
    if (view.live !== undefined) return { outcome: 'lives', view };
    instant ??= await request.find(signal);
    const result = await tryBear(context, view, instant, request, signal);
    if (result.outcome === 'born') return result;
    view = result.view ?? (await openNamespace(context, request.name, {}, signal)).view;
  }
  throw new LagoonError('unavailable', 'too many lost races', {
    context: { namespace: request.name },
    retryAfterMs: 100,
  });
}

/** A name that was never used is told by one listing. */
async function findHead(context: LogContext, name: string, signal?: AbortSignal): Promise<NamespaceView> {
  const survey = await surveyNamespace(context, name, signal);
  if (survey.listedGeneration === 0 && survey.floor === 0) return { ...emptyView(name), proof: survey.proof };
  return (await openNamespace(context, name, {}, signal)).view;
}

async function tryBear(
  context: LogContext,
  view: NamespaceView,
  origin: Instant,
  request: BirthRequest,
  signal?: AbortSignal,
): Promise<
  (BirthOutcome & { readonly outcome: 'born' }) | { readonly outcome: 'lost'; readonly view: NamespaceView | undefined }
> {
  const { name } = view;
  const incarnation = createRandomId(context.random);
  const birthGeneration = view.generation + 1;
  await writeMember(context.store, origin.family, { namespace: name, incarnation, birthGeneration, origin }, signal);
  await request.confirm(origin, signal);
  await writeCatalogMarker(context, name, incarnation, signal);
  const draft: HeirDraft = { kind: 'heir', incarnation, origin, idempotency: request.idempotency };
  const options = { earlierBody: undefined, isStillValid: () => true };
  const result = await commit(context, view, draft, options, signal).catch(async (error: unknown) => {
    if (error instanceof LagoonError && refusals.includes(error.code)) {
      await removeCatalogMarker(context, name, incarnation, signal);
    }
    throw error;
  });
  if (result.outcome === 'won') return { outcome: 'born', generation: birthGeneration, incarnation, origin };
  await removeCatalogMarker(context, name, incarnation, signal);
  return { outcome: 'lost', view: result.outcome === 'lost' ? result.view : undefined };
}
