import { describe, expect, test } from '@jest/globals';
import { createRandomId, createSeededRandom, isLagoonError, noMetrics, silentLog } from '@lagoon/base';
import { createMemoryStore, faultInjecting, faultNames, type ObjectStore, retrying } from '@lagoon/object-store';
import { findIdempotent, recordsLeavingTail, writeIdempotencyPart } from './idempotency.ts';
import { floorKey, logKey } from './keys.ts';
import { createNamespaceLog } from './log.ts';
import { applyIndexEdit } from './manifest.ts';
import { createManifestCommitter, type PreparedManifest } from './manifest-commit.ts';
import type { EntryDraft, NamespaceEvent } from './namespace-log.ts';
import { batchOfBytes, birthDraft, createTestClock } from './testing.ts';
import type { NamespaceView } from './view.ts';

/**
 * Writers that retry under their idempotency keys, readers that follow, a compactor and a garbage collector on a failing store, in
 * one process from one seed. Every value is written once and by one writer, in its own ascending order.
 */
const name = 'docs';
const minuteMs = 60_000;
const met = new Map<string, number>();
const count = (what: string) => met.set(what, (met.get(what) ?? 0) + 1);

function simulate(seed: number) {
  const clock = createTestClock();
  const memory = createMemoryStore({ clock: { wallMs: clock.worldMs } });
  const random = createSeededRandom(seed);
  const faulty = faultInjecting(memory, { clock, random: createSeededRandom(seed + 1) });
  /** What the segments of the manifests hold: this package never reads them. */
  const segments = new Map<string, readonly number[]>();
  const deps = (store: ObjectStore, actor: number) => ({
    store: retrying(store, { clock, random: createSeededRandom(seed * 100 + actor + 50) }),
    clock,
    random: createSeededRandom(seed * 100 + actor),
    log: silentLog,
    metrics: noMetrics,
  });
  /** Manifest entries on their way to a writer. */
  const handed: PreparedManifest[] = [];
  return { clock, memory, random, faulty, segments, handed, deps };
}

type World = ReturnType<typeof simulate>;

/** Tries until it is told that the value is in: an unknown outcome drops the view, as an ingester does. */
async function writer(world: World, actor: number, values: readonly number[]): Promise<void> {
  const log = createNamespaceLog(world.deps(world.faulty, actor));
  const committer = createManifestCommitter(world.deps(world.faulty, actor + 5));
  let view: NamespaceView | undefined;
  for (const value of values) {
    const key = `key${value}`;
    let last: unknown;
    for (let attempt = 0; ; attempt++) {
      if (attempt > 200) throw new Error(`value ${value} never got in`, { cause: last });
      try {
        view ??= (await log.open(name)).view;
        const entry = world.handed.pop();
        if (entry !== undefined) {
          const handed = await committer.append(log, view, entry);
          count(`handed ${handed.outcome}`);
          view = handed.view;
        }
        const parts = await log.readIdempotencyParts(view);
        const manifestGeneration = view.live?.manifest.generation ?? 0;
        const build = (current: NamespaceView): EntryDraft | 'nothing' => {
          if (current.live === undefined) return withKey(birthDraft(createRandomId(world.random), [value]), key);
          if (current.live.manifest.generation !== manifestGeneration) throw new Error('records have moved');
          if (findIdempotent(current, parts, key) !== undefined) return 'nothing';
          return withKey({ kind: 'batch', ...batchOfBytes([value]) }, key);
        };
        view = (await log.append(view, build)).view;
        break;
      } catch (error) {
        if (isLagoonError(error) && error.reason === 'outcome_unknown') count('outcome unknown');
        view = undefined;
        last = error;
        if (!isPassing(error)) throw error;
      }
    }
    await pause(world);
  }
}

function withKey(draft: EntryDraft, key: string): EntryDraft {
  const record = {
    key,
    bodyHash: new Uint8Array(32),
    rowsUpserted: 1,
    rowsDeleted: 0,
    rowsPatched: 0,
    rowsRemaining: false,
  };
  const idempotency = [{ ...record, logicalBytesWritten: 1, writtenAtMs: 0 }];
  if (draft.kind === 'birth') return { ...draft, batch: { ...draft.batch, idempotency } };
  return draft.kind === 'batch' ? { ...draft, idempotency } : draft;
}

/** Damage on the way that outlasts the fetches is a typed error; the next try finds it gone. */
function isPassing(error: unknown): boolean {
  if (error instanceof Error && error.message === 'records have moved') return true;
  return isLagoonError(error, 'unavailable') || isLagoonError(error, 'corrupt') || isLagoonError(error, 'conflict');
}

