import { isLagoonError, LagoonError, mapBounded } from '@lagoon/base';
import { commit, refusals } from './append.ts';
import { removeCatalogMarker, writeCatalogMarker } from './catalog.ts';
import { createLogContext, type LogContext, type NamespaceLogDeps } from './context.ts';
import type { WrittenBody } from './draft.ts';
import { writeHint } from './hint.ts';
import { readIdempotencyPart } from './idempotency.ts';
import { logKey } from './keys.ts';
import type { AppendResult, EntryDraft, NamespaceLog, ReadResult } from './namespace-log.ts';
import { openNamespace } from './open.ts';
import { createRecent } from './recent.ts';
import type { IdempotencyRecord, NamespaceView } from './view.ts';
import { walk } from './walk.ts';

export interface NamespaceLogOptions {
  /** For people: who wrote an entry. A random one by default. */
  readonly writerId?: string;
  /** How often an append is resolved again after lost races; default 64. */
  readonly resolutionCountMax?: number;
  /** Parts of a batch up to here lie in its entry; above, in a body of their own. Default, and most: 4 MiB. */
  readonly inlinePartsBytesMax?: number;
}

type Build = (view: NamespaceView, read: ReadResult | undefined) => EntryDraft | 'nothing';

export function createNamespaceLog(deps: NamespaceLogDeps, options: NamespaceLogOptions = {}): NamespaceLog {
  const context = createLogContext(deps, options);
  const resolutionCountMax = options.resolutionCountMax ?? 64;
  const manifestEntryObjects = createRecent<Uint8Array>(256);
  const idempotencyTables = createRecent<ReadonlyMap<string, IdempotencyRecord>>(256);

  return {
    open: (name, options = {}, signal) => openNamespace(context, name, options, signal),

    advance: (view, { generationMin = 0 }, signal) => readOn(context, view, generationMin, signal),

    append: async (view, build, signal) => {
      const result = await append(context, view, build, resolutionCountMax, signal);
      const { view: after } = result.answer;
      if (result.object !== undefined && after.newestManifestGeneration === after.generation) {
        manifestEntryObjects.set(logKey(after.name, after.generation), result.object);
      }
      return result.answer;
    },

    writeHint: (view, signal) =>
      writeHint(
        context,
        view,
        async (generation) => {
          const key = logKey(view.name, generation);
          const present = manifestEntryObjects.get(key);
          if (present !== undefined) return present;
          const object = await context.store.get(key, undefined, signal);
          if (object !== undefined) manifestEntryObjects.set(key, object.bytes);
          return object?.bytes;
        },
        signal,
      ),

    storeTimeMs: () => context.time.storeTimeMs(),

    readIdempotencyParts: async (view, signal) => {
      const { live } = view;
      if (live === undefined || live.manifest.idempotencyParts.length === 0) return new Map();
      const key = `${live.incarnation} ${live.manifest.generation}`;
      const present = idempotencyTables.get(key);
      if (present !== undefined) return present;
      const table = await readTable(context, view.name, live.manifest.idempotencyParts, signal);
      idempotencyTables.set(key, table);
      return table;
    },
  };
}

async function readOn(
  context: LogContext,
  view: NamespaceView,
  knownThrough: number,
  signal?: AbortSignal,
): Promise<ReadResult> {
  const walked = await walk(context, view, { knownThrough }, signal);
  if (walked.outcome === 'at_head') return { view: walked.view, restarted: false, events: walked.events };
  context.metrics.restarted();
  context.log.warn('view was below the floor', { namespace: view.name, generation: view.generation });
  return openNamespace(context, view.name, {}, signal);
}

