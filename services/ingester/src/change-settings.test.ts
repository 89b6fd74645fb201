import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createNamespaceLog, defaultSettings } from '@lagoon/namespace';
import { createMemoryStore } from '@lagoon/object-store';
import { UpdateSchemaRequestSchema, UpdateSettingsRequestSchema } from '@lagoon/proto/lagoon/v1/namespace_pb.js';
import { appendRequest, createTestClock, createTestIngester, liveIds, type TestIngester } from './testing.ts';

const call = { signal: new AbortController().signal };

type Change = Omit<MessageInitShape<typeof UpdateSettingsRequestSchema>, '$typeName'>;

async function change({ role }: TestIngester, change: Change) {
  const answer = await role.service.updateSettings(
    create(UpdateSettingsRequestSchema, { namespace: 'words', ...change }),
    call,
  );
  return { settings: answer.settings, generation: Number(answer.manifestGeneration) };
}

async function read({ store, clock }: TestIngester) {
  const deps = { store, clock, random: createSeededRandom(9), log: silentLog, metrics: noMetrics };
  return await createNamespaceLog(deps).open('words');
}

const readOnly = expect.objectContaining({
  code: 'permission_denied',
  reason: 'read_only',
});

describe('a change of the settings', () => {
  test('is committed, is in the view of readers, and leaves what it does not name', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[1, 'one']] });
    expect(await change(ingester, { recall: 0.9 })).toMatchObject({ generation: 2, settings: { recall: 0.9 } });
    await change(ingester, { readOnly: true });
    expect((await read(ingester)).view.live?.settings).toEqual({ ...defaultSettings, isReadOnly: true, recall: 0.9 });
    await change(ingester, { recall: 0 });
    expect((await read(ingester)).view.live?.settings).toEqual({ ...defaultSettings, isReadOnly: true });
  });

  test('that changes nothing commits nothing', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[1, 'one']] });
    expect((await change(ingester, {})).generation).toBe(1);
    expect((await change(ingester, { readOnly: false, recall: 0 })).generation).toBe(1);
  });

  test('of a namespace that does not live is not_found, and makes none', async () => {
    const ingester = createTestIngester();
    await expect(change(ingester, { recall: 0.9 })).rejects.toMatchObject({ code: 'not_found' });
    expect((await read(ingester)).view.generation).toBe(0);
  });

  test('a recall that is none is invalid', async () => {
    const ingester = createTestIngester();
    for (const recall of [-0.1, 1.01, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(change(ingester, { recall })).rejects.toMatchObject({ code: 'invalid_argument' });
    }
  });

  test('of the same group as the birth is part of it', async () => {
    const ingester = createTestIngester();
    ingester.store.hold('before');
    const first = ingester.write({ rows: [[1, 'one']] });
    const births = [ingester.write({ rows: [[2, 'two']] }), change(ingester, { recall: 0.7, readOnly: true })];
    const late = ingester.write({ rows: [[3, 'three']] });
    ingester.store.release();
    await Promise.all([first, ...births]);
    await expect(late).rejects.toEqual(readOnly);
    const { view, events } = await read(ingester);
    expect(view.live?.settings).toMatchObject({ recall: 0.7, isReadOnly: true });
    expect(liveIds(events)).toEqual([1, 2]);
  });
});

describe('a read-only namespace', () => {
  const protectedOne = async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[1, 'one']], key: 'first' });
    await change(ingester, { readOnly: true });
    return ingester;
  };

  test('takes no rows, deletes, filter writes, schema changes, and does not end', async () => {
    const ingester = await protectedOne();
    const { service } = ingester.role;
    await expect(ingester.write({ rows: [[2, 'two']] })).rejects.toEqual(readOnly);
    await expect(ingester.write({ deletes: [1] })).rejects.toEqual(readOnly);
    await expect(ingester.write({ createNamespace: true })).rejects.toEqual(readOnly);
    const deleteByFilter = { filter: { kind: { case: 'and', value: { filters: [] } } } } as never;
    const filtered = { ...appendRequest({}), deleteByFilter };
    await expect(service.append(filtered, call)).rejects.toEqual(readOnly);
    const schema = { attributes: [{ name: 'more', type: 'int' }] };
    const update = create(UpdateSchemaRequestSchema, { namespace: 'words', schema });
    await expect(service.updateSchema(update, call)).rejects.toEqual(readOnly);
    await expect(service.deleteNamespace({ namespace: 'words' } as never, call)).rejects.toEqual(readOnly);
    const { view, events } = await read(ingester);
    expect(view.generation).toBe(2);
    expect(liveIds(events)).toEqual([1]);
  });

  test('answers the retry of a write that it took before', async () => {
    const ingester = await protectedOne();
    expect((await ingester.write({ rows: [[1, 'one']], key: 'first' })).generation).toBe(1);
  });

  test('takes writes again when it is told so, and ends', async () => {
    const ingester = await protectedOne();
    await change(ingester, { readOnly: false });
    expect((await ingester.write({ rows: [[2, 'two']] })).generation).toBe(4);
    await ingester.role.service.deleteNamespace({ namespace: 'words' } as never, call);
    expect((await read(ingester)).view.live).toBeUndefined();
  });

  test('is read-only, and is not any more, at once for an ingester that knew otherwise', async () => {
    const clock = createTestClock();
    const store = createMemoryStore({ clock });
    const a = createTestIngester({ store, clock, seed: 1 });
    const b = createTestIngester({ store, clock, seed: 2 });
    await a.write({ rows: [[1, 'one']] });
    await b.write({ rows: [[2, 'two']] });
    await a.write({ rows: [[3, 'three']] });
    await change(a, { readOnly: true });
    await expect(b.write({ rows: [[4, 'four']] })).rejects.toEqual(readOnly);
    await change(a, { readOnly: false });
    expect((await b.write({ rows: [[5, 'five']] })).rowsUpserted).toBe(1);
    expect(liveIds((await read(a)).events)).toEqual([1, 2, 3, 5]);
  });
});
