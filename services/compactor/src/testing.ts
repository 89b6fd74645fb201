import { create } from '@bufbuild/protobuf';
import { type Clock, createSeededRandom, createSystemClock, noMetrics, silentLog } from '@lagoon/base';
import { type AttributeSchema, type Block, encodeBlock, getBit, openBlock, type Schema } from '@lagoon/format';
import {
  createManifestCommitter,
  createNamespaceLog,
  type EntryDraft,
  type ManifestCommitter,
  type NamespaceLog,
  type NamespaceView,
} from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { CompactorNotifyRequestSchema } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import { AppendManifestResponse_Outcome, type IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import type { ServiceClient } from '@lagoon/rpc';
import { readDeleteVector, readSegmentRows } from '@lagoon/segment';
import type { CompactorConfig } from './config.ts';
import { type CompactorRole, createCompactorRole } from './role.ts';

/** Helpers of this package's own tests: a namespace written by hand, and what a reader finds in it. */
export interface TestClock extends Clock {
  advance(durationMs: number): void;
}

export function createTestClock(): TestClock {
  let nowMs = 0;
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  return {
    monotonicMs: () => nowMs,
    wallMs: () => 1_700_000_000_000 + nowMs,
    sleep: async (durationMs) => {
      nowMs += durationMs;
    },
    setTimer: (delayMs, callback) => {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    advance: (durationMs) => {
      nowMs += durationMs;
      for (const timer of [...timers].filter(({ atMs }) => atMs <= nowMs)) {
        timers.delete(timer);
        timer.callback();
      }
    },
  };
}

export type TestRows = readonly (readonly [id: number, title: string])[];

export interface TestWorld {
  readonly store: ObjectStore;
  readonly clock: TestClock;
  readonly log: NamespaceLog;
  readonly committer: ManifestCommitter;
  /** Appends one batch, or the birth with it. */
  write(rows: TestRows, deletes?: readonly number[], keys?: readonly string[]): Promise<NamespaceView>;
  truncate(): Promise<NamespaceView>;
  view(): Promise<NamespaceView>;
  /** Title by id, as a reader of segments, delete vectors and tail finds them; checks the accounting on the way. */
  content(): Promise<Map<number, string>>;
  compactor(options?: CompactorOptions): CompactorRole;
}

export interface CompactorOptions {
  readonly config?: Partial<CompactorConfig>;
  readonly ingester?: ServiceClient<typeof IngesterService>;
  readonly log?: NamespaceLog;
  readonly store?: ObjectStore;
  readonly seed?: number;
}

export const testName = 'words';

const title = { type: { kind: 'scalar', scalar: 'string' }, filterable: true } as const;
const titles: Schema = { idKind: 'u64', attributes: new Map([['title', title]]) };

/** Rows may have a vector, too, that is searched by ANN. */
export const titlesWithVectors: Schema = {
  idKind: 'u64',
  attributes: new Map<string, AttributeSchema>([
    ['title', title],
    [
      'vector',
      { type: { kind: 'vector', element: 'f32', dims: 2 }, filterable: false, ann: { distanceMetric: 'dot_product' } },
    ],
  ]),
};

/** Everything due at once: tests say when. */
export const eager: Partial<CompactorConfig> = { tailAgeMs: 0, smallTailAgeMs: 0 };

export function createTestWorld(given?: ObjectStore, clock = createTestClock(), schema = titles): TestWorld {
  const store = given ?? createMemoryStore({ clock });
  const random = createSeededRandom(7);
  const base = { store, clock, random, log: silentLog, metrics: noMetrics };
  const log = createNamespaceLog(base);
  const committer = createManifestCommitter(base);
  let birthCount = 0;
  const view = async () => (await log.open(testName)).view;

  const write: TestWorld['write'] = async (rows, deletes = [], keys = []) => {
    const part = encodeRows(rows, deletes);
    const incarnation = `incarnation${birthCount++}`;
    const batch = {
      parts: [part],
      upsertedRowCount: rows.length,
      deletedRowCount: deletes.length,
      idempotency: keys.map((key) => ({
        key,
        bodyHash: new Uint8Array(32),
        rowsUpserted: rows.length,
        rowsDeleted: deletes.length,
        rowsPatched: 0,
        rowsRemaining: false,
        logicalBytesWritten: 1,
        writtenAtMs: clock.wallMs(),
      })),
    };
    const build = (at: NamespaceView): EntryDraft =>
      at.live === undefined
        ? { kind: 'birth', incarnation, family: `family${incarnation}`, batch: { ...batch, schema } }
        : { kind: 'batch', ...batch };
    return (await log.append(await view(), build)).view;
  };

  return {
    store,
    clock,
    log,
    committer,
    write,
    view,
    truncate: async () => (await log.append(await view(), () => ({ kind: 'truncate' }))).view,
    content: () => readContent(log, store),
    compactor: (options = {}) =>
      createCompactorRole(
        {
          ...base,
          store: options.store ?? store,
          ...(options.log === undefined ? {} : { namespaceLog: options.log }),
          random: createSeededRandom(options.seed ?? 21),
          ingester: () => options.ingester,
          queryNodes: () => [],
        },
        { ...eager, ...options.config },
      ),
  };
}

/** Tells the compactor of the namespace and waits until it has nothing to do. */
export async function compact(role: CompactorRole): Promise<void> {
  role.start();
  await notify(role, 1, 1);
  await role.settled();
}

export async function notify(role: CompactorRole, bytes: number, entryCount: number): Promise<void> {
  const request = create(CompactorNotifyRequestSchema, {
    namespace: testName,
    generation: 1n,
    unindexedBytes: BigInt(bytes),
    unindexedEntryCount: BigInt(entryCount),
  });
  await role.service.notify(request, { signal: new AbortController().signal });
}

export function encodeRows(rows: TestRows, deletes: readonly number[]): Uint8Array {
  return encodeBlock({
    idKind: 'u64',
    ids: rows.map(([id]) => BigInt(id)),
    deletes: deletes.map((id) => BigInt(id)),
    columns: [{ name: 'title', type: { kind: 'scalar', scalar: 'string' }, values: rows.map(([, title]) => title) }],
  });
}

async function readContent(log: NamespaceLog, store: ObjectStore): Promise<Map<number, string>> {
  const { view, events } = await log.open(testName);
  const content = new Map<number, string>();
  for (const segment of view.live?.manifest.segments ?? []) {
    const { bytes, rows } = await readSegmentRows(store, segment.object);
    const dead = await readDeleteVector(store, segment.deleteVector, segment.rowCount);
    const block = openBlock(bytes);
    for (const [rank, [id, title]] of rowsOf(block).entries()) {
      const row = rows?.[rank] ?? rank;
      if (dead !== undefined && getBit(dead, row)) continue;
      if (content.has(id)) throw new Error(`id ${id} is live in two segments`);
      content.set(id, title);
    }
  }
  if (content.size !== (view.live?.manifest.rows.live ?? 0)) throw new Error('live rows differ from the accounting');
  for (const event of events) {
    if (event.kind !== 'batch') continue;
    for (const part of event.parts) applyBlock(content, openBlock(part));
  }
  return content;
}

function applyBlock(content: Map<number, string>, block: Block): void {
  for (const [id, title] of rowsOf(block)) content.set(id, title);
  if (block.deletes.idKind === 'u64') for (const id of block.deletes.values) content.delete(Number(id));
}

function rowsOf(block: Block): [number, string][] {
  const title = block.columns.get('title')?.column;
  if (block.ids.idKind !== 'u64' || title?.kind !== 'scalar' || title.scalar !== 'string') {
    return [];
  }
  const { offsets, bytes } = title;
  return Array.from(block.ids.values, (id, row) => [
    Number(id),
    Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString('utf8'),
  ]);
}

export interface HandingOptions {
  /** Thrown instead of the answer. */
  readonly answer?: Error;
  readonly outcome?: AppendManifestResponse_Outcome;
  readonly isAppended?: boolean;
}

/** An ingester as a compactor sees it: appends what it is handed, and may fail to say so. */
export function handingIngester(world: TestWorld, options: HandingOptions = {}) {
  let callCount = 0;
  const client = {
    appendManifest: async (request: { readonly manifestEntry?: Uint8Array; readonly commitId?: string }) => {
      callCount++;
      const prepared = { message: request.manifestEntry ?? new Uint8Array(0), commitId: request.commitId ?? '' };
      let generation = 0;
      if (options.isAppended !== false) {
        const result = await world.committer.append(world.log, await world.view(), prepared);
        generation = result.view.generation;
      }
      if (options.answer !== undefined) throw options.answer;
      const outcome = options.outcome ?? AppendManifestResponse_Outcome.COMMITTED;
      return { outcome, manifestGeneration: BigInt(generation) };
    },
  } as unknown as ServiceClient<typeof IngesterService>;
  return { client, callCount: () => callCount };
}

/** A store on which nothing returns once it is dead: its caller is stuck for ever, as if the process had gone. */
export function mortal(inner: ObjectStore, isDead: () => boolean): ObjectStore {
  const gate =
    <A extends unknown[], R>(verb: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      isDead() ? new Promise<R>(() => {}) : verb(...args);
  return {
    ...inner,
    get: gate(inner.get),
    put: gate(inner.put),
    create: gate(inner.create),
    list: gate(inner.list),
    delete: gate(inner.delete),
  };
}

/** All microtasks, and those that they set off, run before a macrotask does. */
export async function settleMicrotasks(): Promise<void> {
  const clock = createSystemClock();
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => clock.setTimer(0, resolve));
}
