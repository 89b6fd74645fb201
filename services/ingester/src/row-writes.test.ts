import { describe, expect, test } from '@jest/globals';
import { createMemoryStore } from '@lagoon/object-store';
import { compare, type RowAnswer, type RowWrite, readDocuments, writeRows } from './row-testing.ts';
import { createTestClock, createTestIngester } from './testing.ts';

const documents = (entries: readonly (readonly [number, object])[]) => new Map(entries);

describe('patches', () => {
  test('change only what they name, remove what is null, and ignore unknown ids', async () => {
    const ingester = createTestIngester();
    await writeRows(ingester, {
      upserts: documents([
        [1, { n: 1, m: 2, s: 'a' }],
        [2, { n: 3 }],
      ]),
    });
    const answer = await writeRows(ingester, {
      patches: documents([
        [1, { n: 7, s: null }],
        [2, { s: 'new' }],
        [9, { n: 1 }],
      ]),
      returnAffectedIds: true,
    });
    expect(answer).toMatchObject({ patched: 2, upserted: 0, deleted: 0, ids: { patched: [1, 2] } });
    expect(await readDocuments(ingester)).toEqual(
      documents([
        [1, { n: 7, m: 2 }],
        [2, { n: 3, s: 'new' }],
      ]),
    );
  });

  test('of ids that are all unknown commit nothing, but the key', async () => {
    const ingester = createTestIngester();
    const first = await writeRows(ingester, { upserts: documents([[1, { n: 1 }]]) });
    const nothing = await writeRows(ingester, { patches: documents([[5, { n: 1 }]]) });
    expect(nothing).toMatchObject({ generation: first.generation, patched: 0 });
    const keyed = { patches: documents([[5, { n: 1 }]]), key: 'k' };
    const kept = await writeRows(ingester, keyed);
    expect(kept).toMatchObject({ generation: first.generation + 1, patched: 0 });
    expect(await writeRows(ingester, keyed)).toEqual(kept);
  });

  test('a retry under a key has the counts of the first', async () => {
    const ingester = createTestIngester();
    await writeRows(ingester, {
      upserts: documents([
        [1, { n: 1 }],
        [2, { n: 2 }],
      ]),
    });
    const patch: RowWrite = { patches: documents([[1, { n: 5 }]]), deletes: [2, 3], returnAffectedIds: true, key: 'k' };
    const first = await writeRows(ingester, patch);
    expect(first).toMatchObject({ patched: 1, deleted: 1, ids: { patched: [1], deleted: [2] } });
    const other = createTestIngester({ store: ingester.store, clock: ingester.clock, seed: 2 });
    expect(await writeRows(other, patch)).toMatchObject({ generation: first.generation, patched: 1, deleted: 1 });
  });

  test('an id that is also upserted or deleted is refused', async () => {
    const ingester = createTestIngester();
    await writeRows(ingester, { upserts: documents([[1, { n: 1 }]]) });
    for (const rest of [{ upserts: documents([[1, { n: 2 }]]) }, { deletes: [1] }]) {
      await expect(writeRows(ingester, { patches: documents([[1, { n: 2 }]]), ...rest })).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining('twice'),
      });
    }
  });
});

