import { describe, expect, test } from '@jest/globals';
import { createMemoryStore } from '@lagoon/object-store';
import fc from 'fast-check';
import type { CompactorConfig } from './config.ts';
import {
  compact,
  createTestClock,
  createTestWorld,
  handingIngester,
  mortal,
  settleMicrotasks,
  type TestWorld,
  titlesWithVectors,
} from './testing.ts';

/** Every index job leaves a segment of its own, two of one tier are merged. */
const small: Partial<CompactorConfig> = { absorbBytesMax: 0, mergeFanIn: 2, mergeDeadBytesMin: 0 };
const noMerges: Partial<CompactorConfig> = { absorbBytesMax: 0, mergeFanIn: 1_000, mergeDeadPercent: 100 };

async function segmentsOf(world: TestWorld) {
  return (await world.view()).live?.manifest.segments ?? [];
}

/** Two segments: ids 1-3, and 4, 5. */
async function twoSegments(world: TestWorld): Promise<void> {
  const compactor = world.compactor({ config: noMerges });
  await world.write([
    [1, 'one'],
    [2, 'two'],
    [3, 'three'],
  ]);
  await compact(compactor);
  await world.write([
    [4, 'four'],
    [5, 'five'],
  ]);
  await compact(compactor);
}

describe('merge job', () => {
  test('puts one segment in the place of a full tier; rows and their accounting stay', async () => {
    const world = createTestWorld();
    await twoSegments(world);
    const before = await world.view();
    await world.write([[3, 'drei']], [1]);
    await compact(world.compactor({ config: small, seed: 2 }));
    const { live } = await world.view();
    expect(live?.manifest.segments.length).toBe(1);
    expect(live?.manifest.segments[0]).toMatchObject({ rowCount: 4, liveRowCount: 4, generationFirst: 1 });
    expect(live?.manifest.rows).toEqual({ added: 6, superseded: 1, deleted: 1, live: 4 });
    const old = before.live?.manifest.segments.map(({ object }) => object.key) ?? [];
    expect(live?.manifest.obsolete.map(({ key }) => key)).toEqual(expect.arrayContaining(old));
    expect(await world.content()).toEqual(
      new Map([
        [2, 'two'],
        [3, 'drei'],
        [4, 'four'],
        [5, 'five'],
      ]),
    );
  });

  test('merges what fills no tier when no job has committed for a while, and nothing waits to be indexed', async () => {
    const world = createTestWorld(undefined, createTestClock(), titlesWithVectors);
    const compactor = world.compactor({ config: { ...noMerges, mergeQuietMs: 20_000 } });
    const advance = async (durationMs: number) => {
      world.clock.advance(durationMs);
      await compactor.settled();
      return (await segmentsOf(world)).length;
    };
    for (const id of [1, 2, 3]) {
      await world.write([[id, 'one']]);
      await compact(compactor);
      expect(await advance(19_999)).toBe(id);
    }
    await world.write([[4, 'four']]);
    expect(await advance(1)).toBe(3);
    await compact(compactor);
    expect(await advance(19_999)).toBe(4);
    expect(await advance(1)).toBe(1);
    expect((await world.content()).size).toBe(4);
  });

  test('merges nothing for quiet where no vectors are searched', async () => {
    const world = createTestWorld();
    const compactor = world.compactor({ config: { ...noMerges, mergeQuietMs: 20_000 } });
    for (const id of [1, 2, 3]) {
      await world.write([[id, 'one']]);
      await compact(compactor);
    }
    world.clock.advance(60_000);
    await compactor.settled();
    expect((await segmentsOf(world)).length).toBe(3);
  });

  test('rewrites a segment by itself when too much of it is dead', async () => {
    const world = createTestWorld();
    await world.write(Array.from({ length: 10 }, (_, id) => [id, `row ${id}`] as const));
    await compact(world.compactor({ config: noMerges }));
    await world.write([], [0, 1, 2, 3]);
    await compact(world.compactor({ config: { ...noMerges, mergeDeadPercent: 33, mergeDeadBytesMin: 0 }, seed: 2 }));
    expect((await segmentsOf(world)).map(({ rowCount, liveRowCount }) => [rowCount, liveRowCount])).toEqual([[6, 6]]);
    expect((await world.content()).size).toBe(6);
  });

  test('content equals a simple model whatever is written, deleted, indexed and merged in between', async () => {
    const id = fc.integer({ min: 0, max: 14 });
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          upserts: fc.uniqueArray(id, { maxLength: 5 }),
          deletes: fc.uniqueArray(id, { maxLength: 4 }),
        }),
      },
      { weight: 3, arbitrary: fc.constant('compact' as const) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 4, maxLength: 30 }),
        fc.integer({ min: 2, max: 3 }),
        fc.constantFrom(4, 1_000),
        fc.constantFrom(0, 8 << 20),
        async (steps, mergeFanIn, mergeRowsMax, absorbBytesMax) => {
          const world = createTestWorld();
          const compactor = world.compactor({
            config: { absorbBytesMax, mergeFanIn, mergeRowsMax, mergeDeadBytesMin: 0 },
          });
          const model = new Map<number, string>();
          for (const [at, given] of steps.entries()) {
            if (given === 'compact') await compact(compactor);
            else {
              const rows = given.upserts.map((row) => [row, `${row} at ${at}`] as const);
              const deletes = given.deletes.filter((row) => !given.upserts.includes(row));
              await world.write(rows, deletes);
              for (const [row, title] of rows) model.set(row, title);
              for (const row of deletes) model.delete(row);
            }
            expect(await world.content()).toEqual(model);
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('a merge beside other work', () => {
  /** The merge reads; then `meanwhile` happens; then it commits. */
  async function mergeWith(world: TestWorld, meanwhile: () => Promise<void>) {
    let openCount = 0;
    const log = {
      ...world.log,
      open: async (...asked: Parameters<typeof world.log.open>) => {
        // An index job finds nothing, the merge begins, the merge commits.
        if (++openCount === 3) await meanwhile();
        return world.log.open(...asked);
      },
    };
    await world.write([[6, 'six']]);
    await compact(world.compactor({ config: { ...small, mergeFanIn: 3, mergeDeadPercent: 50 }, log, seed: 2 }));
    expect(openCount).toBeGreaterThan(2);
  }

  test('rows that die meanwhile in the merged segments die in the new one; what is added stays', async () => {
    const world = createTestWorld();
    await twoSegments(world);
    const other = world.compactor({ config: noMerges, seed: 3 });
    await mergeWith(world, async () => {
      await world.write(
        [
          [2, 'zwei'],
          [7, 'seven'],
        ],
        [4],
      );
      await compact(other);
    });
    const { live } = await world.view();
    expect(live?.manifest.rows).toEqual({ added: 8, superseded: 1, deleted: 1, live: 6 });
    expect(live?.manifest.segments.map(({ rowCount, liveRowCount }) => [rowCount, liveRowCount])).toContainEqual([
      6, 4,
    ]);
    expect(await world.content()).toEqual(
      new Map([
        [1, 'one'],
        [2, 'zwei'],
        [3, 'three'],
        [5, 'five'],
        [6, 'six'],
        [7, 'seven'],
      ]),
    );
  });

  test('where all rows have died meanwhile, nothing takes the place of the merged segments', async () => {
    const world = createTestWorld();
    await twoSegments(world);
    await mergeWith(world, async () => {
      await world.write([[9, 'nine']], [1, 2, 3, 4, 5, 6]);
      await compact(world.compactor({ config: noMerges, seed: 3 }));
    });
    expect(await world.content()).toEqual(new Map([[9, 'nine']]));
  });

  test('is dropped, and its object removed, where another merge took its segments', async () => {
    const world = createTestWorld();
    await twoSegments(world);
    await mergeWith(world, async () => {
      const other = world.compactor({ config: small, seed: 3 });
      await world.write([[8, 'eight']]);
      await compact(other);
    });
    const named = (await segmentsOf(world)).map(({ object }) => object.key);
    const { live } = await world.view();
    const obsolete = live?.manifest.obsolete.map(({ key }) => key) ?? [];
    const { objects } = await world.store.list({ prefix: 'data/' });
    expect(objects.map(({ key }) => key).filter((key) => !named.includes(key) && !obsolete.includes(key))).toEqual([]);
    expect((await world.content()).size).toBe(7);
  });

  test('is dropped where the namespace ends and is born again: old rows never return', async () => {
    const world = createTestWorld();
    await twoSegments(world);
    await mergeWith(world, async () => {
      await world.truncate();
      await world.write([[2, 'new']]);
    });
    expect(await world.content()).toEqual(new Map([[2, 'new']]));
  });

  test('is refused once its job was revoked', async () => {
    const world = createTestWorld();
    await twoSegments(world);
    await mergeWith(world, async () => {
      const { objects } = await world.store.list({ prefix: 'data/' });
      const jobs = objects.map(({ key }) => key.replace(/^.*\/(.*)-\d+\.\w+$/, '$1'));
      await world.log.append(await world.view(), () => ({ kind: 'aborted', revokedJobs: jobs }));
    });
    expect((await segmentsOf(world)).length).toBe(3);
    expect((await world.content()).size).toBe(6);
  });

  test('two compactors at once: one of them is superseded, content is right', async () => {
    const world = createTestWorld();
    await twoSegments(world);
    await world.write([[6, 'six']]);
    await Promise.all([2, 3].map((seed) => compact(world.compactor({ config: small, seed }))));
    await compact(world.compactor({ config: small, seed: 4 }));
    expect((await world.content()).size).toBe(6);
  });

  test('an ingester appends the entry and its answer is lost: one manifest, nothing of it removed', async () => {
    const world = createTestWorld();
    await twoSegments(world);
    await world.write([[6, 'six']]);
    const { client, callCount } = handingIngester(world, { answer: new Error('connection reset') });
    await compact(world.compactor({ config: small, ingester: client, seed: 2 }));
    expect(callCount()).toBeGreaterThan(1);
    expect((await segmentsOf(world)).length).toBeLessThan(3);
    expect((await world.content()).size).toBe(6);
  });
});

describe('a compactor that dies in a merge', () => {
  test('after any of its store calls: content unchanged, late deletes kept, and another one finishes the work', async () => {
    const expected = new Map([
      [2, 'zwei'],
      [3, 'three'],
      [5, 'five'],
      [6, 'six'],
    ]);
    let callCount = 0;
    for (let dieAfter = 0; ; dieAfter++) {
      const clock = createTestClock();
      const inner = createMemoryStore({ clock });
      const world = createTestWorld(inner, clock);
      await twoSegments(world);
      await world.write([[6, 'six']]);
      await compact(world.compactor({ config: noMerges, seed: 3 }));
      await world.write([[2, 'zwei']], [1, 4]);
      let count = 0;
      const store = mortal(inner, () => count++ >= dieAfter);
      const dying = world.compactor({ config: { ...small, mergeFanIn: 3 }, store, seed: 1_000 + dieAfter });
      const outcome = await Promise.race([compact(dying).then(() => 'done'), settleMicrotasks().then(() => 'dead')]);
      expect(await world.content()).toEqual(expected);
      await compact(world.compactor({ config: small, seed: 2_000 + dieAfter }));
      await world.write([[9, 'nine']]);
      await compact(world.compactor({ config: small, seed: 3_000 + dieAfter }));
      expect((await segmentsOf(world)).length).toBeLessThan(3);
      expect(await world.content()).toEqual(new Map([...expected, [9, 'nine']]));
      callCount = count;
      if (outcome === 'done') break;
    }
    expect(callCount).toBeGreaterThan(20);
  });
});
