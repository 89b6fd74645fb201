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
  close(): Promise<void>;
}

export function createGatewayRole(deps: GatewayDeps, config: GatewayConfig): GatewayRole {
  const admission = createAdmission(config);
  const handle = createHandle(deps, config);
  return {
    app: createExpressApp(handle, admission, config, deps.log),
    handle,
    lagoonService: createLagoonService(deps, config, admission),
    close: async () => {},
  };
}
