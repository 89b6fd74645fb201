import { type Clock, createRandomId, LagoonError, type Random } from '@lagoon/base';
import type { EntryDraft, NamespaceLog, NamespaceView } from '@lagoon/namespace';
import type { IngesterConfig } from './config.ts';
import { type ResolvedGroup, resolveGroup } from './group.ts';
import type { IdempotencyTable } from './idempotency-table.ts';
import type { BlockResolver, WriteRequest } from './write-request.ts';

export interface GroupCommitDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespaceLog: NamespaceLog;
  readonly table: IdempotencyTable;
  readonly resolveBlock: BlockResolver;
}

export interface CommittedGroup {
  readonly resolved: ResolvedGroup;
  /** After the group's entry; or as probed, where nothing had to be committed. */
  readonly view: NamespaceView;
  readonly isCommitted: boolean;
}

/** How often a group is resolved anew because a winner moved records out of the tail. */
const loadCountMax = 8;

/** Thrown out of the resolution where a newer manifest has moved records that are not read yet. */
class RecordsNeeded extends Error {
  override readonly name = 'RecordsNeeded';
}

/**
 * Commits one closed group behind the view. Records of idempotency keys that left the tail are read first, and again where a
 * lost race was one to a manifest that moved more of them.
 */
export async function commitGroup(
  deps: GroupCommitDeps,
  config: IngesterConfig,
  view: NamespaceView,
  writes: readonly WriteRequest[],
  signal: AbortSignal,
): Promise<CommittedGroup> {
  const isKeyed = writes.some((write) => write.idempotency !== undefined);
  const birth = { incarnation: createRandomId(deps.random), family: createRandomId(deps.random) };
  let at = view;
  let resolved: ResolvedGroup | undefined;
  const build = (current: NamespaceView): EntryDraft | 'nothing' => {
    at = current;
    deps.table.absorb(current);
    if (isKeyed && !deps.table.covers(current)) throw new RecordsNeeded();
    const context = {
      view: current,
      birth,
      nowMs: deps.clock.wallMs(),
      resolveBlock: deps.resolveBlock,
      findRecord: deps.table.find,
      recordCount: deps.table.size,
    };
    resolved = resolveGroup(writes, context, config);
    return resolved.draft;
  };
  for (let loadCount = 0; loadCount < loadCountMax; loadCount++) {
    if (isKeyed) await loadRecords(deps, at, signal);
    try {
      const result = await deps.namespaceLog.append(at, build, signal);
      if (resolved === undefined) throw new LagoonError('internal', 'an append ended without asking for its entry');
      deps.table.absorb(result.view);
      return { resolved, view: result.view, isCommitted: result.outcome === 'committed' };
    } catch (error) {
      if (!(error instanceof RecordsNeeded)) throw error;
    }
  }
  throw new LagoonError('unavailable', 'the namespace changes too fast', { context: { namespace: at.name } });
}

async function loadRecords(deps: GroupCommitDeps, view: NamespaceView, signal: AbortSignal): Promise<void> {
  deps.table.absorb(view);
  if (deps.table.covers(view)) return;
  deps.table.absorbParts(view, await deps.namespaceLog.readIdempotencyParts(view, signal));
}
