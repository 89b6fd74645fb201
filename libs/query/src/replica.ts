import { type Clock, deadlineSignal, LagoonError, type Log, toLagoonError } from '@lagoon/base';
import type { LiveNamespace, Manifest, NamespaceLog, NamespaceView } from '@lagoon/namespace';
import { createPendingEvents, type PendingBatch } from './pending-events.ts';
import { createProbeQueue } from './probe-queue.ts';
import type { QueryNeeds } from './query-needs.ts';
import type { ConsistencySpec } from './query-spec.ts';
import { type ContentDeps, createReplicaContent, type ReadUsage } from './replica-content.ts';
import type { ResidentBlock } from './resident-block.ts';
import type { Snapshot } from './snapshot.ts';
import { waitFor } from './wait-for.ts';

/**
 * One namespace on this node: the view, and the rows that the view is of, brought up to date on demand.
 * Reading the log and loading rows are shared by all callers and go on without the one that asked first.
 */
export interface Replica {
  readonly name: string;
  /** Brings the view to what the consistency asks for. `unavailable` where a generation is not reached in time. */
  reach(consistency: ConsistencySpec, signal?: AbortSignal): Promise<NamespaceView>;
  /** The rows of the view or of a newer one, held until disposed of. `not_found` where nothing lives. */
  snapshot(signal?: AbortSignal): Promise<HeldSnapshot>;
  /** The same at once, where the rows of the view are there. */
  peek(): HeldSnapshot | undefined;
  /** Generation of the view; 0 before the first read. */
  readonly generation: number;
  /** As of the view; undefined before the first read, and where nothing lives. */
  readonly live: LiveNamespace | undefined;
  /** Bytes in the arena that are pinned for it. */
  readonly heldBytes: number;
  readonly usage: ReadUsage;
  readonly isDisposed: boolean;
  /** Ends what is under way, as `unavailable`, and lets the rows go. */
  dispose(): void;
}

export interface HeldSnapshot extends Disposable {
  readonly snapshot: Snapshot;
  /**
   * Brings what a query needs of it into the arena; of some blocks something else. What is needed of all others is remembered for
   * segments that come later.
   */
  ensure(
    needs: QueryNeeds,
    exceptOf?: (block: ResidentBlock) => QueryNeeds | undefined,
    signal?: AbortSignal,
  ): Promise<void>;
  /** A hold of its own, for somebody who outlives this one. */
  share(): Disposable;
}

