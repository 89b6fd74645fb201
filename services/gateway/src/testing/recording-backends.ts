import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { createSeededRandom, createSystemClock, noMetrics, silentLog, utf8Decode, utf8Encode } from '@lagoon/base';
import {
  type AppendRequestSchema,
  AppendResponseSchema,
  type IngesterService,
} from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import {
  type BranchRequestSchema,
  BranchResponseSchema,
  type CreateSnapshotRequestSchema,
  CreateSnapshotResponseSchema,
  DeleteSnapshotResponseSchema,
  type ExportRequestSchema,
  ExportResponseSchema,
  ListSnapshotsResponseSchema,
  OperationSchema,
  type StartCopyRequestSchema,
  StartCopyResponseSchema,
} from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import {
  DeleteNamespaceResponseSchema,
  type ListNamespacesRequestSchema,
  ListNamespacesResponseSchema,
  NamespaceMetadataSchema,
  type UpdateSchemaRequestSchema,
  UpdateSchemaResponseSchema,
  type UpdateSettingsRequestSchema,
  UpdateSettingsResponseSchema,
} from '@lagoon/proto/lagoon/v1/namespace_pb.js';
import {
  PurgeResponseSchema,
  type QueryNodeService,
  WarmResponseSchema,
} from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import {
  MeasureRecallResponseSchema,
  type MultiQueryRequestSchema,
  MultiQueryResponseSchema,
  type QueryRequestSchema,
  QueryResponseSchema,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { CallOptions, ServiceClient } from '@lagoon/rpc';
import { defaultGatewayConfig, type GatewayConfig } from '../config.ts';
import type { GatewayDeps } from '../deps.ts';
import { createGatewayRole, type GatewayRole } from '../gateway-role.ts';

/** Backends that keep what they were called with and answer what a test puts in: for tests of what the gateway sends on. */
export interface RecordingBackends {
  readonly appends: MessageInitShape<typeof AppendRequestSchema>[];
  readonly queries: MessageInitShape<typeof QueryRequestSchema>[];
  readonly multiQueries: MessageInitShape<typeof MultiQueryRequestSchema>[];
  readonly schemaUpdates: MessageInitShape<typeof UpdateSchemaRequestSchema>[];
  readonly settingsUpdates: MessageInitShape<typeof UpdateSettingsRequestSchema>[];
  readonly lists: MessageInitShape<typeof ListNamespacesRequestSchema>[];
  readonly branches: MessageInitShape<typeof BranchRequestSchema>[];
  readonly copies: MessageInitShape<typeof StartCopyRequestSchema>[];
  readonly snapshots: MessageInitShape<typeof CreateSnapshotRequestSchema>[];
  readonly exports: MessageInitShape<typeof ExportRequestSchema>[];
  /** Answered one after the other. */
  readonly exportPages: MessageInitShape<typeof ExportResponseSchema>[];
  readonly options: CallOptions[];
  readonly deps: GatewayDeps;
  /** Answers of the next calls; replace as needed. A function runs first, to wait or to throw. */
  before: (options: CallOptions) => Promise<void>;
  queryResponse: MessageInitShape<typeof QueryResponseSchema>;
  multiQueryResponse: MessageInitShape<typeof MultiQueryResponseSchema>;
  metadata: MessageInitShape<typeof NamespaceMetadataSchema>;
  names: string[];
  operation: MessageInitShape<typeof OperationSchema>;
}

export function createRecordingBackends(): RecordingBackends {
  const backends: RecordingBackends = {
    appends: [],
    queries: [],
    multiQueries: [],
    schemaUpdates: [],
    settingsUpdates: [],
    lists: [],
    branches: [],
    copies: [],
    snapshots: [],
    exports: [],
    exportPages: [],
    options: [],
    before: async () => {},
    queryResponse: {},
    multiQueryResponse: {},
    metadata: {},
    names: [],
    operation: {},
    deps: {
      clock: createSystemClock(),
      random: createSeededRandom(1),
      log: silentLog,
      metrics: noMetrics,
      ingester: () => ingester,
      queryNode: () => queryNode,
      anyQueryNode: () => queryNode,
    },
  };
  const enter = async (options: CallOptions) => {
    backends.options.push(options);
    await backends.before(options);
  };
  const ingester: ServiceClient<typeof IngesterService> = {
    append: async (request, options) => {
      backends.appends.push(request);
      await enter(options);
      return create(AppendResponseSchema, {
        manifestGeneration: 7n,
        rowsUpserted: 2n,
        rowsDeleted: 1n,
        logicalBytesWritten: 100n,
      });
    },
    updateSchema: async (request, options) => {
      backends.schemaUpdates.push(request);
      await enter(options);
      return create(UpdateSchemaResponseSchema, { schema: request.schema ?? {}, manifestGeneration: 8n });
    },
    updateSettings: async (request, options) => {
      backends.settingsUpdates.push(request);
      await enter(options);
      return create(UpdateSettingsResponseSchema, { manifestGeneration: 9n });
    },
    deleteNamespace: async (_request, options) => {
      await enter(options);
      return create(DeleteNamespaceResponseSchema, { manifestGeneration: 9n });
    },
    appendManifest: () => Promise.reject(new Error('gateways do not call it')),
    branch: async (request, options) => {
      backends.branches.push(request);
      await enter(options);
      return create(BranchResponseSchema, { manifestGeneration: 1n, sourceGeneration: 5n });
    },
    startCopy: async (request, options) => {
      backends.copies.push(request);
      await enter(options);
      return create(StartCopyResponseSchema, { token: 'token1' });
    },
    getOperation: async (_request, options) => {
      await enter(options);
      return create(OperationSchema, backends.operation);
    },
    createSnapshot: async (request, options) => {
      backends.snapshots.push(request);
      await enter(options);
      const snapshot = { name: request.name ?? '', manifestGeneration: 5n, createdAtMs: 0n };
      return create(CreateSnapshotResponseSchema, { snapshot });
    },
    listSnapshots: async (_request, options) => {
      await enter(options);
      return create(ListSnapshotsResponseSchema, { snapshots: [{ name: 'one', manifestGeneration: 5n }] });
    },
    deleteSnapshot: async (_request, options) => {
      await enter(options);
      return create(DeleteSnapshotResponseSchema);
    },
  };
  const queryNode: ServiceClient<typeof QueryNodeService> = {
    query: async (request, options) => {
      backends.queries.push(request);
      await enter(options);
      return create(QueryResponseSchema, backends.queryResponse);
    },
    multiQuery: async (request, options) => {
      backends.multiQueries.push(request);
      await enter(options);
      return create(MultiQueryResponseSchema, backends.multiQueryResponse);
    },
    measureRecall: async (_request, options) => {
      await enter(options);
      return create(MeasureRecallResponseSchema, { avgRecall: 1, avgAnnCount: 2, avgExhaustiveCount: 2 });
    },
    getMetadata: async (_request, options) => {
      await enter(options);
      return create(NamespaceMetadataSchema, backends.metadata);
    },
    listNamespaces: async (request, options) => {
      backends.lists.push(request);
      await enter(options);
      return create(ListNamespacesResponseSchema, { names: backends.names, nextCursor: backends.names.at(-1) ?? '' });
    },
    export: async (request, options) => {
      backends.exports.push(request);
      await enter(options);
      const page = backends.exportPages.shift();
      if (page === undefined) throw new Error('no page is left');
      return create(ExportResponseSchema, page);
    },
    purge: async (_request, options) => {
      await enter(options);
      return create(PurgeResponseSchema);
    },
    warm: async (_request, options) => {
      await enter(options);
      return create(WarmResponseSchema);
    },
    notify: () => Promise.reject(new Error('gateways do not call it')),
  };
  return backends;
}

export interface TestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: unknown;
  readonly text: string;
}

export interface TestGateway {
  readonly role: GatewayRole;
  readonly backends: RecordingBackends;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<TestAnswer>;
}

/** A gateway over recording backends, called without a transport. A string body is sent as it is. */
export function createTestGateway(config: Partial<GatewayConfig> = {}, deps: Partial<GatewayDeps> = {}): TestGateway {
  const backends = createRecordingBackends();
  const role = createGatewayRole({ ...backends.deps, ...deps }, { ...defaultGatewayConfig, ...config });
  return {
    role,
    backends,
    call: async (method, path, body, headers = {}) => {
      const [pathOnly = '', query = ''] = path.split('?');
      const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
      const response = await role.handle(
        { method, path: pathOnly, query, headers, body: utf8Encode(text) },
        new AbortController().signal,
      );
      const chunks = [response.body];
      for await (const chunk of response.stream ?? []) chunks.push(chunk);
      const answer = utf8Decode(Buffer.concat(chunks));
      return {
        status: response.status,
        headers: response.headers,
        json: response.stream === undefined ? JSON.parse(answer) : undefined,
        text: answer,
      };
    },
  };
}
