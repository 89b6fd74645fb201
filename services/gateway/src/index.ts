export { defaultGatewayConfig, type GatewayConfig } from './config.ts';
export type { GatewayDeps } from './deps.ts';
export { createGatewayRole, type GatewayRole } from './gateway-role.ts';
export type { Handle } from './http/handler.ts';
export type { GatewayRequest, GatewayResponse } from './http/message.ts';
export { createHttpReranker } from './rerank/http-reranker.ts';
