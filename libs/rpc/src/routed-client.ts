import type { DescService, Message } from '@bufbuild/protobuf';
import { assert, invalidArgument } from '@lagoon/base';
import { isConnectFailure, isTransportFailure } from './error-wire.ts';
import type { RpcDeps } from './invoker.ts';
import { createRemoteClient, type RemoteClientOptions } from './remote-client.ts';
import { createRendezvous } from './rendezvous.ts';
import type { CallOptions, ServiceClient } from './service.ts';
import { unaryMethods } from './service-definition.ts';

/** One process that serves a role: this one, or one at `host:port`. */
export type Member<S extends DescService> =
  | { readonly kind: 'local'; readonly client: ServiceClient<S> }
  | { readonly kind: 'remote'; readonly address: string };

export interface RoutedClientOptions<S extends DescService> extends RemoteClientOptions {
  /**
   * Methods whose calls may be sent again to the key's next member when the connection to the first breaks under them: those that
   * change nothing, or the same thing twice. A call of another method goes to the next member only if it was never sent.
   */
  readonly resendable: readonly (keyof S['method'])[];
}

export interface RoutedClient<S extends DescService> {
  /** A client that sends to the member which the key belongs to. */
  clientFor(key: string): ServiceClient<S>;
  /** One client for each of the members that come behind the key's own, in the order of the key. */
  othersFor(key: string): readonly ServiceClient<S>[];
  /** One client per member, for notices to everybody. */
  all(): readonly ServiceClient<S>[];
  close(): void;
}

const memberCountMax = 1_024;

/** How many members one call may be tried on. */
const attemptCountMax = 3;

/** Spreads keys over the members of a role by rendezvous hash. One connection per remote member, made at its first call. */
export function createRoutedClient<S extends DescService>(
  desc: S,
  members: readonly Member<S>[],
  deps: RpcDeps,
  options: RoutedClientOptions<S>,
): RoutedClient<S> {
  if (members.length === 0 || members.length > memberCountMax) {
    throw invalidArgument('a role needs members', { service: desc.typeName, count: members.length, memberCountMax });
  }
  const connections = members.map((member) => connect(desc, member, deps, options));
  assert(new Set(connections.map(({ id }) => id)).size === connections.length, 'members are unique');
  const rendezvous = createRendezvous(connections, ({ id }) => id);
  const clients = connections.map(({ client }) => client);
  const only = clients.length === 1 ? clients[0] : undefined;
  const resendable = new Set<string>(options.resendable.map(String));
  const methods = unaryMethods(desc).map(({ localName }) => localName);

  return {
    clientFor: (key) => {
      if (only !== undefined) return only;
      const ranked = rendezvous.rank(key).map(({ client }) => client as unknown as UntypedClient);
      const targets = ranked.slice(0, attemptCountMax);
      const client: Record<string, UntypedCall> = {};
      for (const method of methods) {
        const mayGoOn = resendable.has(method) ? isTransportFailure : isConnectFailure;
        client[method] = (request, callOptions) => callInTurn(targets, method, mayGoOn, request, callOptions, deps);
      }
      return client as unknown as ServiceClient<S>;
    },
    othersFor: (key) =>
      rendezvous
        .rank(key)
        .slice(1)
        .map(({ client }) => client),
    all: () => clients,
    close: () => {
      for (const connection of connections) connection.close();
    },
  };
}

type UntypedCall = (request: object, options: CallOptions) => Promise<Message>;

type UntypedClient = Readonly<Record<string, UntypedCall>>;

interface Connection<S extends DescService> {
  readonly id: string;
  readonly client: ServiceClient<S>;
  close(): void;
}

function connect<S extends DescService>(
  desc: S,
  member: Member<S>,
  deps: RpcDeps,
  options: RemoteClientOptions,
): Connection<S> {
  if (member.kind === 'local') return { id: 'local', client: member.client, close: () => {} };
  const remote = createRemoteClient(desc, member.address, deps, options);
  return { id: member.address, client: remote.client, close: remote.close };
}

/** The next member is tried only after a failure that allows it, and only in the time that is left. */
async function callInTurn(
  targets: readonly UntypedClient[],
  method: string,
  mayGoOn: (error: unknown) => boolean,
  request: object,
  options: CallOptions,
  deps: RpcDeps,
): Promise<Message> {
  const startedMs = deps.clock.monotonicMs();
  for (let index = 0; ; index++) {
    const call = targets[index]?.[method];
    assert(call !== undefined, 'a target for every attempt');
    const timeoutMs = options.timeoutMs - (deps.clock.monotonicMs() - startedMs);
    try {
      return await call(request, { ...options, timeoutMs });
    } catch (error) {
      if (index + 1 >= targets.length || !mayGoOn(error) || options.signal?.aborted) throw error;
      deps.log.warn('member does not answer, trying the next', { method, error });
    }
  }
}
