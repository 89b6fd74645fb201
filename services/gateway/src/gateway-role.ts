import type { LagoonService } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import type { ServiceImplementation } from '@lagoon/rpc';
import type { Express } from 'express';
import type { GatewayConfig } from './config.ts';
import type { GatewayDeps } from './deps.ts';
import { createLagoonService } from './grpc/lagoon-service.ts';
import { createAdmission } from './http/admission.ts';
import { createExpressApp } from './http/express-app.ts';
import { createHandle, type Handle } from './http/handler.ts';

/** The front door: HTTP dialect and public gRPC over the same checks. Keeps no state but the requests under way. */
export interface GatewayRole {
  /** Everything below /v1 and /v2, with or without a prefix of one segment; mount it last. */
  readonly app: Express;
  /** The same without a transport. */
  readonly handle: Handle;
  readonly lagoonService: ServiceImplementation<typeof LagoonService>;
  /** Resolves when every request that was let in is answered; whoever owns the listeners stops them first. */
  close(): Promise<void>;
}

export function createGatewayRole(deps: GatewayDeps, config: GatewayConfig): GatewayRole {
  const inFlight = deps.metrics.gauge('lagoon_gateway_requests_in_flight', 'Requests that are being answered');
  const bodyBytes = deps.metrics.gauge('lagoon_gateway_body_bytes', 'Bytes of request bodies in memory');
  const admission = createAdmission(config, (requestCount, bytes) => {
    inFlight.set(requestCount);
    bodyBytes.set(bytes);
  });
  const handle = createHandle(deps, config);
  return {
    app: createExpressApp(handle, admission, config, deps.log),
    handle,
    lagoonService: createLagoonService(deps, config, admission),
    close: () => admission.idle(),
  };
}
