import { create, createFileRegistry, type DescService } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { createSystemClock, noMetrics, silentLog } from '@lagoon/base';
import { LagoonService } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import { createRemoteClient } from '@lagoon/rpc';
import { noTracer } from '@lagoon/telemetry';

const deps = { clock: createSystemClock(), log: silentLog, metrics: noMetrics, tracer: noTracer };

/** The public gRPC service at `host:port`. */
export function createLagoonClient(address: string) {
  return createRemoteClient(LagoonService, address, deps);
}

/** Asks the standard health service (`grpc.health.v1`): 1 is SERVING, 2 NOT_SERVING. Rejects where the service is not known. */
export async function checkHealth(address: string, service: string): Promise<number> {
  const remote = createRemoteClient(healthService, address, deps);
  try {
    const client = remote.client as unknown as Record<string, (request: object, options: object) => Promise<object>>;
    const answer = await client.check?.({ service }, { timeoutMs: 5_000 });
    return Number((answer as { readonly status?: number } | undefined)?.status);
  } finally {
    remote.close();
  }
}

/** `grpc.health.v1.Health`, as far as it is asked for here; an enum is an int32 on the wire. */
const healthService = makeHealthService();

function makeHealthService(): DescService {
  const field = (name: string, type: FieldDescriptorProto_Type) => ({
    name,
    jsonName: name,
    number: 1,
    type,
    label: FieldDescriptorProto_Label.OPTIONAL,
  });
  const file = create(FileDescriptorProtoSchema, {
    name: 'grpc/health/v1/health.proto',
    package: 'grpc.health.v1',
    syntax: 'proto3',
    messageType: [
      { name: 'HealthCheckRequest', field: [field('service', FieldDescriptorProto_Type.STRING)] },
      { name: 'HealthCheckResponse', field: [field('status', FieldDescriptorProto_Type.INT32)] },
    ],
    service: [
      {
        name: 'Health',
        method: [
          {
            name: 'Check',
            inputType: '.grpc.health.v1.HealthCheckRequest',
            outputType: '.grpc.health.v1.HealthCheckResponse',
          },
        ],
      },
    ],
  });
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
  const service = registry.getService('grpc.health.v1.Health');
  if (service === undefined) throw new Error('no health service');
  return service;
}
