import { describe, expect, test } from '@jest/globals';
import { LagoonError } from '@lagoon/base';
import type { CompactorService } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import type { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import type { ServiceClient } from '@lagoon/rpc';
import { createTestIngester } from './testing.ts';

function recorder(fails = false) {
  const notices: { generation: number; entries: number }[] = [];
  const gate = Promise.withResolvers<void>();
  const notify = async (request: { generation?: bigint; unindexedEntryCount?: bigint }) => {
    notices.push({ generation: Number(request.generation), entries: Number(request.unindexedEntryCount ?? 0n) });
    await gate.promise;
    if (fails) throw new LagoonError('unavailable', 'away');
    return {};
  };
  return { notices, release: gate.resolve, client: { notify } as unknown };
}

describe('notices', () => {
  test('query nodes and compactor hear of commits; while one is under way only the newest waits', async () => {
    const node = recorder();
    const compactor = recorder();
    const ingester = createTestIngester({
      deps: {
        queryNodes: () => [node.client as ServiceClient<typeof QueryNodeService>],
        compactor: () => compactor.client as ServiceClient<typeof CompactorService>,
      },
    });
    for (let id = 0; id < 5; id++) await ingester.write({ rows: [[id, 'x']] });
    node.release();
    compactor.release();
    await ingester.role.close();
    expect(node.notices.map(({ generation }) => generation)).toEqual([1, 5]);
    expect(compactor.notices).toEqual([
      { generation: 1, entries: 1 },
      { generation: 5, entries: 5 },
    ]);
  });

  test('a tail that a retry finds is told of: its writer may have died before it did', async () => {
    const compactor = recorder();
    compactor.release();
    const mute = createTestIngester({ seed: 1 });
    const write = { key: 'k', rows: [[1, 'x']] as const };
    await mute.write(write);
    const other = createTestIngester({
      seed: 2,
      store: mute.store,
      clock: mute.clock,
      deps: { compactor: () => compactor.client as ServiceClient<typeof CompactorService> },
    });
    await other.write(write);
    await other.write(write);
    await other.role.close();
    expect(compactor.notices).toEqual([{ generation: 1, entries: 1 }]);
  });

  test('one that fails harms nobody', async () => {
    const node = recorder(true);
    node.release();
    const ingester = createTestIngester({
      deps: { queryNodes: () => [node.client as ServiceClient<typeof QueryNodeService>] },
    });
    expect((await ingester.write({ rows: [[1, 'x']] })).generation).toBe(1);
    await ingester.role.close();
  });
});
