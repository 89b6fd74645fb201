import { type Clock, createBreather, createRandomId, isLagoonError, LagoonError, type Random } from '@lagoon/base';
import { type Block, openBlock } from '@lagoon/format';
import type { EntryDraft, NamespaceLog, NamespaceView, ReadResult } from '@lagoon/namespace';
import type { IngesterConfig } from './config.ts';
import { type ResolvedGroup, resolveGroup } from './group.ts';
import type { IdempotencyTable } from './idempotency-table.ts';
import type { NamespaceRows } from './namespace-rows.ts';
import { prepareFilters } from './prepare-filters.ts';
import type { RowBasis } from './row-state.ts';
import type { WriteRequest, WriteResolver } from './write-request.ts';

export interface GroupCommitDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespaceLog: NamespaceLog;
  readonly table: IdempotencyTable;
  readonly resolveWrite: WriteResolver;
  readonly rows: NamespaceRows;
}

export interface CommittedGroup {
  readonly resolved: ResolvedGroup;
  /** After the group's entry; or as probed, where nothing had to be committed. */
  readonly view: NamespaceView;
  readonly isCommitted: boolean;
}

/** The longest that filters are searched before other work of the process runs. */
const sliceMs = 8;

/** How often a group is resolved anew because records or rows have to be read first. */
const loadCountMax = 8;

/** Thrown out of the resolution where what it needs has to be read first. */
class ReadNeeded extends Error {
  override readonly name = 'ReadNeeded';
}

/**
 * Commits one closed group behind the view. What its writes depend on is read first: records of idempotency keys that left the
 * tail, and rows. Rows then follow the races that are lost, so those cost no further read; only where a namespace was born, or
 * a manifest moved records, is anything read again.
 */
export async function commitGroup(
  deps: GroupCommitDeps,
  config: IngesterConfig,
  view: NamespaceView,
  writes: readonly WriteRequest[],
  signal: AbortSignal,
): Promise<CommittedGroup> {
  const isKeyed = writes.some((write) => write.idempotency !== undefined);
  const readsRows = writes.some((write) => write.rowWork?.readsRows === true);
  const birth = { incarnation: createRandomId(deps.random), family: createRandomId(deps.random) };
  let at = view;
  let resolved: ResolvedGroup | undefined;
  let reached: GroupRows | undefined;
  const build = (current: NamespaceView, read: ReadResult | undefined): EntryDraft | 'nothing' => {
    if (read !== undefined) {
      reached?.lost(read);
      deps.rows.follow(at.generation, read);
    }
    at = current;
    deps.table.absorb(current);
    if (isKeyed && !deps.table.covers(current)) throw new ReadNeeded();
    const context = {
      view: current,
      birth,
      nowMs: deps.clock.wallMs(),
      resolveWrite: deps.resolveWrite,
      rows: () => reached?.at(current) ?? nothingLives,
      findRecord: deps.table.find,
      recordCount: deps.table.size,
    };
    resolved = resolveGroup(writes, context, config);
    return resolved.draft;
  };
  for (let loadCount = 0; loadCount < loadCountMax; loadCount++) {
    if (isKeyed) await loadRecords(deps, at, signal);
    if (readsRows) {
      reached = await reachRows(deps.rows, at, signal);
      at = reached.view;
      const { live } = at;
      if (reached.base !== undefined && live !== undefined) {
        await prepareFilters(writes, reached.base, live.schema, createBreather(deps.clock, sliceMs, signal));
      }
    }
    try {
      const result = await deps.namespaceLog.append(at, build, signal);
      if (resolved === undefined) throw new LagoonError('internal', 'an append ended without asking for its entry');
      deps.table.absorb(result.view);
      const isCommitted = result.outcome === 'committed';
      if (isCommitted) deps.rows.committed(result.view, partsOf(resolved.draft));
      return { resolved, view: result.view, isCommitted };
    } catch (error) {
      if (!(error instanceof ReadNeeded)) throw error;
    }
  }
  throw new LagoonError('unavailable', 'the namespace changes too fast', { context: { namespace: at.name } });
}

function partsOf(draft: ResolvedGroup['draft']): readonly Uint8Array[] {
  if (draft === 'nothing') return [];
  if (draft.kind === 'birth') return draft.batch.parts;
  return draft.kind === 'batch' ? draft.parts : [];
}

const nothingLives: RowBasis = { base: undefined, layers: [] };

/** The rows that a group is resolved on, while it loses races. */
interface GroupRows {
  /** Behind which to append first. */
  readonly view: NamespaceView;
  /** Its rows; undefined where there are none, or they cannot be had. */
  readonly base: RowBasis['base'];
  lost(read: ReadResult): void;
  /** Throws what kept the rows from being read; then only the writes that need them fail. */
  at(view: NamespaceView): RowBasis;
}

async function reachRows(rows: NamespaceRows, from: NamespaceView, signal: AbortSignal): Promise<GroupRows> {
  let failure: LagoonError | undefined;
  let reached = { view: from, rows: undefined } as Awaited<ReturnType<NamespaceRows['reach']>>;
  try {
    reached = await rows.reach(from, signal);
  } catch (error) {
    if (signal.aborted || !isLagoonError(error)) throw error;
    failure = error;
  }
  const layers: Block[] = [];
  let { generation } = reached.view;
  let isFollowed = true;
  return {
    view: reached.view,
    base: reached.rows,
    lost: (read) => {
      generation = read.view.generation;
      isFollowed &&= !read.restarted;
      for (const event of read.events) {
        if (event.kind === 'birth' || event.kind === 'truncate') isFollowed = false;
        if (event.kind === 'batch') layers.push(...event.parts.map((part) => openBlock(part)));
      }
    },
    at: (view) => {
      if (view.live === undefined) return nothingLives;
      if (failure !== undefined) throw failure;
      if (!isFollowed || generation !== view.generation) throw new ReadNeeded();
      return { base: reached.rows, layers: [...layers] };
    },
  };
}

async function loadRecords(deps: GroupCommitDeps, view: NamespaceView, signal: AbortSignal): Promise<void> {
  deps.table.absorb(view);
  if (deps.table.covers(view)) return;
  deps.table.absorbParts(view, await deps.namespaceLog.readIdempotencyParts(view, signal));
}
