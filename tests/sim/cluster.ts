import type { DescService } from '@bufbuild/protobuf';
import { createSeededRandom, type Random, silentLog } from '@lagoon/base';
import {
  type CompactorConfig,
  createCompactorRole,
  createGcJob,
  type GcConfig,
  resolveGcConfig,
} from '@lagoon/compactor';
import { createGatewayRole, defaultGatewayConfig, type GatewayRequest, type GatewayResponse } from '@lagoon/gateway';
import { createIngesterRole, type IngesterConfig } from '@lagoon/ingester';
import { createNamespaceLog } from '@lagoon/namespace';
import { CompactorService } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import { createQueryRole } from '@lagoon/query-service';
import { createLocalClient, type ServiceImplementation } from '@lagoon/rpc';
import { noTracer } from '@lagoon/telemetry';
import { type Actor, createActor } from './actor.ts';
import { createCountingMetrics } from './counting-metrics.ts';
import type { Endpoint, SimulatedNetwork } from './network.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedStore } from './simulated-store.ts';

/** A whole Lagoon in one process: gateway, ingesters, query nodes and compactors, each of which can die and come back. */
export interface Cluster {
  /** Through the gateway of one query node; of any, where none is named. */
  send(request: GatewayRequest, signal: AbortSignal, node?: number): Promise<GatewayResponse>;
  /** The ingester that all writes go to from now on; undefined: any, for each anew. */
  writesTo: number | undefined;
  readonly ingesters: readonly Member[];
  readonly queryNodes: readonly Member[];
  readonly compactors: readonly Member[];
  /** Processes that collect garbage and nothing else. */
  readonly collectors: readonly Member[];
  /** What all its processes count. */
  readonly counted: ReadonlyMap<string, number>;
}

export interface Member {
  /** The process that runs now. */
  readonly actor: Actor;
  /** Kills the process; another starts after `downMs`, knowing nothing. */
  restart(downMs: number): void;
}

export interface ClusterDeps {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly store: SimulatedStore;
  readonly network: SimulatedNetwork;
}

export interface ClusterOptions {
  readonly ingesterCount: number;
  readonly queryNodeCount: number;
  readonly compactorCount: number;
  readonly collectorCount: number;
  readonly wallSkewMsMax: number;
  /** Batches above it lie in a body of their own. */
  readonly inlinePartsBytesMax: number;
  readonly ingester: Partial<IngesterConfig>;
  readonly compactor: Partial<CompactorConfig>;
  readonly gc: Partial<GcConfig>;
}

export const defaultClusterOptions: ClusterOptions = {
  ingesterCount: 2,
  queryNodeCount: 2,
  compactorCount: 2,
  collectorCount: 0,
  wallSkewMsMax: 86_400_000,
  inlinePartsBytesMax: 3 << 10,
  ingester: { commitTimeoutMs: 30_000 },
  compactor: {
    tailAgeMs: 500,
    smallTailAgeMs: 1_000,
    sweepIntervalMs: 5_000,
    indexEntryCountMin: 8,
    retryDelayMsMax: 5_000,
  },
  gc: {},
};

interface ServiceMember<S extends DescService> extends Member {
  endpoint(): Endpoint<S>;
}

