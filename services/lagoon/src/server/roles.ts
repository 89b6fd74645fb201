import type { RequestListener } from 'node:http';
import type { Clock, Log, Metrics, Random } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import { CompactorService } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { LagoonService } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import type { RpcServer } from '@lagoon/rpc';
import type { Tracer } from '@lagoon/telemetry';
import {
  buildPoolOptionsOf,
  compactorConfigOf,
  gcConfigOf,
  type RoleName,
  type ServerConfig,
} from '../config/server-config.ts';
import { type LocalServices, promised, type RoleClients } from './role-clients.ts';

export interface RoleDeps {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** Complete once every role of the process has been made: roles call each other, in a circle. */
  clients(): RoleClients;
}

/** A role of this process, whatever it is. */
export interface RunningRole {
  /** What other roles of this process call directly. */
  readonly services: LocalServices;
  /** Puts its services on the gRPC server. */
  addTo(server: RpcServer): void;
  /** Answers HTTP requests, where the role has any. */
  readonly requestListener?: RequestListener;
  /** Begins work of its own, once everything else stands. */
  start?(): void;
  /** Finishes what it has taken. */
  close(): Promise<void>;
}

type CreateRole = (deps: RoleDeps, config: ServerConfig) => Promise<RunningRole>;

/** The roles, in the order in which they stop: who calls before who is called. Loaded only where they run. */
export const roleTable: Readonly<Record<RoleName, CreateRole>> = {
  gateway: createGateway,
  ingester: createIngester,
  compactor: createCompactor,
  query: createQuery,
};

async function createGateway(deps: RoleDeps, { settings, rerankers: urls }: ServerConfig): Promise<RunningRole> {
  const { createGatewayRole, createHttpReranker, defaultGatewayConfig } = await import('@lagoon/gateway');
  const role = createGatewayRole(
    {
      ...deps,
      ingester: (namespace) => promised(deps.clients().ingester, 'ingester').clientFor(namespace),
      queryNode: (namespace) => promised(deps.clients().query, 'query').clientFor(namespace),
      anyQueryNode: () => promised(deps.clients().query, 'query').clientFor(''),
      reranker: createHttpReranker(deps.clock, { urls, timeoutMs: settings['reranker-timeout-ms'] }),
    },
    {
      ...defaultGatewayConfig,
      bodyBytesMax: settings['body-bytes-max'],
      bodyBytesInFlightMax: settings['body-bytes-in-flight-max'],
      blockBytesMax: Math.min(defaultGatewayConfig.blockBytesMax, settings['body-bytes-max']),
      requestCountInFlightMax: settings['request-count-max'],
      writeTimeoutMs: settings['write-timeout-ms'],
      queryTimeoutMs: settings['query-timeout-ms'],
    },
  );
  return {
    services: {},
    addTo: (server) => server.add(LagoonService, role.lagoonService),
    requestListener: role.app,
    close: () => role.close(),
  };
}

async function createIngester(deps: RoleDeps, { settings }: ServerConfig): Promise<RunningRole> {
  const { createIngesterRole } = await import('@lagoon/ingester');
  const role = createIngesterRole(
    {
      ...deps,
      queryNodes: () => deps.clients().query?.all() ?? [],
      compactor: (namespace) => deps.clients().compactor?.clientFor(namespace),
    },
    {
      minCommitIntervalMs: settings['min-commit-interval-ms'],
      unindexedBytesMax: settings['unindexed-bytes-max'],
    },
  );
  return {
    services: { ingester: role.service },
    addTo: (server) => server.add(IngesterService, role.service),
    close: () => role.close(),
  };
}

async function createCompactor(deps: RoleDeps, { settings }: ServerConfig): Promise<RunningRole> {
  const { createCompactorRole, createWorkerBuildPool } = await import('@lagoon/compactor');
  const role = createCompactorRole(
    {
      ...deps,
      buildPool: createWorkerBuildPool(deps.log, buildPoolOptionsOf(settings)),
      ingester: (namespace) => deps.clients().ingester?.clientFor(namespace),
      otherIngesters: (namespace) => deps.clients().ingester?.othersFor(namespace) ?? [],
      queryNodes: () => deps.clients().query?.all() ?? [],
    },
    compactorConfigOf(settings),
    gcConfigOf(settings),
  );
  return {
    services: { compactor: role.service },
    addTo: (server) => server.add(CompactorService, role.service),
    start: () => role.start(),
    close: () => role.close(),
  };
}

async function createQuery(deps: RoleDeps, { settings }: ServerConfig): Promise<RunningRole> {
  const { createQueryRole } = await import('@lagoon/query-service');
  const { openDiskCache } = await import('@lagoon/cache');
  const folder = settings['disk-cache-dir'];
  const diskCache =
    folder === undefined ? undefined : await openDiskCache(deps, { folder, bytesMax: settings['disk-cache-bytes'] });
  const role = createQueryRole(
    { ...deps, ...(diskCache === undefined ? {} : { diskCache }) },
    {
      arenaBytesMax: settings['cache-bytes'],
      pinnedPercentMax: settings['pinned-cache-percent'],
      workerCount: settings['worker-count'],
    },
  );
  return {
    services: { query: role.service },
    addTo: (server) => server.add(QueryNodeService, role.service),
    close: async () => {
      await role.close();
      await diskCache?.close();
    },
  };
}
