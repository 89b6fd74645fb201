export { grpcStatusOf, isConnectFailure, isTransportFailure } from './error-wire.ts';
export type { RpcDeps } from './invoker.ts';
export { createLocalClient } from './local-client.ts';
export { createRemoteClient, type RemoteClient, type RemoteClientOptions } from './remote-client.ts';
export { createRendezvous, type Rendezvous } from './rendezvous.ts';
export { createRoutedClient, type Member, type RoutedClient, type RoutedClientOptions } from './routed-client.ts';
export { createRpcServer, type RpcServer, type RpcServerOptions } from './rpc-server.ts';
export type { CallContext, CallOptions, ServiceClient, ServiceImplementation } from './service.ts';
export { messageBytesMaxDefault, toServiceDefinition } from './service-definition.ts';
