import { create } from '@bufbuild/protobuf';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createCompactorRole, createGcJob, resolveGcConfig } from '@lagoon/compactor';
import { createIngesterRole } from '@lagoon/ingester';
import { createNamespaceLog } from '@lagoon/namespace';
import { CompactorNotifyRequestSchema } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { createLocalClient } from '@lagoon/rpc';
import { noTracer } from '@lagoon/telemetry';
import type { ExploreModel } from './explore-model.ts';
import type { Process } from './explore-process.ts';
import type { ExploreStore } from './explore-store.ts';

/** One request of an operation, and what it does to the model: returns the status of the answer. */
export interface ExploreRequest {
  readonly method: 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly key?: string;
  /** The number that its rows carry, where the log must show it at the generation that is acknowledged. */
  readonly w?: number;
  readonly namespace: string;
  readonly model: (model: ExploreModel) => number;
}

/** What one actor does: requests one after the other, through a gateway and an ingester of its own; or a job of the background. */
export interface Operation {
  readonly name: string;
  /** `slot` tells apart two of the same operation. */
  readonly requests?: (slot: number) => readonly ExploreRequest[];
  /** Requests that the actor has made before the exploration begins. */
  readonly before?: (slot: number) => readonly ExploreRequest[];
  readonly job?: (process: Process, store: ExploreStore) => Promise<void>;
  /** It takes a store with garbage in it, and many calls. */
  readonly isCollector?: boolean;
}

const alpha = '/v2/namespaces/alpha';

export function upsert(namespace: string, w: number, ids: readonly number[], deletes: readonly number[] = []) {
  const key = `write-${w}`;
  const rows = ids.map((id) => ({ id, w, vector: [id, w] }));
  return {
    method: 'POST',
    path: `/v2/namespaces/${namespace}`,
    body: { upsert_rows: rows, ...(deletes.length > 0 ? { deletes } : {}) },
    key,
    w,
    namespace,
    model: (model: ExploreModel) =>
      model.change(namespace, key, 'born', (rows) => {
        for (const id of deletes) rows.delete(id);
        for (const id of ids) rows.set(id, w);
      }),
  } as const satisfies ExploreRequest;
}

const end: ExploreRequest = {
  method: 'DELETE',
  path: alpha,
  namespace: 'alpha',
  model: (model) => model.end('alpha'),
};

/** A row of the table is an operation; another one is another row. */
export const operations: readonly Operation[] = [
  { name: 'write', requests: (slot) => [upsert('alpha', 20 + slot, [1, 4], [2])] },
  {
    name: 'warm write',
    before: (slot) => [upsert('alpha', 10 + slot, [6 + slot])],
    requests: (slot) => [upsert('alpha', 30 + slot, [1, 4], [2])],
  },
  {
    name: 'filter patch',
    requests: (slot) => [
      {
        method: 'POST',
        path: alpha,
        body: { patch_by_filter: { filters: ['w', 'Lte', 25], patch: { w: 40 + slot } } },
        key: `patch-${slot}`,
        namespace: 'alpha',
        model: (model) =>
          model.change('alpha', `patch-${slot}`, 'refused', (rows) => {
            for (const [id, w] of rows) if (w <= 25) rows.set(id, 40 + slot);
          }),
      },
    ],
  },
  { name: 'index commit', job: (process, store) => indexNamespace(process, store, 'alpha') },
  { name: 'index commit handed over', job: (process, store) => compact(process, store, { isHandedOver: true }) },
  { name: 'index and merge commit', job: (process, store) => compact(process, store, { mergeFanIn: 2 }) },
  {
    name: 'index and merge commit handed over',
    job: (process, store) => compact(process, store, { mergeFanIn: 2, isHandedOver: true }),
  },
  { name: 'delete + create', requests: (slot) => [end, upsert('alpha', 50 + slot, [5])] },
  {
    name: 'branch',
    requests: (slot) => [
      {
        method: 'POST',
        path: '/v2/namespaces/beta',
        body: { branch_from_namespace: 'alpha' },
        key: `branch-${slot}`,
        namespace: 'beta',
        model: (model) => model.branch('alpha', 'beta', `branch-${slot}`),
      },
    ],
  },
  {
    name: 'snapshot + restore',
    requests: (slot) => [
      {
        method: 'POST',
        path: `${alpha}/snapshots`,
        body: { name: `snap-${slot}` },
        namespace: 'alpha',
        model: (model) => model.snapshot('alpha', `snap-${slot}`),
      },
      {
        method: 'POST',
        path: `${alpha}/restore`,
        body: { snapshot: `snap-${slot}`, into: 'gamma' },
        key: `restore-${slot}`,
        namespace: 'gamma',
        model: (model) => model.restore('alpha', `snap-${slot}`, 'gamma', `restore-${slot}`),
      },
    ],
  },
  { name: 'GC pass', job: collect, isCollector: true },
];

/** The index job of a compactor that no ingester answers. */
export async function indexNamespace(process: Process, store: ExploreStore, namespace: string): Promise<void> {
  await compact(process, store, { namespace });
}

interface Compaction {
  readonly namespace?: string;
  /** After the index job, so many segments are merged. */
  readonly mergeFanIn?: number;
  /** Manifests go to an ingester first. */
  readonly isHandedOver?: boolean;
}

async function compact(process: Process, store: ExploreStore, options: Compaction): Promise<void> {
  const { namespace = 'alpha', mergeFanIn = 1_000, isHandedOver = false } = options;
  const deps = { ...depsOf(process), store: store.handle(process), queryNodes: () => [] };
  const { service } = createIngesterRole({ ...deps, compactor: () => undefined });
  const ingester = isHandedOver ? createLocalClient(IngesterService, service, deps) : undefined;
  const role = createCompactorRole(
    { ...deps, ingester: () => ingester },
    { tailAgeMs: 0, smallTailAgeMs: 0, absorbBytesMax: 0, mergeFanIn },
  );
  role.start();
  const notice = { namespace, unindexedBytes: 1n, unindexedEntryCount: 1n };
  await role.service.notify(create(CompactorNotifyRequestSchema, notice), { signal: new AbortController().signal });
  await role.settled();
}

const graceMs = 600_000;

/** A floor is raised, stands for its grace, and what it frees is deleted: as many passes as that takes. */
async function collect(process: Process, store: ExploreStore): Promise<void> {
  const deps = { ...depsOf(process), store: store.handle(process) };
  const config = resolveGcConfig({ retentionMs: 0, graceMs, concurrencyMax: 1 });
  const job = createGcJob({ ...deps, namespaceLog: createNamespaceLog(deps) }, config);
  for (let pass = 0; pass < 3; pass++) {
    if (pass > 0) await store.passTime(process, graceMs + 60_000);
    await job.run();
  }
}

export function depsOf(process: Process) {
  const seed = [...process.name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 2 ** 31, 7);
  return {
    clock: process.clock,
    random: createSeededRandom(seed),
    log: silentLog,
    metrics: noMetrics,
    tracer: noTracer,
  };
}
