import { describe, expect, test } from '@jest/globals';
import { createSystemClock, LagoonError } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import { createMemoryStore, metered, type ObjectStore } from '@lagoon/object-store';
import type { ConsistencySpec, QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace } from './testing.ts';

const schema: Schema = {
  idKind: 'string',
  attributes: new Map([['n', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }]]),
};
const everything: QuerySpec = {
  rankBy: { kind: 'order', keys: [{ attribute: 'id', descending: false }] },
  limit: 100,
  projection: { kind: 'none' },
};
const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };
const eventual: ConsistencySpec = { level: 'eventual', stalenessMsMax: 60_000, generationMin: 0 };
const document = (id: string) => ({ id, values: { n: 1n } });

/** A store that counts, over one that can hold back reads of log entries. */
function createProbedStore() {
  const inner = createMemoryStore({ clock: createSystemClock() });
  const gates: (() => void)[] = [];
  let isGated = false;
  let logReadCount = 0;
  const store: ObjectStore = {
    ...inner,
    get: async (key, options, signal) => {
      if (!key.includes('/log/')) return inner.get(key, options, signal);
      logReadCount++;
      const answer = await inner.get(key, options, signal);
      if (isGated) await new Promise<void>((resolve) => void gates.push(resolve));
      return answer;
    },
  };
  return {
    store,
    inner,
    gate: () => {
      isGated = true;
    },
    open: () => {
      isGated = false;
      for (const release of gates.splice(0)) release();
    },
    get waitingCount() {
      return gates.length;
    },
    get logReadCount() {
      return logReadCount;
    },
  };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('what a query asks of the store', () => {
  test('warm: nothing when eventual, exactly one GET when strong', async () => {
    const clock = createSystemClock();
    const inner = createMemoryStore({ clock });
    const namespace = createTestNamespace(schema, { store: inner });
    await namespace.write([document('a')]);
    await namespace.index();
    await namespace.write([document('b')]);
    const store = metered(inner, { clock });
    const { engine } = createTestEngine(namespace, { store });
    await engine.query('docs', everything, strong);
    store.reset();
    const result = await engine.query('docs', everything, eventual);
    expect(store.snapshot()).toMatchObject({ get: 0, list: 0, put: 0, create: 0 });
    expect(result.statistics.storeRequestCount).toBe(0);
    await engine.query('docs', everything, strong);
    expect(store.snapshot()).toMatchObject({ get: 1, list: 0, put: 0, create: 0 });
    await engine.close();
  });
});

describe('a strong read', () => {
  test('shares a probe with those who came before it was sent, and with nobody else', async () => {
    const probed = createProbedStore();
    const namespace = createTestNamespace(schema, { store: probed.inner });
    const { engine } = createTestEngine(namespace, { store: probed.store });
    await namespace.write([document('a')]);
    await engine.query('docs', everything, strong);
    probed.gate();
    const countBefore = probed.logReadCount;
    const early = engine.query('docs', everything, strong);
    await turn();
    expect(probed.waitingCount).toBe(1); // the first one's probe has read "absent" and is under way
    await namespace.write([document('b')]);
    const late = [1, 2, 3].map(() => engine.query('docs', everything, strong));
    await turn();
    probed.open();
    expect((await early).rows.map(({ id }) => id)).toEqual(['a']);
    for (const query of late) expect((await query).rows.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(probed.logReadCount - countBefore).toBe(4); // absent; then one walk for all three: b, and two behind it at once
    await engine.close();
  });

  test('sees the end of a namespace and its next life', async () => {
    const namespace = createTestNamespace(schema);
    const { engine } = createTestEngine(namespace);
    await expect(engine.query('docs', everything, strong)).rejects.toMatchObject({ code: 'not_found' });
    await namespace.write([document('a')]);
    await namespace.index();
    expect((await engine.query('docs', everything, strong)).rows).toHaveLength(1);
    await namespace.end();
    await expect(engine.query('docs', everything, strong)).rejects.toMatchObject({ code: 'not_found' });
    await expect(engine.metadata('docs')).rejects.toMatchObject({ code: 'not_found' });
    await namespace.write([document('b')]);
    expect((await engine.query('docs', everything, strong)).rows.map(({ id }) => id)).toEqual(['b']);
    expect((await engine.metadata('docs')).generation).toBe((await namespace.write([])) - 1);
    await engine.close();
  });
});

describe('an eventual read', () => {
  test('may be as old as it says, and a wanted generation makes it newer', async () => {
    const namespace = createTestNamespace(schema);
    const { engine } = createTestEngine(namespace);
    const first = await namespace.write([document('a')]);
    expect((await engine.query('docs', everything, eventual)).generation).toBe(first);
    const second = await namespace.write([document('b')]);
    expect((await engine.query('docs', everything, eventual)).generation).toBe(first);
    const wanted = await engine.query('docs', everything, { ...eventual, generationMin: second });
    expect(wanted.rows).toHaveLength(2);
    const third = await namespace.write([document('c')]);
    expect((await engine.query('docs', everything, { ...eventual, stalenessMsMax: 0 })).generation).toBe(third);
    await engine.close();
  });

  test('joins no probe from before the machine was suspended', async () => {
    const system = createSystemClock();
    let suspendedMs = 0; // the monotonic clock stood still meanwhile
    const clock = { ...system, wallMs: () => system.wallMs() + suspendedMs };
    const probed = createProbedStore();
    const namespace = createTestNamespace(schema, { store: probed.inner });
    const { engine } = createTestEngine(namespace, { store: probed.store, clock });
    await namespace.write([document('a')]);
    await engine.query('docs', everything, strong);
    probed.gate();
    const early = engine.query('docs', everything, strong);
    await turn();
    await namespace.write([document('b')]);
    suspendedMs = eventual.stalenessMsMax + 1;
    const late = engine.query('docs', everything, eventual);
    await turn();
    probed.open();
    expect((await early).rows).toHaveLength(1);
    expect((await late).rows).toHaveLength(2);
    await engine.close();
  });

  test('of a generation that does not come is unavailable, to be tried again', async () => {
    const namespace = createTestNamespace(schema);
    const { engine } = createTestEngine(namespace, { generationWaitMsMax: 50 });
    await namespace.write([document('a')]);
    const wanted = { ...eventual, generationMin: 9 };
    await expect(engine.query('docs', everything, wanted)).rejects.toMatchObject({ code: 'unavailable' });
    await engine.close();
  });

  test('learns of a generation by a notice', async () => {
    const namespace = createTestNamespace(schema);
    const { engine } = createTestEngine(namespace);
    await namespace.write([document('a')]);
    await engine.query('docs', everything, eventual);
    const second = await namespace.write([document('b')]);
    engine.notify('docs', second);
    let generation = 0;
    for (let i = 0; i < 100 && generation < second; i++) {
      await turn();
      ({ generation } = await engine.query('docs', everything, eventual));
    }
    expect(generation).toBe(second);
    await engine.close();
  });
});

describe('objects that go', () => {
  test('a query whose segment is gone starts over on a newer snapshot', async () => {
    const inner = createMemoryStore({ clock: createSystemClock() });
    const namespace = createTestNamespace(schema, { store: inner });
    await namespace.write([document('a'), document('b')]);
    await namespace.index();
    const [old] = (await namespace.log.open('docs')).view.live?.manifest.segments ?? [];
    // Between the reader's view and its reading of the segment, a newer manifest comes and the old segment goes.
    let isRaced = false;
    const store: ObjectStore = {
      ...inner,
      get: async (key, options, signal) => {
        if (!isRaced && key === old?.object.key) {
          isRaced = true;
          await namespace.write([document('c')], ['a', 'b']);
          await namespace.index();
          await inner.delete([key]);
        }
        return inner.get(key, options, signal);
      },
    };
    const { engine } = createTestEngine(namespace, { store });
    expect((await engine.query('docs', everything, eventual)).rows.map(({ id }) => id)).toEqual(['c']);
    expect(isRaced).toBe(true);
    await engine.close();
  });

  test('a segment that stays missing, or has other bytes, is corrupt and named', async () => {
    for (const damage of ['delete', 'ids', 'footer'] as const) {
      const namespace = createTestNamespace(schema);
      await namespace.write([document('a')]);
      await namespace.index();
      const [segment] = (await namespace.log.open('docs')).view.live?.manifest.segments ?? [];
      const key = segment?.object.key ?? '';
      const bytes = (await namespace.store.get(key))?.bytes.slice() ?? new Uint8Array(1);
      await namespace.store.delete([key]);
      const at = damage === 'ids' ? 16 : (segment?.footer?.offset ?? 0);
      bytes[at] = (bytes[at] as number) ^ 4;
      if (damage !== 'delete') await namespace.store.create(key, bytes);
      const { engine } = createTestEngine(namespace);
      const failure = await engine.query('docs', everything, eventual).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(LagoonError);
      expect(failure).toMatchObject({ code: 'corrupt', context: { key } });
      await engine.close();
    }
  });
});

describe('memory', () => {
  test('namespaces make room for each other, and what was put out is read again', async () => {
    const namespace = createTestNamespace(schema);
    const big = { id: 'big', values: { n: 1n } };
    await namespace.write([big, ...Array.from({ length: 20_000 }, (_, i) => document(`x${i}`))]);
    await namespace.index();
    const { engine, arena } = createTestEngine(namespace, { budgetBytes: 3 << 20, replicaCountMax: 1 });
    for (let round = 0; round < 3; round++) {
      expect((await engine.query('docs', everything, strong)).statistics.rowCount).toBe(20_001);
      await expect(engine.query('other', everything, strong)).rejects.toMatchObject({ code: 'not_found' });
    }
    expect(arena.usage.reservedBytes).toBeLessThanOrEqual(3 << 20);
    await engine.close();
  });
});
