import { afterEach, describe, expect, test } from '@jest/globals';
import { LagoonError, type Log, type Metrics, noMetrics, silentLog } from '@lagoon/base';
import type { AttributeSchema, Schema } from '@lagoon/format';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import type { QueryEngine, QueryEngineOptions } from './query-engine.ts';
import type { QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace, type TestNamespace } from './testing.ts';

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map<string, AttributeSchema>([
    ['v', { type: { kind: 'vector', element: 'f32', dims: 256 }, filterable: false }],
    ['size', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
  ]),
};
const nearest: QuerySpec = {
  rankBy: { kind: 'vector', attribute: 'v', query: new Float32Array(256).fill(1), exact: true },
  limit: 3,
  projection: { kind: 'none' },
};
const strong = { level: 'strong' as const, stalenessMsMax: 0, generationMin: 0 };
const mebibyte = 1 << 20;
/** A namespace takes about 1 MiB, so a few fit into the arena beside the scratch. */
const rowCount = 1_000;

const rowsFrom = (first: number) =>
  Array.from({ length: rowCount }, (_, i) => ({
    id: BigInt(first + i),
    values: { v: Array.from({ length: 256 }, (_, d) => (((first + i) * 31 + d * 17) % 97) - 48), size: BigInt(i % 50) },
  }));

const firstRows = rowsFrom(0);

