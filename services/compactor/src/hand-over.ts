import type { MessageInitShape } from '@bufbuild/protobuf';
import { isLagoonError, type Log } from '@lagoon/base';
import type { ManifestCommitter, NamespaceLog, NamespaceView, PreparedManifest } from '@lagoon/namespace';
import {
  type AppendManifestRequestSchema,
  AppendManifestResponse_Outcome,
  type IngesterService,
} from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import type { ServiceClient } from '@lagoon/rpc';

export interface HandOverDeps {
  readonly log: Log;
  readonly namespaceLog: NamespaceLog;
  readonly committer: ManifestCommitter;
  ingester(namespace: string): ServiceClient<typeof IngesterService> | undefined;
  /** Those beside the namespace's own; default: none. */
  otherIngesters?(namespace: string): readonly ServiceClient<typeof IngesterService>[];
}

export interface HandOverResult {
  readonly outcome: 'committed' | 'superseded' | 'refused';
  /** Whether an ingester ever got the entry, and may still append it. */
  readonly isHandedOver: boolean;
  /** After an append of our own. */
  readonly view: NamespaceView | undefined;
  /** Of the committed entry. */
  readonly generation: number | undefined;
}

/** Ingesters that write to one namespace at the same time are seldom more than two. */
const otherIngesterCountMax = 8;

/**
 * Commits a prepared manifest: gives it to the namespace's ingester, who puts it between two groups, so that a busy
 * ingester does not win every race; appends it itself where none answers. Other ingesters that write to the namespace at this
 * moment get it too: of several busy ones, the one without it could win every race. Whoever appends, the commit id makes it one.
 */
export async function handOver(
  deps: HandOverDeps,
  view: NamespaceView,
  prepared: PreparedManifest,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<HandOverResult> {
  const ingester = deps.ingester(view.name);
  if (ingester !== undefined) {
    const others = (deps.otherIngesters?.(view.name) ?? []).slice(0, otherIngesterCountMax);
    const handed = await giveToAll(deps, [ingester, ...others], view.name, prepared, timeoutMs, signal);
    if (handed !== undefined) return handed;
  }
  const result = await deps.committer.append(deps.namespaceLog, view, prepared, signal);
  return {
    outcome: result.outcome,
    isHandedOver: ingester !== undefined,
    view: result.view,
    generation: result.outcome === 'committed' ? result.generation : undefined,
  };
}

/** The first answer that settles it, from the namespace's own ingester or another one; the other calls are given up then. */
async function giveToAll(
  deps: HandOverDeps,
  [own, ...others]: readonly [ServiceClient<typeof IngesterService>, ...ServiceClient<typeof IngesterService>[]],
  namespace: string,
  prepared: PreparedManifest,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<HandOverResult | undefined> {
  const request = { namespace, manifestEntry: prepared.message, commitId: prepared.commitId };
  const settled = new AbortController();
  const leave = (): void => settled.abort(signal?.reason);
  signal?.addEventListener('abort', leave, { once: true });
  try {
    return await new Promise<HandOverResult | undefined>((resolve, reject) => {
      const calls = [
        give(deps, own, request, timeoutMs, settled.signal),
        ...others.map((other) => give(deps, other, { ...request, onlyIfWriting: true }, timeoutMs, settled.signal)),
      ];
      for (const call of calls) {
        call.then((result) => {
          if (result !== undefined) resolve(result);
        }, reject);
      }
      Promise.allSettled(calls).then(() => resolve(undefined), reject);
    });
  } finally {
    signal?.removeEventListener('abort', leave);
    settled.abort();
  }
}

/** Undefined: no answer that settles it. */
async function give(
  deps: HandOverDeps,
  ingester: ServiceClient<typeof IngesterService>,
  request: MessageInitShape<typeof AppendManifestRequestSchema>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HandOverResult | undefined> {
  try {
    const response = await ingester.appendManifest(request, { timeoutMs, signal });
    const outcome = outcomeOf[response.outcome];
    if (outcome === undefined) return undefined;
    const generation = outcome === 'committed' ? Number(response.manifestGeneration) : undefined;
    return { outcome, isHandedOver: true, view: undefined, generation };
  } catch (error) {
    signal.throwIfAborted();
    if (isLagoonError(error, 'corrupt')) throw error;
    deps.log.debug('no ingester takes the manifest', { namespace: request.namespace, error });
    return undefined;
  }
}

const outcomeOf: Partial<Record<AppendManifestResponse_Outcome, HandOverResult['outcome']>> = {
  [AppendManifestResponse_Outcome.COMMITTED]: 'committed',
  [AppendManifestResponse_Outcome.SUPERSEDED]: 'superseded',
  [AppendManifestResponse_Outcome.REFUSED]: 'refused',
};
