import { expect, test } from '@jest/globals';
import { type Clock, createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createCompactorRole } from '@lagoon/compactor';
import type { Schema } from '@lagoon/format';
import { createIngesterRole } from '@lagoon/ingester';
import { createManifestCommitter, createNamespaceLog, floorKey, writeFamilyRecord } from '@lagoon/namespace';
import { createMemoryStore, metered, type ObjectStore } from '@lagoon/object-store';
import { createQueryRole } from '@lagoon/query-service';
import { noTracer } from '@lagoon/telemetry';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const namespaceCount = 10_000;

function createHandClock() {
  let nowMs = 0;
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  const clock: Clock = {
    monotonicMs: () => nowMs,
    wallMs: () => 1_700_000_000_000 + nowMs,
    sleep: () => Promise.reject(new Error('nothing here sleeps')),
    setTimer: (delayMs, callback) => {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
  };
  const advance = (durationMs: number): void => {
    nowMs += durationMs;
    for (const timer of [...timers].filter(({ atMs }) => atMs <= nowMs)) {
      timers.delete(timer);
      timer.callback();
    }
  };
  return { clock, advance };
}

/** Lets everything that does not wait for a timer run to its end: the store answers at once. */
const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Namespaces whose tail is indexed and whose floor is as high as it can be. */
async function fill(store: ObjectStore, clock: Clock): Promise<void> {
  const base = { store, clock, random: createSeededRandom(1), log: silentLog, metrics: noMetrics };
  const log = createNamespaceLog(base);
  const committer = createManifestCommitter(base);
  const schema: Schema = { idKind: 'u64', attributes: new Map() };
  const batch = { parts: [], upsertedRowCount: 0, deletedRowCount: 0, idempotency: [], schema };
  for (let i = 0; i < namespaceCount; i++) {
    const name = `idle-${i}`;
    const { view: unborn } = await log.open(name);
    const born = { kind: 'birth', incarnation: `incarnation${i}`, family: `family${i}`, batch } as const;
    const { view } = await log.append(unborn, () => born);
    const { live } = view;
    if (live === undefined) throw new Error('not born');
    await writeFamilyRecord(store, name, live);
    const job = { job: `job${i}`, startedAtMs: clock.wallMs() };
    const prepared = await committer.prepare(view, { ...live.manifest, indexedThrough: 1 }, job);
    const committed = await committer.append(log, view, prepared);
    await log.writeHint(committed.view);
    await store.put(floorKey(name, 1), new Uint8Array(0));
    await store.delete([`ns/${name}/log/${'1'.padStart(20, '0')}`]);
  }
}

test('an idle cluster of 10,000 namespaces makes no request per namespace over a day, also after a restart', async () => {
  const { clock, advance } = createHandClock();
  const store = metered(createMemoryStore({ clock }), { clock });
  await fill(store, clock);
  advance(3 * 60 * minuteMs);
  const base = { store, clock, random: createSeededRandom(2), log: silentLog, metrics: noMetrics, tracer: noTracer };
  const startCompactor = () => {
    const role = createCompactorRole({ ...base, ingester: () => undefined, queryNodes: () => [] });
    role.start();
    return role;
  };
  const pass = async (durationMs: number): Promise<void> => {
    for (let passedMs = 0; passedMs < durationMs; passedMs += minuteMs) {
      advance(minuteMs);
      await settle();
    }
  };
  const first = startCompactor();
  await pass(30 * minuteMs); // looks at each once, and once more when its floor has stood before these eyes
  await first.close();

  createIngesterRole({ ...base, queryNodes: () => [], compactor: () => undefined });
  createQueryRole(base, { workerCount: 0, arenaBytesMax: 16 << 20 });
  startCompactor();
  store.reset();
  await pass(dayMs);
  const { get, put, create, list, delete: deleted } = store.snapshot();
  const pageCount = Math.ceil(namespaceCount / 1_000) * (1 + 4 + 1) + 6; // catalog/, ns/ with four keys each, family/, data/, leases/
  const markerListCount = dayMs / minuteMs + 1;
  expect({ get, put, create, deleted }).toEqual({ get: 2, put: 1, create: 0, deleted: 0 });
  expect(list).toBeLessThanOrEqual(markerListCount + pageCount);
}, 120_000);
