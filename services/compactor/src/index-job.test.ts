import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compact, createTestWorld, testName } from './testing.ts';

describe('index job', () => {
  test('moves the tail into one segment, newest row per id', async () => {
    const world = createTestWorld();
    await world.write([
      [1, 'one'],
      [2, 'two'],
    ]);
    await world.write(
      [
        [2, 'zwei'],
        [3, 'drei'],
      ],
      [1],
    );
    await compact(world.compactor());
    const view = await world.view();
    expect(view.live?.tail).toEqual([]);
    expect(view.live?.manifest.segments.length).toBe(1);
    expect(view.live?.manifest.rows).toEqual({ added: 2, superseded: 0, deleted: 0, live: 2 });
    expect(await world.content()).toEqual(
      new Map([
        [2, 'zwei'],
        [3, 'drei'],
      ]),
    );
  });

  test('rows of older segments die of later upserts and deletes, and a segment without live rows goes', async () => {
    const world = createTestWorld();
    const compactor = world.compactor({ config: { absorbBytesMax: 0 } });
    await world.write([
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ]);
    await compact(compactor);
    await world.write([[1, 'eins']], [2, 9]);
    await compact(compactor);
    const first = await world.view();
    expect(first.live?.manifest.rows).toEqual({ added: 4, superseded: 1, deleted: 1, live: 2 });
    expect(first.live?.manifest.segments.map((segment) => segment.liveRowCount)).toEqual([1, 1]);
    await world.write([], [3]);
    await compact(compactor);
    const second = await world.view();
    expect(second.live?.manifest.segments.length).toBe(1);
    expect(second.live?.manifest.obsolete.length).toBe(1);
    expect(await world.content()).toEqual(new Map([[1, 'eins']]));
  });

  test('content equals a simple model whatever is written, deleted and compacted in between', async () => {
    const id = fc.integer({ min: 0, max: 12 });
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          upserts: fc.uniqueArray(id, { maxLength: 5 }),
          deletes: fc.uniqueArray(id, { maxLength: 4 }),
        }),
      },
      { weight: 2, arbitrary: fc.constant('compact' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 24 }),
        fc.constantFrom(1, 900, 1 << 20),
        fc.constantFrom(0, 1 << 20),
        async (steps, jobBytesMax, absorbBytesMax) => {
          const world = createTestWorld();
          const config = { jobBytesMax, segmentBytesMax: absorbBytesMax === 0 ? 300 : 2_000, absorbBytesMax };
          let compactor = world.compactor({ config });
          const model = new Map<number, string>();
          let count = 0;
          for (const given of steps) {
            if (given === 'compact') {
              await compact(compactor);
              expect((await world.view()).live?.tail ?? []).toEqual([]);
            } else if (given === 'restart') compactor = world.compactor({ config, seed: 1_000 + ++count });
            else {
              const rows = given.upserts.map((row) => [row, `${row} at ${++count}`] as const);
              const deletes = given.deletes.filter((row) => !given.upserts.includes(row));
              await world.write(rows, deletes);
              for (const [row, title] of rows) model.set(row, title);
              for (const row of deletes) model.delete(row);
            }
            expect(await world.content()).toEqual(model);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('takes entries without rows along, any number of them in one manifest', async () => {
    const world = createTestWorld();
    await world.write([[1, 'one']]);
    await compact(world.compactor());
    const { log } = world;
    for (let i = 0; i < 5; i++) {
      const keyed = { key: `k${i}`, bodyHash: new Uint8Array(32), rowsUpserted: 0, rowsDeleted: 0, rowsPatched: 0 };
      const record = { ...keyed, rowsRemaining: false, logicalBytesWritten: 0, writtenAtMs: world.clock.wallMs() };
      const batch = { parts: [], upsertedRowCount: 0, deletedRowCount: 0, idempotency: [record] };
      await log.append(await world.view(), () => ({ kind: 'batch', ...batch }));
    }
    const before = await world.view();
    await compact(world.compactor());
    const after = await world.view();
    expect(after.live?.tail).toEqual([]);
    expect(after.generation).toBe(before.generation + 1);
    expect((await log.readIdempotencyParts(after)).size).toBe(5);
    expect(await world.content()).toEqual(new Map([[1, 'one']]));
  });

  test('a tail above the size of a segment becomes segments of about one size', async () => {
    const world = createTestWorld();
    const row = (id: number) => [id, `row ${id} ${'x'.repeat(id % 7)}`] as const;
    for (let batch = 0; batch < 10; batch++)
      await world.write(Array.from({ length: 50 }, (_, id) => row(batch + 10 * id)));
    await compact(world.compactor({ config: { segmentBytesMax: 9_000, absorbBytesMax: 0 } }));
    const counts = (await world.view()).live?.manifest.segments.map((segment) => segment.rowCount) ?? [];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(500);
    expect(Math.min(...counts) * 1.5).toBeGreaterThan(Math.max(...counts));
  });

  test('a trickle of writes does not become a trickle of segments', async () => {
    const world = createTestWorld();
    const compactor = world.compactor();
    for (let id = 0; id < 60; id++) {
      await world.write([[id, `row ${id}`]], id === 0 ? [] : [id - 1]);
      await world.write([[1000 + id, 'stays']]);
      await compact(compactor);
    }
    const { live } = await world.view();
    expect(live?.manifest.segments.length).toBeLessThan(8);
    expect(live?.manifest.rows.live).toBe(61);
    expect((await world.content()).size).toBe(61);
  });

  test('an index job in flight while the namespace ends and is born again is dropped, old rows never return', async () => {
    const world = createTestWorld();
    await world.write([[1, 'old']]);
    const original = world.log.open;
    const { role } = withOpen(world, async (...asked) => {
      const read = await original(...asked);
      await world.truncate();
      await world.write([[2, 'new']]);
      return read;
    });
    await compact(role);
    expect(await world.content()).toEqual(new Map([[2, 'new']]));
    const { objects } = await world.store.list({ prefix: 'data/' });
    expect(objects.map(({ key }) => key).filter((key) => key.includes('incarnation0'))).toEqual([]);
  });
});

function withOpen(world: ReturnType<typeof createTestWorld>, open: typeof world.log.open) {
  let isFirst = true;
  const log = {
    ...world.log,
    open: (...asked: Parameters<typeof open>) => {
      if (!isFirst || asked[0] !== testName) return world.log.open(...asked);
      isFirst = false;
      return open(...asked);
    },
  };
  return { role: world.compactor({ log }) };
}
