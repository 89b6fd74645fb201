import { create } from '@bufbuild/protobuf';
import { expect, test } from '@jest/globals';
import {
  BranchRequestSchema,
  CreateSnapshotRequestSchema,
  DeleteSnapshotRequestSchema,
  ExportRequestSchema,
  ListSnapshotsRequestSchema,
} from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import { createTestGateway } from '../testing/recording-backends.ts';

const context = { signal: new AbortController().signal };

test('branches, snapshots and exports are checked and passed on', async () => {
  const { role, backends } = createTestGateway();
  const service = role.lagoonService;
  const branch = create(BranchRequestSchema, { namespace: 'child', source: 'parent', idempotencyKey: 'k' });
  expect(await service.branch(branch, context)).toMatchObject({ manifestGeneration: 1n, sourceGeneration: 5n });
  expect(backends.branches[0]).toMatchObject({ source: 'parent', bodyHash: { byteLength: 32 } });
  const named = { namespace: 'docs', name: 's' };
  await service.createSnapshot(create(CreateSnapshotRequestSchema, named), context);
  expect(backends.snapshots).toHaveLength(1);
  const listed = await service.listSnapshots(create(ListSnapshotsRequestSchema, named), context);
  expect(listed.snapshots).toHaveLength(1);
  await service.deleteSnapshot(create(DeleteSnapshotRequestSchema, named), context);
  backends.exportPages.push({ lease: 'l1', isLast: true });
  const page = await service.export(create(ExportRequestSchema, { namespace: 'docs' }), context);
  expect(page).toMatchObject({ lease: 'l1', isLast: true });
});

test('what means nothing is refused before it is passed on', async () => {
  const { role, backends } = createTestGateway();
  const service = role.lagoonService;
  const refused = { code: 'invalid_argument' };
  for (const request of [
    { namespace: 'a/b', source: 'parent' },
    { namespace: 'child', source: '' },
    { namespace: 'child', source: 'parent', snapshot: 'a/b' },
    { namespace: 'child', source: 'parent', bodyHash: new Uint8Array(32) },
  ]) {
    await expect(service.branch(create(BranchRequestSchema, request), context)).rejects.toMatchObject(refused);
  }
  const snapshot = create(CreateSnapshotRequestSchema, { namespace: 'docs', name: '' });
  await expect(service.createSnapshot(snapshot, context)).rejects.toMatchObject(refused);
  expect(backends.branches).toEqual([]);
});
