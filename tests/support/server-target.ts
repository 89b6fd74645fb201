import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSystemClock, createSystemRandom, silentLog } from '@lagoon/base';
import { parseSettings, type RoleName, type RunningServer, startServer, toServerConfig } from '@lagoon/server';
import { freePort } from './free-port.ts';

export interface ServerTarget {
  readonly url: string;
  /** Of the public gRPC service; in one server also of all others. */
  readonly grpcAddress: string;
  close(): Promise<void>;
}

/** All roles in one server on a temporary directory, as `lagoon serve` starts them. */
export async function startOneServer(flags: Readonly<Record<string, unknown>> = {}): Promise<ServerTarget> {
  const directory = await mkdtemp(join(tmpdir(), 'lagoon-e2e-'));
  const server = await startRoles(['all'], directory, flags);
  return targetOf(server, [server], directory);
}

/** One server per role on one directory: every call between roles is gRPC. */
export async function startServerPerRole(): Promise<ServerTarget> {
  const directory = await mkdtemp(join(tmpdir(), 'lagoon-e2e-'));
  const ports = await startBackends(directory);
  const gateway = await startRoles(['gateway'], directory, ports.addresses);
  return targetOf(gateway, [gateway, ...ports.servers], directory);
}

/** Roles find each other by address, so the addresses of those that call are known only after the called ones run. */
async function startBackends(directory: string) {
  const query = await startRoles(['query'], directory, {});
  const queryAddress = `127.0.0.1:${query.grpcPort}`;
  const compactorPort = await freePort();
  const compactorAddress = `127.0.0.1:${compactorPort}`;
  const ingester = await startRoles(['ingester'], directory, {
    'query-addresses': queryAddress,
    'compactor-addresses': compactorAddress,
  });
  const ingesterAddress = `127.0.0.1:${ingester.grpcPort}`;
  const compactor = await startRoles(['compactor'], directory, {
    'grpc-port': compactorPort,
    'ingester-addresses': ingesterAddress,
    'query-addresses': queryAddress,
  });
  return {
    servers: [ingester, compactor, query],
    addresses: { 'query-addresses': queryAddress, 'ingester-addresses': ingesterAddress },
  };
}

async function startRoles(
  roles: readonly (RoleName | 'all')[],
  directory: string,
  flags: Readonly<Record<string, unknown>>,
): Promise<RunningServer> {
  const settings = parseSettings({
    environment: {},
    flags: {
      'data-dir': directory,
      roles: roles.join(','),
      'http-port': 0,
      'grpc-port': 0,
      'process-metrics': false,
      ...flags,
    },
  });
  const deps = { clock: createSystemClock(), random: createSystemRandom(), log: silentLog };
  return await startServer(toServerConfig(settings), deps);
}

function targetOf(front: RunningServer, servers: readonly RunningServer[], directory: string): ServerTarget {
  return {
    url: `http://127.0.0.1:${front.httpPort}`,
    grpcAddress: `127.0.0.1:${front.grpcPort}`,
    close: async () => {
      for (const server of servers) await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
