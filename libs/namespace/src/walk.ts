import { isLagoonError, mapBounded } from '@lagoon/base';
import type { LogContext } from './context.ts';
import { type Probe, type ReadEntry, readEntry } from './entry-reader.ts';
import { checkFloor, type FloorCheck } from './floor.ts';
import { fold } from './fold.ts';
import type { NamespaceEvent } from './namespace-log.ts';
import { isProven, proofBy } from './proof.ts';
import type { NamespaceView } from './view.ts';

/** Most entries that are read at a time. */
export const windowMax = 32;

export interface WalkOptions {
  /** Generations up to here are believed to exist, so they and the next one are asked for at once. */
  readonly knownThrough: number;
  /** Entries that the caller holds already. */
  readonly preloaded?: ReadonlyMap<number, ReadEntry>;
  /** Most entries that are read at first, and full windows from then on: who has no view yet waits for each of them. */
  readonly firstCountMax?: number;
}

export type WalkResult =
  | { readonly outcome: 'at_head'; readonly view: NamespaceView; readonly events: readonly NamespaceEvent[] }
  /** What was read may have been removed or re-created: start over at the head. */
  | { readonly outcome: 'below_floor' };

/**
 * Reads on behind the view until a generation is absent, and proves the view there: by its own proof if that is still young when
 * the answer is there, else by a floor check. Existing entries do not renew a proof.
 */
export async function walk(
  context: LogContext,
  from: NamespaceView,
  options: WalkOptions,
  signal?: AbortSignal,
): Promise<WalkResult> {
  const events: NamespaceEvent[] = [];
  let view = from;
  let window = 1;
  let countMax = options.firstCountMax ?? windowMax;
  try {
    for (;;) {
      const count = Math.min(countMax, Math.max(window, options.knownThrough + 1 - view.generation));
      const probes = await readWindow(context, view, count, options.preloaded, signal);
      for (const probe of probes) {
        if (probe.entry === undefined) return await proveHead(context, view, probe, events, signal);
        view = apply(context, view, probe.entry, events);
      }
      window = options.firstCountMax === undefined ? Math.min(windowMax, window * 2) : windowMax;
      countMax = windowMax;
    }
  } catch (error) {
    if (isLagoonError(error, 'corrupt') && (await isBelowFloor(context, from, view, signal))) {
      return { outcome: 'below_floor' };
    }
    throw error;
  }
}

function readWindow(
  context: LogContext,
  view: NamespaceView,
  count: number,
  preloaded: ReadonlyMap<number, ReadEntry> | undefined,
  signal?: AbortSignal,
): Promise<Probe[]> {
  const generations = Array.from({ length: count }, (_, index) => view.generation + 1 + index);
  return mapBounded(
    generations,
    count,
    async (generation, _, inner) => {
      const entry = preloaded?.get(generation);
      if (entry !== undefined) return { entry, sent: context.time.now(), stamp: undefined };
      return readEntry(context, view.name, generation, view.live?.manifest.generation ?? 0, inner);
    },
    signal,
  );
}

/** Folds an entry and says what it meant. */
export function apply(
  context: LogContext,
  view: NamespaceView,
  entry: ReadEntry,
  events: NamespaceEvent[],
): NamespaceView {
  const folded = fold(view, entry);
  const { generation, header, manifest, parts } = entry;
  if (folded.ignored) {
    context.log.error('manifest of another incarnation ignored', { namespace: view.name, generation });
    return folded.view;
  }
  const { kind } = header;
  if (kind.case === 'birth') {
    // A walk from a manifest of the same life passes its birth: what it began with is past.
    const isNew = view.live === undefined && manifest !== undefined;
    events.push({ kind: 'birth', generation, incarnation: header.incarnation, ...(isNew ? { manifest } : {}) });
  }
  if (kind.case === 'truncate') events.push({ kind: 'truncate', generation });
  if (kind.case === 'aborted') events.push({ kind: 'aborted', generation });
  if (kind.case === 'manifest' && manifest !== undefined) events.push({ kind: 'manifest', generation, manifest });
  if (parts.length > 0) events.push({ kind: 'batch', generation, parts });
  return folded.view;
}

async function proveHead(
  context: LogContext,
  view: NamespaceView,
  probe: Probe,
  events: readonly NamespaceEvent[],
  signal?: AbortSignal,
): Promise<WalkResult> {
  if (isProven(view.proof, context.time.now())) {
    return { outcome: 'at_head', view: { ...view, proof: proofBy(probe.sent, probe.stamp) }, events };
  }
  const check = await checkFloor(context, view.name, signal);
  if (check.floor > view.generation) return { outcome: 'below_floor' };
  return { outcome: 'at_head', view: { ...view, proof: check.proof }, events };
}

/** Whether garbage collection explains that what was read does not fit. A young proof says that it does not. */
async function isBelowFloor(
  context: LogContext,
  from: NamespaceView,
  reached: NamespaceView,
  signal?: AbortSignal,
): Promise<boolean> {
  if (isProven(from.proof, context.time.now())) return false;
  const check: FloorCheck = await checkFloor(context, from.name, signal);
  return check.floor > reached.generation || check.floor > from.generation;
}
