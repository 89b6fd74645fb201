import { afterEach, describe, expect, test } from '@jest/globals';
import { createSystemClock, LagoonError, noMetrics, silentLog } from '@lagoon/base';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { noTracer } from '@lagoon/telemetry';
import { createLocalClient } from './local-client.ts';
import { createRoutedClient, type Member } from './routed-client.ts';
import { createRpcServer } from './rpc-server.ts';
import type { ServiceImplementation } from './service.ts';

const deps = { clock: createSystemClock(), log: silentLog, metrics: noMetrics, tracer: noTracer };
const timeoutMs = 5_000;
const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type OnCall = (member: number) => Promise<void>;

/** A member whose answers carry its number. */
function numbered(
  index: number,
  failure?: LagoonError,
  onCall: OnCall = async () => {},
): ServiceImplementation<typeof IngesterService> {
  const answer = async () => {
    await onCall(index);
    if (failure !== undefined) throw failure;
    return { manifestGeneration: BigInt(index) };
  };
  const missing = async (): Promise<never> => {
    throw new LagoonError('unimplemented', 'not in this test');
  };
  const snapshots = { createSnapshot: missing, listSnapshots: missing, deleteSnapshot: missing };
  const lineage = { ...snapshots, branch: missing, startCopy: missing, getOperation: missing };
  return {
    append: answer,
    updateSchema: answer,
    updateSettings: answer,
    deleteNamespace: answer,
    appendManifest: answer,
    ...lineage,
  };
}

async function startMembers(count: number, failure?: LagoonError, onCall?: OnCall) {
  const servers = [];
  const members: Member<typeof IngesterService>[] = [];
  for (let index = 0; index < count; index++) {
    const server = createRpcServer(deps);
    server.add(IngesterService, numbered(index, failure, onCall));
    const port = await server.listen({ host: '127.0.0.1', port: 0 });
    closers.push(() => server.close(0));
    servers.push(server);
    members.push({ kind: 'remote', address: `127.0.0.1:${port}` });
  }
  const routed = createRoutedClient(IngesterService, members, deps, { resendable: ['updateSchema'] });
  closers.push(() => routed.close());
  return { servers, routed };
}

describe('routed client', () => {
  test('a key always goes to one member, and keys go to all of them', async () => {
    const { routed } = await startMembers(3);
    const owners = new Set<bigint>();
    for (let key = 0; key < 30; key++) {
      const first = await routed.clientFor(`tenant-${key}`).append({}, { timeoutMs });
      const second = await routed.clientFor(`tenant-${key}`).append({}, { timeoutMs });
      expect(second.manifestGeneration).toBe(first.manifestGeneration);
      owners.add(first.manifestGeneration);
      const others = await Promise.all(
        routed.othersFor(`tenant-${key}`).map((other) => other.append({}, { timeoutMs })),
      );
      expect(new Set([first, ...others].map(({ manifestGeneration }) => manifestGeneration)).size).toBe(3);
    }
    expect(owners.size).toBe(3);
    expect(routed.all()).toHaveLength(3);
  });

  test('a call that was never sent goes to the next member, whatever it does', async () => {
    const { servers, routed } = await startMembers(3);
    const { manifestGeneration: owner } = await routed.clientFor('films').append({}, { timeoutMs });
    await servers[Number(owner)]?.close(0);
    const { manifestGeneration: next } = await routed.clientFor('films').append({}, { timeoutMs });
    expect(next).not.toBe(owner);
    await servers[Number(next)]?.close(0);
    const { manifestGeneration: last } = await routed.clientFor('films').updateSchema({}, { timeoutMs });
    expect(new Set([owner, next, last]).size).toBe(3);
  });

  test.each([
    ['updateSchema', 2],
    ['append', 1],
  ] as const)('%s: a call whose connection breaks under it reaches %d members', async (method, memberCount) => {
    const begun: number[] = [];
    const { servers, routed } = await startMembers(2, undefined, async (index) => {
      begun.push(index);
      if (begun.length === 1) await new Promise(() => {}); // the first never answers
    });
    const settled = routed
      .clientFor('songs')
      [method]({}, { timeoutMs })
      .then(
        () => 'answered',
        (error: unknown) => error,
      );
    while (begun.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await servers[begun[0] ?? 0]?.close(0);
    const failed = expect.objectContaining({ code: 'unavailable', reason: 'outcome_unknown' });
    expect(await settled).toEqual(memberCount === 1 ? failed : 'answered');
    expect(begun).toHaveLength(memberCount);
  });

  test('what the member itself answers is never sent again', async () => {
    const { routed } = await startMembers(3, new LagoonError('unavailable', 'no store'));
    const error = routed.clientFor('films').updateSchema({}, { timeoutMs });
    await expect(error).rejects.toMatchObject({ code: 'unavailable', message: 'no store' });
  });

  test('a local member is called in process', async () => {
    const client = createLocalClient(IngesterService, numbered(7), deps);
    const routed = createRoutedClient(IngesterService, [{ kind: 'local', client }], deps, { resendable: [] });
    expect(routed.clientFor('films')).toBe(client);
  });

  test('a role without members is refused', () => {
    expect(() => createRoutedClient(IngesterService, [], deps, { resendable: [] })).toThrow('a role needs members');
  });
});
