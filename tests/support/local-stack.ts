import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSystemClock, createSystemRandom, noMetrics, silentLog } from '@lagoon/base';
import { createGatewayRole, defaultGatewayConfig } from '@lagoon/gateway';
import { createIngesterRole } from '@lagoon/ingester';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import { createQueryRole } from '@lagoon/query-service';
import { createLocalClient } from '@lagoon/rpc';
import { noTracer } from '@lagoon/telemetry';

export interface LocalStack {
  readonly url: string;
  readonly store: ObjectStore;
  close(): Promise<void>;
}

/** Gateway, ingester and query node in this process on a memory store, behind a real HTTP server on a free port. */
export async function startLocalStack(): Promise<LocalStack> {
  const clock = createSystemClock();
  const deps = { clock, random: createSystemRandom(), log: silentLog, metrics: noMetrics, tracer: noTracer };
  const store = createMemoryStore({ clock });
  const query = createQueryRole({ ...deps, store }, { workerCount: 0, arenaBytesMax: 256 << 20 });
  const queryNode = createLocalClient(QueryNodeService, query.service, deps);
  const ingester = createIngesterRole({ ...deps, store, queryNodes: () => [queryNode], compactor: () => undefined });
  const ingesterClient = createLocalClient(IngesterService, ingester.service, deps);
  const gateway = createGatewayRole(
    { ...deps, ingester: () => ingesterClient, queryNode: () => queryNode, anyQueryNode: () => queryNode },
    defaultGatewayConfig,
  );
  const server = createServer(gateway.app);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    store,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await gateway.close();
      await ingester.close();
      await query.close();
    },
  };
}
