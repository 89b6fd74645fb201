import { isLagoonError, type Log } from '@lagoon/base';
import type { ManifestCommitter, NamespaceLog, NamespaceView, PreparedManifest } from '@lagoon/namespace';
import { AppendManifestResponse_Outcome, type IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import type { ServiceClient } from '@lagoon/rpc';

export interface HandOverDeps {
  readonly log: Log;
  readonly namespaceLog: NamespaceLog;
  readonly committer: ManifestCommitter;
  ingester(namespace: string): ServiceClient<typeof IngesterService> | undefined;
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

/**
 * Commits a prepared manifest: gives it to the namespace's ingester, who puts it between two groups, so that a busy
 * ingester does not win every race; appends it itself where none answers. Both may do so: the commit id makes it one.
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
    const handed = await give(deps, ingester, view.name, prepared, timeoutMs, signal);
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

/** Undefined: no answer that settles it. */
async function give(
  deps: HandOverDeps,
  ingester: ServiceClient<typeof IngesterService>,
  namespace: string,
  prepared: PreparedManifest,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<HandOverResult | undefined> {
  try {
    const request = { namespace, manifestEntry: prepared.message, commitId: prepared.commitId };
    const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal };
    const response = await ingester.appendManifest(request, options);
    const outcome = outcomeOf[response.outcome];
    if (outcome === undefined) return undefined;
    const generation = outcome === 'committed' ? Number(response.manifestGeneration) : undefined;
    return { outcome, isHandedOver: true, view: undefined, generation };
  } catch (error) {
    signal?.throwIfAborted();
    if (isLagoonError(error, 'corrupt')) throw error;
    deps.log.debug('no ingester takes the manifest', { namespace, error });
    return undefined;
  }
}

const outcomeOf: Partial<Record<AppendManifestResponse_Outcome, HandOverResult['outcome']>> = {
  [AppendManifestResponse_Outcome.COMMITTED]: 'committed',
  [AppendManifestResponse_Outcome.SUPERSEDED]: 'superseded',
  [AppendManifestResponse_Outcome.REFUSED]: 'refused',
};
