import { type Clock, createSemaphore, deadlineSignal, isLagoonError, LagoonError, type Timer } from '@lagoon/base';
import { createBlockCache } from '@lagoon/cache';
import type { NamespaceLog, NamespaceView, ReadResult } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { type CurrentRows, createCurrentRows, type RowSnapshot } from '@lagoon/query';
import type { IngesterConfig } from './config.ts';
import type { HeapArena } from './heap-arena.ts';
import type { RowHolder, RowMemory } from './row-memory.ts';

/**
 * The rows of one namespace for the writes that depend on them. Nothing is held until the first of those comes, nor long after
 * the last; meanwhile the rows follow what this process commits and what it loses to, so the log is not read again.
 *
 * Invariants:
 * - `followed` is the view that the rows, with what is pending, are of;
 * - what cannot be followed (a birth, an end, a gap) is let go or read again, never guessed.
 */
export interface NamespaceRows {
  /** Loads rows beside the commits, so that a group does not wait for them. */
  warm(view: NamespaceView | undefined, signal?: AbortSignal): Promise<void>;
  /** Brings the rows to the view, or both to a newer one. The rows are exactly of the view that is returned. */
  reach(view: NamespaceView, signal: AbortSignal): Promise<ReachedRows>;
  /** What was read behind the view of that generation. */
  follow(generation: number, read: ReadResult): void;
  /** An entry of this process: its parts, in the order in which they apply. */
  committed(view: NamespaceView, parts: readonly Uint8Array[]): void;
  letGo(): void;
  /** What the rows follow, where any are held. */
  readonly view: NamespaceView | undefined;
}

export interface ReachedRows {
  readonly view: NamespaceView;
  /** Undefined: nothing lives. */
  readonly rows: RowSnapshot | undefined;
}

export interface NamespaceRowsDeps {
  readonly name: string;
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly namespaceLog: NamespaceLog;
  readonly memory: RowMemory;
}

type RowsConfig = Pick<
  IngesterConfig,
  'rowsIdleMs' | 'rowsPendingBytesMax' | 'rowsCompactBatchCount' | 'commitTimeoutMs'
>;

interface PendingParts {
  readonly generation: number;
  readonly incarnation: string;
  readonly parts: readonly Uint8Array[];
}

/** How often rows are read anew because objects of theirs are gone. */
const attemptCountMax = 3;
const waitingCountMax = 100_000;