export interface ReplicaDeps extends ContentDeps {
  readonly namespaceLog: NamespaceLog;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ReplicaOptions {
  /** Bound on one reading of the log. */
  readonly readTimeoutMs: number;
  /** Bound on bringing the rows up to date. */
  readonly loadTimeoutMs: number;
  /** How long a query waits for a generation that is not there yet. */
  readonly generationWaitMsMax: number;
}

const generationPollMs = 20;

export function createReplica(name: string, deps: ReplicaDeps, options: ReplicaOptions): Replica {
  const { clock, namespaceLog } = deps;
  const controller = new AbortController();
  const content = createReplicaContent(deps);
  const pending = createPendingEvents();
  let view: NamespaceView | undefined;
  let provenAt: Instant | undefined;
  /** Asked for by callers since the last probe was sent: one look ahead for each, or one that never comes would cost every probe. */
  let generationWanted = 0;
  let current: { readonly snapshot: Snapshot; readonly hold: Disposable } | undefined;
  let loading: Promise<void> | undefined;

  /** Beside the reading of the tail, and perhaps on after it: until the rows are loaded, which takes what has come. */
  const openAhead = (manifest: Manifest): void => {
    const deadline = deadlineSignal(clock, options.loadTimeoutMs, controller.signal);
    void content.openAhead(manifest, deadline.signal).finally(() => deadline[Symbol.dispose]());
  };
  const probes = createProbeQueue(
    () => instant(clock),
    async (sentAt) => {
      using deadline = deadlineSignal(clock, options.readTimeoutMs, controller.signal);
      const generationMin = generationWanted;
      generationWanted = 0;
      const result =
        view === undefined
          ? { ...(await namespaceLog.open(name, { onManifest: openAhead }, deadline.signal)), restarted: true }
          : await namespaceLog.advance(view, { generationMin }, deadline.signal);
      content.usage.storeRequestCount += 1 + result.events.length;
      pending.add(result);
      view = result.view;
      provenAt = sentAt;
    },
  );

  const reachGeneration = async (generationMin: number, signal?: AbortSignal): Promise<void> => {
    if ((view?.generation ?? 0) >= generationMin) return;
    using deadline = deadlineSignal(clock, options.generationWaitMsMax, signal);
    generationWanted = Math.max(generationWanted, generationMin);
    try {
      for (;;) {
        await waitFor(probes.sentFromNow(), deadline.signal);
        if ((view?.generation ?? 0) >= generationMin) return;
        await clock.sleep(generationPollMs, deadline.signal);
      }
    } catch (error) {
      if (!deadline.signal.aborted || toLagoonError(error).code === 'cancelled') throw error;
      throw new LagoonError('unavailable', 'generation is not there yet', {
        context: { namespace: name, generationMin, generation: view?.generation ?? 0 },
        cause: error,
      });
    }
  };

  const reachFreshness = async (stalenessMsMax: number, signal?: AbortSignal): Promise<void> => {
    if (provenAt !== undefined && elapsedMs(clock, provenAt) <= stalenessMsMax) return;
    const { underWay } = probes;
    const joins = underWay !== undefined && elapsedMs(clock, underWay.sentAt) <= stalenessMsMax;
    await waitFor(joins ? underWay.done : probes.sentFromNow(), signal);
  };

  const applyBatch = async (batch: PendingBatch, signal: AbortSignal): Promise<void> => {
    for (const [part, bytes] of batch.parts.entries()) {
      await content.applyPart(batch.generation, `tail/${batch.incarnation}/${batch.generation}/${part}`, bytes, signal);
    }
  };

  /** Each step is taken out of what is pending once it is done, so a failed load goes on where it stopped. */
  const load = async (): Promise<void> => {
    using deadline = deadlineSignal(clock, options.loadTimeoutMs, controller.signal);
    if (pending.reset) {
      letGo();
      content.clear();
      pending.reset = false;
    }
    for (let batch = pending.batches[0]; batch !== undefined; batch = pending.batches[0]) {
      await applyBatch(batch, deadline.signal);
      if (pending.reset) return load();
      pending.batches.shift();
    }
    const { manifest } = pending;
    if (manifest !== undefined) {
      await content.applyManifest(manifest, deadline.signal);
      if (pending.manifest === manifest) pending.manifest = undefined;
      return load();
    }
    if (pending.reset) return load();
    publish();
  };
  const publish = (): void => {
    letGo();
    const of = pending.view;
    if (of?.live === undefined) return;
    const snapshot = content.publish(of.generation, of.live.schema, of.live.settings.recall);
    current = { snapshot, hold: snapshot.hold() };
  };
  const letGo = (): void => {
    current?.hold[Symbol.dispose]();
    current = undefined;
  };
  const upToDate = (): boolean =>
    view !== undefined &&
    pending.batches.length === 0 &&
    pending.manifest === undefined &&
    !pending.reset &&
    (view.live === undefined || current?.snapshot.generation === view.generation);

  const hold = (snapshot: Snapshot): HeldSnapshot => {
    const held = snapshot.hold();
    return {
      snapshot,
      ensure: (needs, exceptOf = () => undefined, waiting) => {
        content.remember(needs);
        return snapshot.ensure((block) => exceptOf(block) ?? needs, waiting);
      },
      share: () => snapshot.hold(),
      [Symbol.dispose]: () => held[Symbol.dispose](),
    };
  };

  return {
    name,
    usage: content.usage,
    get generation() {
      return view?.generation ?? 0;
    },
    get live() {
      return view?.live;
    },
    get heldBytes() {
      return content.heldBytes;
    },
    reach: async (consistency, signal) => {
      if (consistency.level === 'strong') await waitFor(probes.sentFromNow(), signal);
      else await reachFreshness(consistency.stalenessMsMax, signal);
      await reachGeneration(consistency.generationMin, signal);
      if (view === undefined) throw new LagoonError('internal', 'a namespace that was read has a view');
      return view;
    },
    snapshot: async (signal) => {
      while (!upToDate()) {
        loading ??= load().finally(() => {
          loading = undefined;
        });
        await waitFor(loading, signal);
      }
      if (current === undefined) throw namespaceNotFound(name);
      return hold(current.snapshot);
    },
    peek: () => (current !== undefined && upToDate() ? hold(current.snapshot) : undefined),
    get isDisposed() {
      return controller.signal.aborted;
    },
    dispose: () => {
      controller.abort(
        new LagoonError('unavailable', 'namespace was put out of memory', { context: { namespace: name } }),
      );
      letGo();
      content.close();
    },
  };
}

export function namespaceNotFound(name: string): LagoonError {
  return new LagoonError('not_found', 'namespace does not exist', { context: { namespace: name } });
}

/** By two clocks: the monotonic one stops while the machine is suspended, the wall clock may jump. The longer time counts. */
interface Instant {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

function instant(clock: Clock): Instant {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
}

function elapsedMs(clock: Clock, since: Instant): number {
  return Math.max(clock.monotonicMs() - since.monotonicMs, clock.wallMs() - since.wallMs);
}