describe('a pinned namespace', () => {
  let engine: QueryEngine | undefined;
  afterEach(() => engine?.close());

  /** `readOf(name)`: requests for its segments so far. */
  const start = async (names: readonly string[], options: QueryEngineOptions = {}) => {
    const memory = createMemoryStore({ clock: { wallMs: () => 0 } });
    const namespaces = new Map<string, TestNamespace>();
    for (const [seed, name] of names.entries()) {
      const namespace = createTestNamespace(schema, { name, seed, store: memory });
      await namespace.write(firstRows);
      await namespace.index();
      namespaces.set(name, namespace);
    }
    const familyOf = async (name: string): Promise<string> =>
      (await (namespaces.get(name) as TestNamespace).log.open(name)).view.live?.family ?? '';
    const families = new Map(await Promise.all(names.map(async (name) => [await familyOf(name), name] as const)));
    const reads = new Map<string, number>();
    const faults = { count: 0 };
    const get: ObjectStore['get'] = async (key, getOptions, signal) => {
      const name = families.get(key.split('/')[1] ?? '');
      if (key.startsWith('data/') && faults.count-- > 0) throw new LagoonError('unavailable', 'scripted');
      if (key.startsWith('data/') && name !== undefined) reads.set(name, (reads.get(name) ?? 0) + 1);
      return memory.get(key, getOptions, signal);
    };
    const gauges = new Map<string, number>();
    const metrics: Metrics = {
      ...noMetrics,
      gauge: (name) => ({ set: (value, labels = {}) => void gauges.set(`${name} ${labels.state}`, value) }),
    };
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (message) => void warnings.push(message) };
    const made = createTestEngine(
      { store: memory },
      { store: { ...memory, get }, budgetBytes: 9 * mebibyte, pinnedBytesMax: 3 * mebibyte, metrics, log, ...options },
    );
    engine = made.engine;
    const query = async (name: string) => await made.engine.query(name, nearest, strong);
    return {
      engine: made.engine,
      faults,
      namespaces,
      query,
      readOf: (name: string) => reads.get(name) ?? 0,
      gauges,
      warnings,
    };
  };

  /** Work that nobody waits for goes on in turns of the event loop. */
  const until = async (done: () => boolean): Promise<void> => {
    for (let turn = 0; turn < 10_000 && !done(); turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(done()).toBe(true);
  };

  const others = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

  test('is loaded whole without a query, and stays while others come and go', async () => {
    const { engine, namespaces, query, readOf, gauges } = await start(['pinned', ...others]);
    await namespaces.get('pinned')?.set({ pinnedReplicaCount: 1 });
    await engine.metadata('pinned');
    await until(() => (gauges.get('lagoon_pinned_namespaces kept') ?? 0) === 1);
    expect(gauges.get('lagoon_pinned_namespace_bytes kept')).toBeGreaterThan(1e6);
    const loaded = readOf('pinned');
    expect(loaded).toBeGreaterThan(0);
    for (const name of others) await query(name);
    const first = readOf('a');
    await query('a');
    expect(readOf('a')).toBeGreaterThan(first); // it was put out: there was no room for all
    await query('pinned');
    expect(readOf('pinned')).toBe(loaded);
  });

  test('that is pinned no more goes like any other', async () => {
    const { engine, namespaces, query, readOf, gauges } = await start(['pinned', ...others]);
    await namespaces.get('pinned')?.set({ pinnedReplicaCount: 1 });
    await engine.metadata('pinned');
    await until(() => gauges.get('lagoon_pinned_namespaces kept') === 1);
    await namespaces.get('pinned')?.set({ pinnedReplicaCount: 0 });
    await engine.metadata('pinned');
    expect(gauges.get('lagoon_pinned_namespaces kept')).toBe(0);
    const loaded = readOf('pinned');
    for (const name of others) await query(name);
    await query('pinned');
    expect(readOf('pinned')).toBeGreaterThan(loaded);
  });

  test('is loaded when the first query after a start has seen it', async () => {
    const { namespaces, query, gauges } = await start(['pinned']);
    await namespaces.get('pinned')?.set({ pinnedReplicaCount: 1 });
    await query('pinned');
    await until(() => gauges.get('lagoon_pinned_namespaces kept') === 1);
  });

  test('is read ahead on notices although nobody queries it, new segments too', async () => {
    const { engine, namespaces, query, readOf, gauges } = await start(['pinned'], { readAheadMs: -1 });
    const pinned = namespaces.get('pinned') as TestNamespace;
    await pinned.set({ pinnedReplicaCount: 1 });
    await engine.metadata('pinned');
    await until(() => gauges.get('lagoon_pinned_namespaces kept') === 1);
    const loaded = readOf('pinned');
    await pinned.write(rowsFrom(100_000));
    await pinned.index();
    const before = gauges.get('lagoon_pinned_namespace_bytes kept') ?? 0;
    engine.notify('pinned', (await pinned.log.open('pinned')).view.generation);
    await until(() => (gauges.get('lagoon_pinned_namespace_bytes kept') ?? 0) > 1.5 * before);
    const ahead = readOf('pinned');
    expect(ahead).toBeGreaterThan(loaded);
    await query('pinned');
    expect(readOf('pinned')).toBe(ahead);
  });

  test('is tried again when it could not be loaded', async () => {
    const { engine, faults, namespaces, gauges, warnings } = await start(['pinned']);
    await namespaces.get('pinned')?.set({ pinnedReplicaCount: 1 });
    faults.count = 1;
    await engine.metadata('pinned');
    await until(() => warnings.length === 1);
    expect(warnings).toEqual(['reading ahead failed']);
    faults.count = 0;
    await engine.metadata('pinned');
    await until(() => (gauges.get('lagoon_pinned_namespace_bytes kept') ?? 0) > 1e6);
  });

  test('beyond the share is told, is no outage, and does not cost smaller pins their place', async () => {
    const { engine, namespaces, query, readOf, gauges, warnings } = await start(['large', 'small', ...others]);
    const large = namespaces.get('large') as TestNamespace;
    for (let i = 1; i <= 3; i++) {
      await large.write(rowsFrom(i * 100_000));
      await large.index();
    }
    for (const name of ['small', 'large']) await namespaces.get(name)?.set({ pinnedReplicaCount: 1 });
    await engine.metadata('small');
    await until(() => gauges.get('lagoon_pinned_namespaces kept') === 1);
    await engine.metadata('large');
    expect(warnings).toEqual(['pinned namespace does not fit into the share of pins']);
    expect(readOf('large')).toBe(0); // it would put out what others use
    const loaded = readOf('small');
    expect((await query('large')).rows).toHaveLength(3);
    for (const name of others) expect((await query(name)).rows).toHaveLength(3);
    const read = readOf('large');
    await query('large');
    expect(readOf('large')).toBeGreaterThan(read);
    await query('small');
    expect(readOf('small')).toBe(loaded);
  });

  test('takes at most half of the places for namespaces', async () => {
    const { engine, namespaces, query, readOf, gauges, warnings } = await start(['p', 'q', 'r', ...others], {
      replicaCountMax: 4,
      pinnedBytesMax: 6 * mebibyte,
    });
    for (const name of ['p', 'q', 'r']) await namespaces.get(name)?.set({ pinnedReplicaCount: 1 });
    await engine.metadata('p');
    await until(() => gauges.get('lagoon_pinned_namespaces kept') === 1);
    await engine.metadata('q');
    await until(() => gauges.get('lagoon_pinned_namespaces kept') === 2);
    await engine.metadata('r');
    expect([warnings.length, readOf('r')]).toEqual([1, 0]);
    const loaded = [readOf('p'), readOf('q')];
    for (const name of others) await query(name);
    for (const name of ['p', 'q']) await query(name);
    expect([readOf('p'), readOf('q')]).toEqual(loaded);
  });
});