describe('conditions', () => {
  test('an upsert of a missing document applies; patches and deletes of one do not', async () => {
    const ingester = createTestIngester();
    await writeRows(ingester, {
      upserts: documents([
        [1, { n: 1 }],
        [2, { n: 5 }],
        [3, { n: 1 }],
        [4, { n: 5 }],
      ]),
    });
    const small = compare('n', 'lt', 3);
    const upserted = await writeRows(ingester, {
      upserts: documents([
        [1, { n: 8 }],
        [2, { n: 8 }],
        [7, { n: 8 }],
      ]),
      upsertCondition: small,
      returnAffectedIds: true,
    });
    expect(upserted.ids.upserted).toEqual([1, 7]);
    const deleted = await writeRows(ingester, { deletes: [3, 4, 9], deleteCondition: small, returnAffectedIds: true });
    expect(deleted).toMatchObject({ deleted: 1, ids: { deleted: [3] } });
    const patched = await writeRows(ingester, {
      patches: documents([
        [1, { m: 1 }],
        [2, { m: 1 }],
        [9, { m: 1 }],
      ]),
      patchCondition: compare('n', 'eq', 8),
    });
    expect(patched.patched).toBe(1);
    expect(await readDocuments(ingester)).toEqual(
      documents([
        [1, { n: 8, m: 1 }],
        [2, { n: 5 }],
        [4, { n: 5 }],
        [7, { n: 8 }],
      ]),
    );
  });

  test('["id", "Eq", null] inserts only what is absent, also the first document of a namespace', async () => {
    const ingester = createTestIngester();
    const insert = (n: number) =>
      writeRows(ingester, { upserts: documents([[1, { n }]]), upsertCondition: compare('id', 'eq', null) });
    expect((await insert(1)).upserted).toBe(1);
    expect((await insert(2)).upserted).toBe(0);
    expect(await readDocuments(ingester)).toEqual(documents([[1, { n: 1 }]]));
  });

  test('$ref_new is what the write makes of the document', async () => {
    const ingester = createTestIngester();
    await writeRows(ingester, {
      upserts: documents([
        [1, { n: 5, m: 1 }],
        [2, { n: 5, m: 9 }],
      ]),
    });
    const newer = compare('n', 'lt', { new: 'n' });
    expect((await writeRows(ingester, { upserts: documents([[1, { n: 5 }]]), upsertCondition: newer })).upserted).toBe(
      0,
    );
    expect((await writeRows(ingester, { upserts: documents([[1, { n: 6 }]]), upsertCondition: newer })).upserted).toBe(
      1,
    );
    const patch = documents([
      [1, { n: 7 }],
      [2, { n: 4 }],
    ]);
    expect(
      (await writeRows(ingester, { patches: patch, patchCondition: newer, returnAffectedIds: true })).ids.patched,
    ).toEqual([1]);
    // What a patch does not name stays, so it refers to what is there.
    const unpatched = compare('m', 'eq', { new: 'm' });
    expect(
      (await writeRows(ingester, { patches: documents([[2, { n: 6 }]]), patchCondition: unpatched })).patched,
    ).toBe(1);
    const gone = compare('m', 'notEq', { new: 'm' });
    expect((await writeRows(ingester, { deletes: [2], deleteCondition: gone })).deleted).toBe(1);
  });

  test.each([
    [compare('nothing', 'eq', 1), 'unknown attribute'],
    [compare('n', 'lt', { new: 'nothing' }), 'unknown attribute'],
    [compare('n', 'eq', 'text'), 'type'],
    [compare('n', 'eq', { new: 's' }), 'type'],
  ])('%#: what does not fit the schema is refused, whatever documents there are', async (condition, message) => {
    const ingester = createTestIngester();
    const write = { upserts: documents([[1, { n: 1, s: 'x' }]]), upsertCondition: condition };
    for (let round = 0; round < 2; round++) {
      await expect(writeRows(ingester, write)).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining(message),
      });
      await writeRows(ingester, { upserts: documents([[2, { n: 1 }]]) });
    }
    expect([...(await readDocuments(ingester)).keys()]).toEqual([2]);
  });
});

describe('filters', () => {
  const filled = async (config = {}) => {
    const ingester = createTestIngester({ config });
    const all = documents(Array.from({ length: 10 }, (_, id) => [id, { n: id, s: id % 2 === 0 ? 'even' : 'odd' }]));
    await writeRows(ingester, { upserts: all });
    return ingester;
  };

  test('delete_by_filter, then patch_by_filter, then the rest, each on what the one before leaves', async () => {
    const ingester = await filled();
    const answer = await writeRows(ingester, {
      deleteByFilter: compare('n', 'lt', 5),
      patchByFilter: { filter: compare('n', 'lte', 6), patch: { n: 100, s: null } },
      upserts: documents([[0, { n: 1 }]]),
      patches: documents([
        [5, { m: 1 }],
        [1, { m: 1 }],
      ]),
      deletes: [2, 9],
      patchCondition: compare('n', 'eq', 100),
      returnAffectedIds: true,
    });
    expect(answer).toEqual({
      generation: 2,
      upserted: 1,
      patched: 2,
      deleted: 6,
      remaining: false,
      ids: { upserted: [0], patched: [5, 6], deleted: [0, 1, 2, 3, 4, 9] },
    });
    expect(await readDocuments(ingester)).toEqual(
      documents([
        [0, { n: 1 }],
        [5, { n: 100, m: 1 }],
        [6, { n: 100 }],
        [7, { n: 7, s: 'odd' }],
        [8, { n: 8, s: 'even' }],
      ]),
    );
  });

  test('too many rows are refused naming the bound, or taken in part', async () => {
    const ingester = await filled({ filterDeleteRowCountMax: 3, filterPatchRowCountMax: 2 });
    const remove: RowWrite = { deleteByFilter: compare('s', 'eq', 'even') };
    await expect(writeRows(ingester, remove)).rejects.toMatchObject({
      code: 'invalid_argument',
      context: { rows: 5, rowCountMax: 3 },
    });
    expect(await writeRows(ingester, { ...remove, allowPartial: true })).toMatchObject({ deleted: 3, remaining: true });
    expect(await writeRows(ingester, { ...remove, allowPartial: true })).toMatchObject({
      deleted: 2,
      remaining: false,
    });
    const patch: RowWrite = { patchByFilter: { filter: compare('s', 'eq', 'odd'), patch: { s: 'was odd' } } };
    await expect(writeRows(ingester, patch)).rejects.toMatchObject({ context: { rows: 5, rowCountMax: 2 } });
    for (const [patched, remaining] of [
      [2, true],
      [2, true],
      [1, false],
      [0, false],
    ] as const) {
      expect(await writeRows(ingester, { ...patch, allowPartial: true })).toMatchObject({ patched, remaining });
    }
  });

  test('that match nothing commit nothing, and on no namespace change nothing', async () => {
    const ingester = await filled();
    expect(await writeRows(ingester, { deleteByFilter: compare('n', 'gt', 50) })).toMatchObject({ generation: 1 });
    const absent = { namespace: 'absent', deleteByFilter: compare('n', 'gt', 50) };
    expect(await writeRows(ingester, absent)).toMatchObject({ generation: 0, deleted: 0 });
  });
});

