import { create } from '@bufbuild/protobuf';
import { type Clock, createSeededRandom, noMetrics, sha256, silentLog, utf8Encode } from '@lagoon/base';
import { encodeBlock, openBlock } from '@lagoon/format';
import { createManifestCommitter, createNamespaceLog, type NamespaceEvent } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { AppendRequestSchema } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import type { IngesterConfig } from './config.ts';
import { createIngesterRole, type IngesterDeps, type IngesterRole } from './role.ts';

/** Helpers of this package's own tests: a clock set by hand and a store whose creates can be held back. */
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

export interface GatedStore extends ObjectStore {
  /** Log entries created so far, whoever won. */
  readonly entryCreateCount: number;
  /** Creates of log entries wait from now on, before or after they are applied. */
  hold(when: 'before' | 'after'): void;
  release(): void;
  /** The next create of a log entry is applied, or not, and its outcome is not told; `count` times. */
  forget(isApplied: boolean, count: number): void;
}

export function gated(inner: ObjectStore): GatedStore {
  let entryCreateCount = 0;
  let held: { readonly when: 'before' | 'after'; readonly gate: PromiseWithResolvers<void> } | undefined;
  let forgets = { isApplied: false, count: 0 };
  return {
    ...inner,
    create: async (key, bytes, signal) => {
      if (!key.includes('/log/')) return await inner.create(key, bytes, signal);
      entryCreateCount++;
      const gate = held;
      if (gate?.when === 'before') await gate.gate.promise;
      if (forgets.count > 0) {
        forgets = { ...forgets, count: forgets.count - 1 };
        if (forgets.isApplied) await inner.create(key, bytes, signal);
        return { outcome: 'unknown', cause: new Error('no answer'), storeTimeMs: undefined };
      }
      const result = await inner.create(key, bytes, signal);
      if (gate?.when === 'after') await gate.gate.promise;
      return result;
    },
    hold: (when) => {
      held = { when, gate: Promise.withResolvers() };
    },
    release: () => {
      held?.gate.resolve();
      held = undefined;
    },
    forget: (isApplied, count) => {
      forgets = { isApplied, count };
    },
    get entryCreateCount() {
      return entryCreateCount;
    },
  };
}

export interface TestIngester {
  readonly role: IngesterRole;
  readonly store: GatedStore;
  readonly clock: TestClock;
  write(write: TestWrite, signal?: AbortSignal): Promise<TestAnswer>;
}

export interface TestWrite {
  readonly namespace?: string;
  readonly rows?: readonly (readonly [id: number, title: string | number])[];
  readonly deletes?: readonly number[];
  readonly key?: string;
  readonly createNamespace?: boolean;
  readonly disableBackpressure?: boolean;
}

export interface TestAnswer {
  readonly generation: number;
  readonly rowsUpserted: number;
  readonly rowsDeleted: number;
}

export interface TestOptions {
  readonly store?: ObjectStore;
  readonly clock?: TestClock;
  readonly seed?: number;
  readonly config?: Partial<IngesterConfig>;
  readonly deps?: Partial<IngesterDeps>;
}

export function createTestIngester(options: TestOptions = {}): TestIngester {
  const clock = options.clock ?? createTestClock();
  const store = gated(options.store ?? createMemoryStore({ clock }));
  const random = createSeededRandom(options.seed ?? 1);
  const base = { store, clock, random, log: silentLog, metrics: noMetrics };
  const namespaceLog = createNamespaceLog(base);
  const role = createIngesterRole(
    {
      ...base,
      namespaceLog,
      committer: createManifestCommitter(base),
      queryNodes: () => [],
      compactor: () => undefined,
      ...options.deps,
    },
    options.config,
  );
  const write = async (given: TestWrite, signal = new AbortController().signal): Promise<TestAnswer> => {
    const answer = await role.service.append(appendRequest(given), { signal });
    return {
      generation: Number(answer.manifestGeneration),
      rowsUpserted: Number(answer.rowsUpserted),
      rowsDeleted: Number(answer.rowsDeleted),
    };
  };
  return { role, store, clock, write };
}

export function appendRequest(write: TestWrite) {
  const rows = write.rows ?? [];
  const isText = rows.every(([, title]) => typeof title === 'string');
  const block = encodeBlock({
    idKind: 'u64',
    ids: rows.map(([id]) => BigInt(id)),
    deletes: (write.deletes ?? []).map((id) => BigInt(id)),
    columns: [
      isText
        ? { name: 'title', type: { kind: 'scalar', scalar: 'string' }, values: rows.map(([, title]) => String(title)) }
        : { name: 'title', type: { kind: 'scalar', scalar: 'int' }, values: rows.map(([, title]) => BigInt(title)) },
    ],
  });
  return create(AppendRequestSchema, {
    namespace: write.namespace ?? 'words',
    block,
    schema: { idType: 'u64' },
    idempotencyKey: write.key ?? '',
    bodyHash: write.key === undefined ? new Uint8Array(0) : sha256(utf8Encode(JSON.stringify(write))),
    ...(write.createNamespace === undefined ? {} : { createNamespace: write.createNamespace }),
    disableBackpressure: write.disableBackpressure ?? false,
  });
}

/** Ids of the rows that a reader of these batches sees, ascending. */
export function liveIds(events: readonly NamespaceEvent[]): number[] {
  const ids = new Set<number>();
  for (const event of events) {
    if (event.kind !== 'batch') continue;
    for (const part of event.parts) {
      const block = openBlock(part);
      if (block.ids.idKind === 'u64') for (const id of block.ids.values) ids.add(Number(id));
      if (block.deletes.idKind === 'u64') for (const id of block.deletes.values) ids.delete(Number(id));
    }
  }
  return [...ids].sort((a, b) => a - b);
}