async function append(
  context: LogContext,
  from: NamespaceView,
  build: Build,
  resolutionCountMax: number,
  signal?: AbortSignal,
): Promise<{ readonly answer: AppendResult; readonly object?: Uint8Array | undefined }> {
  const markers = createMarkers(context, from.name);
  let view = from;
  let body: WrittenBody | undefined;
  /** Since `build` was asked last. */
  let read: ReadResult | undefined;
  for (let resolution = 0; resolution < resolutionCountMax; resolution++) {
    const resolved = resolve(build, view, read);
    if (resolved.outcome !== 'draft') {
      read = await readOn(context, view, 0, signal);
      const isNewest = !read.restarted && read.view.generation === view.generation;
      view = read.view;
      if (!isNewest) continue;
      await markers.removeAllBut(undefined, signal);
      if (resolved.outcome === 'failed') throw resolved.error;
      return { answer: { outcome: 'nothing', view } };
    }
    const { draft } = resolved;
    if (draft.kind === 'birth') await markers.write(draft.incarnation, signal);
    const isStillValid = () => draft.kind !== 'manifest' || resolve(build, view, undefined).outcome === 'draft';
    const result = await commit(context, view, draft, { earlierBody: body, isStillValid }, signal).catch(
      async (error: unknown) => {
        if (isRefused(error)) await markers.removeAllBut(undefined, signal);
        throw error;
      },
    );
    if (result.outcome === 'won') {
      await markers.removeAllBut(draft.kind === 'birth' ? draft.incarnation : undefined, signal);
      if (draft.kind === 'truncate' && view.live !== undefined) {
        await removeCatalogMarker(context, view.name, view.live.incarnation, signal);
      }
      return {
        answer: { outcome: 'committed', view: result.view, generation: result.view.generation },
        object: result.object,
      };
    }
    body = result.body;
    read =
      result.outcome === 'below_floor'
        ? await openNamespace(context, from.name, {}, signal)
        : { view: result.view, restarted: false, events: result.events };
    // A second loss may mean that the view is far behind: catch up before trying every number on the way.
    if (result.outcome === 'lost' && resolution > 0) {
      const further = await readOn(context, result.view, 0, signal);
      read = further.restarted ? further : { ...further, events: [...read.events, ...further.events] };
    }
    view = read.view;
  }
  await markers.removeAllBut(undefined, signal);
  throw new LagoonError('unavailable', 'too many lost races', {
    context: { namespace: from.name, generation: view.generation },
    retryAfterMs: 100,
  });
}

/** The store answered, and did not take the entry: its birth has not happened and will not. */
function isRefused(error: unknown): boolean {
  return isLagoonError(error) && refusals.includes(error.code);
}

type Resolved =
  | { readonly outcome: 'draft'; readonly draft: EntryDraft }
  | { readonly outcome: 'nothing' }
  | { readonly outcome: 'failed'; readonly error: unknown };

function resolve(build: Build, view: NamespaceView, read: ReadResult | undefined): Resolved {
  try {
    const draft = build(view, read);
    return draft === 'nothing' ? { outcome: 'nothing' } : { outcome: 'draft', draft };
  } catch (error) {
    return { outcome: 'failed', error };
  }
}

/** Catalogue markers of the births that one append tries: each written once, those of refused births removed by exact key. */
function createMarkers(context: LogContext, name: string) {
  const written = new Set<string>();
  return {
    write: async (incarnation: string, signal?: AbortSignal): Promise<void> => {
      if (written.has(incarnation)) return;
      written.add(incarnation);
      await writeCatalogMarker(context, name, incarnation, signal);
    },
    removeAllBut: async (born: string | undefined, signal?: AbortSignal): Promise<void> => {
      for (const incarnation of written) {
        if (incarnation !== born) await removeCatalogMarker(context, name, incarnation, signal);
      }
    },
  };
}

const partsAtOnceMax = 8;

async function readTable(
  context: LogContext,
  name: string,
  references: NonNullable<NamespaceView['live']>['manifest']['idempotencyParts'],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, IdempotencyRecord>> {
  const parts = await mapBounded(
    references,
    partsAtOnceMax,
    (reference, _, inner) => readIdempotencyPart(context.store, name, reference, inner),
    signal,
  );
  // A key that expired in one place and was used again is in two parts: the later use holds.
  const records = parts.flat().sort((a, b) => a.generation - b.generation);
  return new Map(records.map((record) => [record.key, record]));
}
