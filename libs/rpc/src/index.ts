export type { CallContext, CallOptions, ServiceClient, ServiceImplementation } from './service.ts';