describe('races', () => {
  test('in one process: a condition meets a change that is still in flight, and sees its outcome', async () => {
    const ingester = createTestIngester();
    await writeRows(ingester, { upserts: documents([[1, { n: 0 }]]) });
    await writeRows(ingester, { patches: documents([[1, { m: 0 }]]) }); // rows are warm
    ingester.store.hold('before');
    const increment = (from: number) =>
      writeRows(ingester, { patches: documents([[1, { n: from + 1 }]]), patchCondition: compare('n', 'eq', from) });
    const flying = increment(0);
    const waiting = [increment(0), increment(1), increment(1), increment(2)];
    ingester.store.release();
    expect((await flying).patched).toBe(1);
    expect((await Promise.all(waiting)).map(({ patched }) => patched)).toEqual([0, 1, 0, 1]);
    expect(await readDocuments(ingester)).toEqual(documents([[1, { n: 3, m: 0 }]]));
  });

  test('each member of a group sees what those before it did, whatever they were, and nothing of those that failed', async () => {
    const ingester = createTestIngester({ config: { filterPatchRowCountMax: 1 } });
    await writeRows(ingester, {
      upserts: documents([
        [1, { n: 0 }],
        [2, { n: 0 }],
        [3, { n: 5 }],
      ]),
    });
    await writeRows(ingester, { patches: documents([[9, { m: 0 }]]) }); // rows are warm
    ingester.store.hold('before');
    const increment = (from: number): RowWrite => ({
      patches: documents([[1, { n: from + 1 }]]),
      patchCondition: compare('n', 'eq', from),
    });
    const flying = writeRows(ingester, { upserts: documents([[7, { n: 7 }]]) });
    const failing: RowWrite = {
      deleteByFilter: compare('n', 'eq', 5),
      patchByFilter: { filter: compare('n', 'lt', 100), patch: { m: 1 } },
    };
    const group = [increment(0), { upserts: documents([[1, { n: 10 }]]) }, increment(1), increment(10), failing];
    const answers: Promise<RowAnswer>[] = [];
    for (const write of [...group, { patches: documents([[3, { m: 3 }]]) }]) {
      answers.push(writeRows(ingester, write));
      for (let tick = 0; tick < 20; tick++) await Promise.resolve(); // it is in the queue
    }
    const settled = Promise.allSettled(answers);
    ingester.store.release();
    await flying;
    const outcomes = (await settled).map((one) => (one.status === 'fulfilled' ? one.value : one.reason));
    expect(new Set(outcomes.map(({ generation }) => generation)).size).toBeLessThanOrEqual(3);
    expect(outcomes.map(({ patched }) => patched)).toEqual([1, 0, 0, 1, undefined, 1]);
    expect(outcomes[4]).toMatchObject({ code: 'invalid_argument', context: { rowCountMax: 1 } });
    expect((await readDocuments(ingester)).get(1)).toEqual({ n: 11 });
    expect((await readDocuments(ingester)).get(3)).toEqual({ n: 5, m: 3 });
  });

  test('two processes increment one counter, and no increment is lost', async () => {
    const clock = createTestClock();
    const store = createMemoryStore({ clock });
    const ingesters = [1, 2].map((seed) => createTestIngester({ store, clock, seed }));
    await writeRows(ingesters[0] as never, { upserts: documents([[1, { n: 0 }]]) });
    let applied = 0;
    const worker = async (index: number) => {
      let guess = 0;
      for (let round = 0; round < 40; round++) {
        const ingester = ingesters[index % 2];
        if (ingester === undefined) return;
        const answer = await writeRows(ingester, {
          patches: documents([[1, { n: guess + 1 }]]),
          patchCondition: compare('n', 'eq', guess),
        });
        applied += answer.patched;
        guess = ((await readDocuments(ingester)).get(1)?.n as number) ?? 0;
      }
    };
    await Promise.all([0, 1, 2, 3].map(worker));
    expect(applied).toBeGreaterThan(0);
    expect(await readDocuments(ingesters[0] as never)).toEqual(documents([[1, { n: applied }]]));
  });
});