export function createNamespaceRows(deps: NamespaceRowsDeps, config: RowsConfig): NamespaceRows {
  const { clock, memory, namespaceLog } = deps;
  const lock = createSemaphore({ name: 'rows of a namespace', permitCount: 1, waitingCountMax });
  let content: { readonly arena: HeapArena; readonly rows: CurrentRows } | undefined;
  let followed: NamespaceView | undefined;
  let pending: PendingParts[] = [];
  let pendingBytes = 0;
  /** Batches in the rows that a newer manifest may have indexed. */
  let appliedBatchCount = 0;
  /** The rows begin anew with the manifest of `followed`. */
  let isReset = false;
  let published: RowSnapshot | undefined;
  let lastUsedMs = 0;
  let idleTimer: Timer | undefined;

  const holder: RowHolder = {
    get isIdle() {
      return lock.inUse === 0;
    },
    letGo: () => letGo(),
  };

  const closeContent = (): void => {
    content?.rows.close();
    content?.arena.close();
    content = undefined;
  };
  const letGo = (): void => {
    closeContent();
    followed = undefined;
    published = undefined;
    clearPending();
    idleTimer?.cancel();
    idleTimer = undefined;
    memory.gone(holder);
  };
  const clearPending = (): void => {
    pending = [];
    pendingBytes = 0;
  };

  const used = (): void => {
    lastUsedMs = clock.monotonicMs();
    memory.used(holder);
    idleTimer ??= clock.setTimer(config.rowsIdleMs, letGoIdle);
  };
  const letGoIdle = (): void => {
    idleTimer = undefined;
    const restMs = lastUsedMs + config.rowsIdleMs - clock.monotonicMs();
    if (restMs > 0 || lock.inUse > 0) idleTimer = clock.setTimer(Math.max(restMs, 1_000), letGoIdle);
    else letGo();
  };

  const startOver = (read: ReadResult): void => {
    clearPending();
    isReset = true;
    published = undefined;
    followed = read.view;
    take(read);
  };
  const take = (read: ReadResult): void => {
    const incarnation = read.view.live?.incarnation ?? '';
    for (const event of read.events) {
      if (event.kind === 'batch') add({ generation: event.generation, incarnation, parts: event.parts });
    }
    followed = read.view;
  };
  const add = (batch: PendingParts): void => {
    if (batch.parts.length === 0) return;
    pending.push(batch);
    for (const part of batch.parts) pendingBytes += part.byteLength;
  };

  const follow = (read: ReadResult): void => {
    if (followed === undefined) return;
    const isOther = read.events.some((event) => event.kind === 'birth' || event.kind === 'truncate');
    if (read.restarted || isOther || read.view.live?.incarnation !== followed.live?.incarnation) letGo();
    else take(read);
  };

  /** Makes `followed` a view that is not behind the given one, reading the log only where it is not known. */
  const catchUp = async (view: NamespaceView, signal: AbortSignal): Promise<void> => {
    for (;;) {
      const from = followed;
      if (from === undefined) {
        startOver(
          view.live === undefined
            ? { view, restarted: true, events: [] }
            : await namespaceLog.open(deps.name, {}, signal),
        );
      } else if (from.generation < view.generation) {
        const read = await namespaceLog.advance(from, { generationMin: view.generation }, signal);
        if (followed === from) follow(read); // else a commit has gone on meanwhile
      } else {
        // Of two equal views, the caller's may have the younger proof.
        if (from.generation === view.generation) followed = view;
        return;
      }
    }
  };

  /** Brings the rows to `followed`, also where that moves on meanwhile. */
  const load = async (signal: AbortSignal): Promise<RowSnapshot | undefined> => {
    for (;;) {
      const live = followed?.live;
      if (followed === undefined || live === undefined) {
        closeContent();
        clearPending();
        return undefined;
      }
      if (published !== undefined && !isReset && pending.length === 0) return published;
      checkSize(followed);
      content ??= makeContent();
      const { rows } = content;
      if (isReset) {
        isReset = false;
        appliedBatchCount = 0;
        await rows.reset(live.manifest, signal);
        continue;
      }
      const batch = pending[0];
      if (batch === undefined) {
        published = rows.publish(followed.generation, live.schema);
        return published;
      }
      published = undefined;
      await rows.apply(batch.generation, batch.incarnation, batch.parts, signal);
      if (pending[0] !== batch) continue; // begun anew meanwhile
      pending.shift();
      for (const part of batch.parts) pendingBytes -= part.byteLength;
      appliedBatchCount++;
    }
  };

  const makeContent = (): NonNullable<typeof content> => {
    const arena = memory.createArena();
    return { arena, rows: createCurrentRows({ store: deps.store, cache: createBlockCache({ arena }) }) };
  };

  const checkSize = (view: NamespaceView): void => {
    let bytes = pendingBytes;
    for (const { object } of view.live?.manifest.segments ?? []) bytes += object.size;
    if (bytes <= memory.bytesMax) return;
    throw new LagoonError('invalid_argument', 'the namespace is too large for writes that depend on its rows', {
      reason: 'too_large',
      context: { namespace: deps.name, bytes, rowsBytesMax: memory.bytesMax },
    });
  };

  /** Other namespaces make room. */
  const loadWithRoom = async (signal: AbortSignal): Promise<RowSnapshot | undefined> => {
    for (;;) {
      try {
        return await load(signal);
      } catch (error) {
        if (!isLagoonError(error, 'resource_exhausted') || !memory.evictOne(holder)) throw error;
        startAgain();
      }
    }
  };
  /** A load that stopped half-way is not gone on with. */
  const startAgain = (): void => {
    const from = followed;
    letGo();
    if (from !== undefined) used();
  };

  const reach = async (view: NamespaceView, signal: AbortSignal): Promise<ReachedRows> => {
    used();
    for (let attempt = 1; ; attempt++) {
      try {
        await catchUp(view, signal);
        const rows = await loadWithRoom(signal);
        if (followed === undefined) continue;
        used(); // also where they were let go and read again on the way
        return { view: followed, rows };
      } catch (error) {
        letGo();
        if (!isLagoonError(error, 'not_found')) throw error;
        if (attempt >= attemptCountMax) throw rowsGone(deps.name, error);
      }
    }
  };

  /** Where much of what was applied is indexed by now, the segments take its place. */
  const compact = async (signal: AbortSignal): Promise<void> => {
    const manifest = followed?.live?.manifest;
    if (content === undefined || manifest === undefined || appliedBatchCount < config.rowsCompactBatchCount) return;
    if (manifest.generation === 0 || isReset) return;
    published = undefined;
    appliedBatchCount = followed?.live?.tail.length ?? 0;
    try {
      await content.rows.compact(manifest, signal);
    } catch (error) {
      letGo();
      if (!isLagoonError(error, 'not_found')) throw error;
    }
  };

  return {
    get view() {
      return followed;
    },
    warm: async (view, signal) => {
      using deadline = deadlineSignal(clock, config.commitTimeoutMs, signal);
      using _lock = await lock.acquire(deadline.signal);
      const known = followed ?? view;
      if (known === undefined) startOver(await namespaceLog.open(deps.name, {}, deadline.signal));
      const from = followed ?? known;
      if (from === undefined) return;
      await reach(from, deadline.signal);
      await compact(deadline.signal);
    },
    reach: async (view, signal) => {
      using _lock = await lock.acquire(signal);
      return await reach(view, signal);
    },
    follow: (generation, read) => {
      if (followed?.generation === generation) follow(read);
    },
    committed: (view, parts) => {
      if (followed === undefined || followed.generation !== view.generation - 1) return;
      const incarnation = view.live?.incarnation ?? '';
      if (followed.live?.incarnation !== view.live?.incarnation) {
        if (view.live?.birthGeneration !== view.generation) return letGo();
        startOver({ view, restarted: true, events: [] });
      }
      add({ generation: view.generation, incarnation, parts });
      followed = view;
      if (pendingBytes > config.rowsPendingBytesMax) letGo();
    },
    letGo,
  };
}

function rowsGone(namespace: string, cause: LagoonError): LagoonError {
  return new LagoonError('unavailable', 'the rows of the namespace move too fast to be read', {
    context: { namespace },
    cause,
  });
}
