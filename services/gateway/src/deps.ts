import type { Clock, Log, Metrics, Random } from '@lagoon/base';
import type { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import type { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import type { ServiceClient } from '@lagoon/rpc';
import type { Tracer } from '@lagoon/telemetry';
import type { Reranker } from './rerank/reranker.ts';

export interface GatewayDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer?: Tracer;
  /** Default: no model is configured. */
  readonly reranker?: Reranker;
  /** The ingester and the query node that a namespace is routed to; in this process or elsewhere. */
  ingester(namespace: string): ServiceClient<typeof IngesterService>;
  queryNode(namespace: string): ServiceClient<typeof QueryNodeService>;
  /** For calls that are about no one namespace. */
  anyQueryNode(): ServiceClient<typeof QueryNodeService>;
}