async function compactor(world: World, actor: number, jobCount: number): Promise<void> {
  const deps = world.deps(world.faulty, actor);
  const log = createNamespaceLog(deps);
  const committer = createManifestCommitter(deps);
  for (let index = 0; index < jobCount; index++) {
    await pause(world);
    try {
      const { view, events } = await log.open(name);
      if (view.live === undefined || view.live.tail.length === 0) continue;
      const { live } = view;
      const job = createRandomId(world.random);
      const last = live.tail.at(-1)?.generation ?? 0;
      const values = valuesOf(events);
      const object = {
        key: `data/${live.family}/${live.incarnation}/${job}-0.seg`,
        size: 1,
        sha256: new Uint8Array(32),
      };
      world.segments.set(object.key, values);
      const counts = { rowCount: values.length, liveRowCount: values.length, logicalBytes: values.length };
      const range = { generationFirst: live.tail[0]?.generation ?? 0, generationLast: last };
      const part = await writeIdempotencyPart(
        deps,
        { name, incarnation: live.incarnation, job },
        recordsLeavingTail(live, last),
      );
      const edited = applyIndexEdit(live.manifest, {
        indexedThrough: last,
        schema: live.schema,
        settings: live.settings,
        segmentsAdded: [{ object, ...counts, ...range, deleteVector: undefined }],
        deleted: new Map(),
        rows: { added: values.length, superseded: 0, deleted: 0 },
        ...(part === undefined ? {} : { idempotencyPart: part }),
        lastWriteAtMs: live.lastWriteAtMs,
      });
      const prepared = await committer.prepare(view, edited, { job, startedAtMs: log.storeTimeMs() });
      await pause(world);
      const isHanded = world.random.float() < 0.5;
      if (isHanded) world.handed.push({ ...prepared }); // as over the wire
      if (isHanded && world.random.float() < 0.5) continue; // else both append it
      const result = await committer.append(log, view, prepared);
      count(`manifest ${result.outcome}`);
      if (result.outcome === 'committed' && world.random.float() < 0.7) await log.writeHint(result.view);
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
  }
}

/** Raises the floor below the newest manifest, lets it stand, and removes what is not needed any more; its store never fails. */
async function collector(world: World, actor: number, passCount: number): Promise<void> {
  const log = createNamespaceLog(world.deps(world.memory, actor));
  for (let pass = 0; pass < passCount; pass++) {
    await pause(world);
    const { view } = await log.open(name);
    const manifest = view.live?.manifest;
    if (manifest === undefined || manifest.generation < 2) continue;
    const floor = manifest.generation - 1;
    await world.memory.put(floorKey(name, floor), new Uint8Array(0));
    await pause(world);
    if (world.random.float() < 0.5) world.clock.advance(11 * minuteMs);
    else world.clock.suspend(11 * minuteMs);
    const dead = Array.from({ length: Math.min(floor, manifest.indexedThrough) }, (_, index) => index + 1);
    await world.memory.delete(dead.map((generation) => logKey(name, generation)));
    count('collected');
  }
}

/** Follows the head and holds the values it has been told of; they only ever grow. */
async function reader(world: World, actor: number, readCount: number): Promise<void> {
  const log = createNamespaceLog(world.deps(world.faulty, actor));
  let view: NamespaceView | undefined;
  let held: number[] = [];
  for (let index = 0; index < readCount; index++) {
    await pause(world);
    try {
      const read = view === undefined ? await log.open(name) : await log.advance(view, {});
      if (read.restarted && view !== undefined) count('reader restarted');
      const before = held;
      held = read.restarted ? contentOf(world, read.view, read.events) : [...held, ...valuesOf(read.events)];
      expect(held.slice(0, before.length)).toEqual(before);
      view = read.view;
    } catch (error) {
      if (!isPassing(error)) throw error;
      // Without a view: what it held is compared again with what a fresh open gives.
      view = undefined;
    }
  }
}

function contentOf(world: World, view: NamespaceView, events: readonly NamespaceEvent[]): number[] {
  const indexed = view.live?.manifest.segments.flatMap(({ object }) => world.segments.get(object.key) ?? []) ?? [];
  return [...indexed, ...valuesOf(events)];
}

function valuesOf(events: readonly NamespaceEvent[]): number[] {
  return events.flatMap((event) => (event.kind === 'batch' ? event.parts.flatMap((part) => [...part]) : []));
}

/** Gives way to the others, now and then for very long, and lets some time pass. */
async function pause(world: World): Promise<void> {
  const turnCountMax = world.random.float() < 0.06 ? 6_000 : 40;
  for (let turn = world.random.integer(turnCountMax); turn > 0; turn--) await Promise.resolve();
  world.clock.advance(world.random.integer(world.random.float() < 0.2 ? 40_000 : 2_000));
}

const policies = [
  {},
  { resetBefore: 0.1, resetAfter: 0.15, createConflict: 0.1 },
  { lateCreate: 0.15, resetAfter: 0.1, lateMsMax: 30 * minuteMs },
  { tornBody: 0.1, flippedBit: 0.1, unavailableBurst: 0.02, burstMsMax: 500 },
];

describe('simulation', () => {
  test('every value is in exactly once, in its writer’s order, whatever fails', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const world = simulate(seed);
      world.faulty.setPolicy(policies[seed % policies.length] ?? {});
      const written = [0, 1, 2].map((actor) => Array.from({ length: 10 }, (_, index) => actor * 50 + index));
      try {
        await Promise.all([
          ...written.map((values, actor) => writer(world, actor, values)),
          compactor(world, 10, 8),
          compactor(world, 11, 8),
          collector(world, 20, 6),
          reader(world, 30, 30),
          reader(world, 31, 10),
        ]);
        world.clock.advance(60 * minuteMs);
        const { view, events } = await createNamespaceLog(world.deps(world.memory, 40)).open(name);
        const content = contentOf(world, view, events);
        expect(content.toSorted((a, b) => a - b)).toEqual(written.flat());
        for (const values of written) expect(content.filter((value) => values.includes(value))).toEqual(values);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      for (const fault of faultNames) met.set(fault, (met.get(fault) ?? 0) + world.faulty.counts()[fault]);
    }
    for (const what of [
      'handed committed',
      'outcome unknown',
      'manifest committed',
      'collected',
      'reader restarted',
      'lateCreate',
      'flippedBit',
    ]) {
      if (!met.has(what) || met.get(what) === 0) throw new Error(`never met: ${what} in ${JSON.stringify([...met])}`);
    }
  });
});