export function createCluster(deps: ClusterDeps, options: ClusterOptions): Cluster {
  const { scheduler, random, store, network } = deps;
  const pick = <T>(items: readonly T[]): T => items[random.integer(items.length)] as T;
  const metrics = createCountingMetrics();
  const newActor = (name: string) => createActor(scheduler, name, (random.float() - 0.5) * 2 * options.wallSkewMsMax);
  const base = (actor: Actor) => ({
    clock: actor.clock,
    random: createSeededRandom(random.integer(2 ** 31)),
    log: silentLog,
    metrics,
    tracer: noTracer,
  });

  /** `start` makes its role anew in each process of the member. */
  function member(name: string, start: (actor: Actor) => void): Member {
    let incarnation = 0;
    let actor: Actor;
    const boot = (): void => {
      actor = newActor(`${name}.${incarnation++}`);
      start(actor);
    };
    boot();
    return {
      get actor() {
        return actor;
      },
      restart: (downMs) => {
        if (!actor.alive) return;
        actor.crash();
        scheduler.schedule(downMs, boot);
      },
    };
  }

  function serviceMember<S extends DescService>(
    name: string,
    service: S,
    start: (actor: Actor) => ServiceImplementation<S>,
  ): ServiceMember<S> {
    let endpoint: Endpoint<S>;
    const one = member(name, (actor) => {
      endpoint = { actor, client: createLocalClient(service, start(actor), base(actor)) };
    });
    return {
      get actor() {
        return one.actor;
      },
      endpoint: () => endpoint,
      restart: one.restart,
    };
  }

  const ingesters: ServiceMember<typeof IngesterService>[] = [];
  const queryNodes: ServiceMember<typeof QueryNodeService>[] = [];
  const compactors: ServiceMember<typeof CompactorService>[] = [];
  const connectAll = <S extends DescService>(caller: Actor, service: S, members: readonly ServiceMember<S>[]) =>
    members.map((one) => network.connect(caller, service, () => one.endpoint()));

  const startIngester = (actor: Actor) => {
    const deps = { ...base(actor), store: store.handle(actor) };
    const { inlinePartsBytesMax } = options;
    return createIngesterRole(
      {
        ...deps,
        namespaceLog: createNamespaceLog(deps, { inlinePartsBytesMax }),
        queryNodes: () => connectAll(actor, QueryNodeService, queryNodes),
        compactor: () => pick(connectAll(actor, CompactorService, compactors)),
      },
      options.ingester,
    ).service;
  };
  const startQueryNode = (actor: Actor) =>
    createQueryRole({ ...base(actor), store: store.handle(actor) }, { workerCount: 0, arenaBytesMax: 16 << 20 })
      .service;
  const startCompactor = (actor: Actor) => {
    let own: (typeof ingesters)[number] | undefined;
    const role = createCompactorRole(
      {
        ...base(actor),
        store: store.handle(actor),
        ingester: () => {
          own = pick(ingesters);
          return connectAll(actor, IngesterService, [own])[0];
        },
        otherIngesters: () =>
          connectAll(
            actor,
            IngesterService,
            ingesters.filter((member) => member !== own),
          ),
        queryNodes: () => connectAll(actor, QueryNodeService, queryNodes),
      },
      options.compactor,
      options.gc,
    );
    role.start();
    return role.service;
  };

  const startCollector = (actor: Actor) => {
    const deps = { ...base(actor), store: store.handle(actor) };
    createGcJob({ ...deps, namespaceLog: createNamespaceLog(deps) }, resolveGcConfig(options.gc)).start();
  };

  for (let i = 0; i < options.ingesterCount; i++)
    ingesters.push(serviceMember(`ingester-${i}`, IngesterService, startIngester));
  for (let i = 0; i < options.queryNodeCount; i++)
    queryNodes.push(serviceMember(`query-${i}`, QueryNodeService, startQueryNode));
  for (let i = 0; i < options.compactorCount; i++)
    compactors.push(serviceMember(`compactor-${i}`, CompactorService, startCompactor));

  const collectors = Array.from({ length: options.collectorCount }, (_, i) => member(`collector-${i}`, startCollector));

  const gateways = queryNodes.map((node, index) => {
    const front = newActor(`gateway-${index}`);
    const toIngesters = connectAll(front, IngesterService, ingesters);
    const toQueryNode = network.connect(front, QueryNodeService, () => node.endpoint());
    return createGatewayRole(
      {
        ...base(front),
        ingester: () => toIngesters[cluster.writesTo ?? -1] ?? pick(toIngesters), // worse than rendezvous hashing: every namespace has several owners all the time
        queryNode: () => toQueryNode,
        anyQueryNode: () => toQueryNode,
      },
      defaultGatewayConfig,
    );
  });
  const cluster: Cluster = {
    writesTo: undefined,
    send: (request, signal, node) => (gateways[node ?? -1] ?? pick(gateways)).handle(request, signal),
    ingesters,
    queryNodes,
    compactors,
    collectors,
    counted: metrics.counted,
  };
  return cluster;
}
