import type { DescService } from '@bufbuild/protobuf';
import { invalidArgument, LagoonError } from '@lagoon/base';
import { CompactorService } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import {
  createLocalClient,
  createRoutedClient,
  type RoutedClient,
  type RoutedClientOptions,
  type RpcDeps,
  type ServiceImplementation,
} from '@lagoon/rpc';
import type { RoleName, ServerConfig } from '../config/server-config.ts';

/** How roles reach each other: in process where the role is here, by gRPC where it is not; undefined where it is nowhere. */
export interface RoleClients {
  readonly ingester: RoutedClient<typeof IngesterService> | undefined;
  readonly query: RoutedClient<typeof QueryNodeService> | undefined;
  readonly compactor: RoutedClient<typeof CompactorService> | undefined;
}

/** Implementations of the roles in this process. */
export interface LocalServices {
  readonly ingester?: ServiceImplementation<typeof IngesterService>;
  readonly query?: ServiceImplementation<typeof QueryNodeService>;
  readonly compactor?: ServiceImplementation<typeof CompactorService>;
}

/** Roles that a role cannot work without. Notices to the others are hints: they go nowhere when the role is nowhere. */
export const neededRoles: Readonly<Record<RoleName, readonly Exclude<RoleName, 'gateway'>[]>> = {
  gateway: ['query', 'ingester'],
  query: [],
  ingester: [],
  compactor: [],
};

export function checkNeededRoles(config: ServerConfig): void {
  for (const role of config.roles) {
    for (const needed of neededRoles[role]) {
      if (config.roles.includes(needed) || config.addresses[needed].length > 0) continue;
      throw invalidArgument(`role ${role} needs ${needed}: add it to --roles or give --${needed}-addresses`);
    }
  }
}

export function createRoleClients(services: LocalServices, config: ServerConfig, deps: RpcDeps): RoleClients {
  const messageBytesMax = config.settings['grpc-message-bytes-max'];
  const client = <S extends DescService>(
    desc: S,
    local: ServiceImplementation<S> | undefined,
    addresses: readonly string[],
    resendable: RoutedClientOptions<S>['resendable'],
  ): RoutedClient<S> | undefined => {
    const options = { resendable, messageBytesMax };
    if (local !== undefined) {
      const member = { kind: 'local', client: createLocalClient(desc, local, deps) } as const;
      return createRoutedClient(desc, [member], deps, options);
    }
    if (addresses.length === 0) return undefined;
    const members = addresses.map((address) => ({ kind: 'remote', address }) as const);
    return createRoutedClient(desc, members, deps, options);
  };
  const { addresses } = config;
  return {
    ingester: client(IngesterService, services.ingester, addresses.ingester, []),
    query: client(QueryNodeService, services.query, addresses.query, [
      'query',
      'getMetadata',
      'listNamespaces',
      'warm',
    ]),
    compactor: client(CompactorService, services.compactor, addresses.compactor, ['notify']),
  };
}

export function closeRoleClients(clients: RoleClients): void {
  clients.ingester?.close();
  clients.query?.close();
  clients.compactor?.close();
}

/** For a client that the check of needed roles has promised. */
export function promised<C>(client: C | undefined, role: RoleName): C {
  if (client === undefined) throw new LagoonError('internal', `no client for role ${role}`);
  return client;
}
