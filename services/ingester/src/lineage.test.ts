import { create } from '@bufbuild/protobuf';
import { expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, sha256, silentLog, utf8Encode } from '@lagoon/base';
import { createNamespaceLog } from '@lagoon/namespace';
import {
  BranchRequestSchema,
  CreateSnapshotRequestSchema,
  DeleteSnapshotRequestSchema,
  ListSnapshotsRequestSchema,
} from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import { DeleteNamespaceRequestSchema } from '@lagoon/proto/lagoon/v1/namespace_pb.js';
import { createTestIngester, liveIds, type TestIngester } from './testing.ts';

const signal = new AbortController().signal;

async function idsOf({ store, clock }: TestIngester, name: string): Promise<number[]> {
  const log = createNamespaceLog({ store, clock, random: createSeededRandom(9), log: silentLog, metrics: noMetrics });
  return liveIds((await log.open(name)).events);
}

interface TestBranch {
  readonly namespace: string;
  readonly source: string;
  readonly key?: string;
  readonly snapshot?: string;
  readonly generation?: number;
}

const branch = ({ role }: TestIngester, { namespace, source, key, snapshot, generation }: TestBranch) =>
  role.service.branch(
    create(BranchRequestSchema, {
      namespace,
      source,
      snapshot: snapshot ?? '',
      ...(generation === undefined ? {} : { generation: BigInt(generation) }),
      idempotencyKey: key ?? '',
      bodyHash: key === undefined ? new Uint8Array(0) : sha256(utf8Encode(`${source} ${snapshot} ${generation}`)),
    }),
    { signal },
  );

const writeRows = (ingester: TestIngester, namespace: string, ...ids: number[]) =>
  ingester.write({ namespace, rows: ids.map((id) => [id, `word ${id}`]) });

test('a branch is written, read and deleted as any other namespace', async () => {
  const ingester = createTestIngester();
  await writeRows(ingester, 'parent', 1, 2);
  expect(await branch(ingester, { namespace: 'child', source: 'parent' })).toMatchObject({
    manifestGeneration: 1n,
    sourceGeneration: 1n,
  });
  await ingester.write({ namespace: 'child', rows: [[3, 'c']], deletes: [1] });
  await writeRows(ingester, 'parent', 4);
  expect(await idsOf(ingester, 'child')).toEqual([2, 3]);
  expect(await idsOf(ingester, 'parent')).toEqual([1, 2, 4]);
  await expect(branch(ingester, { namespace: 'child', source: 'parent' })).rejects.toMatchObject({ code: 'conflict' });
  await ingester.role.service.deleteNamespace(create(DeleteNamespaceRequestSchema, { namespace: 'child' }), { signal });
  await branch(ingester, { namespace: 'child', source: 'parent', generation: 1 });
  expect(await idsOf(ingester, 'child')).toEqual([1, 2]);
});

test('the schema is inherited: a write that does not fit it is refused', async () => {
  const ingester = createTestIngester();
  await writeRows(ingester, 'parent', 1);
  await branch(ingester, { namespace: 'child', source: 'parent' });
  await expect(ingester.write({ namespace: 'child', rows: [[2, 5]] })).rejects.toMatchObject({
    code: 'invalid_argument',
  });
});

test('a keyed branch that is sent again, there or to another ingester, has the outcome of the first', async () => {
  const ingester = createTestIngester();
  const other = createTestIngester({ store: ingester.store, clock: ingester.clock, seed: 2 });
  await writeRows(ingester, 'parent', 1);
  const order = { namespace: 'child', source: 'parent', key: 'once' };
  const first = await branch(ingester, order);
  await writeRows(ingester, 'child', 2);
  await writeRows(ingester, 'parent', 3);
  expect(await branch(ingester, order)).toMatchObject({ ...first });
  expect(await branch(other, order)).toMatchObject({ ...first });
  expect(await idsOf(ingester, 'child')).toEqual([1, 2]);
  await expect(branch(other, { ...order, generation: 1 })).rejects.toMatchObject({ reason: 'idempotency_mismatch' });
});

test('one key on a namespace, its branch and its next life is three applications', async () => {
  const ingester = createTestIngester();
  const write = (namespace: string) => ingester.write({ namespace, rows: [[7, 'x']], key: 'same' });
  const first = await write('parent');
  await branch(ingester, { namespace: 'child', source: 'parent' });
  const inChild = await write('child');
  await ingester.role.service.deleteNamespace(create(DeleteNamespaceRequestSchema, { namespace: 'parent' }), {
    signal,
  });
  const again = await write('parent');
  expect([first.generation, inChild.generation, again.generation]).toEqual([1, 2, 3]);
});

test('a branch whose outcome is not told is there once, and its retry finds it', async () => {
  const ingester = createTestIngester();
  await writeRows(ingester, 'parent', 1);
  ingester.store.forget(true, 1);
  expect(await branch(ingester, { namespace: 'child', source: 'parent' })).toMatchObject({ manifestGeneration: 1n });
  expect(await idsOf(ingester, 'child')).toEqual([1]);
});

test('writes to the child that come with its birth are in order with it', async () => {
  const ingester = createTestIngester();
  await writeRows(ingester, 'parent', 1);
  const born = branch(ingester, { namespace: 'child', source: 'parent' });
  const written = writeRows(ingester, 'child', 2);
  const refused = branch(ingester, { namespace: 'child', source: 'parent' });
  await expect(refused).rejects.toMatchObject({ code: 'conflict' });
  expect([Number((await born).manifestGeneration), (await written).generation]).toEqual([1, 2]);
  expect(await idsOf(ingester, 'child')).toEqual([1, 2]);
});

test('snapshots are taken, listed, restored and deleted', async () => {
  const ingester = createTestIngester();
  const { service } = ingester.role;
  await writeRows(ingester, 'docs', 1);
  const named = { namespace: 'docs', name: 'one' };
  const { snapshot } = await service.createSnapshot(create(CreateSnapshotRequestSchema, named), { signal });
  expect(snapshot).toMatchObject({ name: 'one', manifestGeneration: 1n });
  await writeRows(ingester, 'docs', 2);
  await branch(ingester, { namespace: 'back', source: 'docs', snapshot: 'one' });
  expect(await idsOf(ingester, 'back')).toEqual([1]);
  const listed = await service.listSnapshots(create(ListSnapshotsRequestSchema, named), { signal });
  expect(listed.snapshots).toHaveLength(1);
  await service.deleteSnapshot(create(DeleteSnapshotRequestSchema, named), { signal });
  await expect(branch(ingester, { namespace: 'late', source: 'docs', snapshot: 'one' })).rejects.toMatchObject({
    code: 'not_found',
  });
});

test('a marker and a notice tell a compactor of what a branch has to index', async () => {
  const notices: unknown[] = [];
  const ingester = createTestIngester({
    deps: {
      compactor: () => ({
        notify: async (notice) => {
          notices.push(notice);
          return { $typeName: 'lagoon.v1.CompactorNotifyResponse' };
        },
      }),
    },
  });
  await writeRows(ingester, 'parent', 1);
  await branch(ingester, { namespace: 'child', source: 'parent' });
  await ingester.role.close();
  expect(notices).toContainEqual(expect.objectContaining({ namespace: 'child', unindexedEntryCount: 1n }));
  expect((await ingester.store.list({ prefix: 'dirty/child/' })).objects).toHaveLength(1);
});
