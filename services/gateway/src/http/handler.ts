import { toLagoonError, unimplemented } from '@lagoon/base';
import { noTracer } from '@lagoon/telemetry';
import type { GatewayConfig } from '../config.ts';
import type { GatewayDeps } from '../deps.ts';
import { createEndpoints } from './endpoints.ts';
import type { GatewayRequest, GatewayResponse } from './message.ts';
import { matchRoute, unknownPath, wrongMethod } from './routes.ts';
import { errorResponse } from './status.ts';

/** Answers one request; never throws. */
export type Handle = (request: GatewayRequest, signal: AbortSignal) => Promise<GatewayResponse>;

const secondBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The gateway's core over plain values: routes, calls, counts, and turns whatever is thrown into an answer. */
export function createHandle(deps: GatewayDeps, config: GatewayConfig): Handle {
  const endpoints = createEndpoints(deps, config);
  const tracer = deps.tracer ?? noTracer;
  const requests = deps.metrics.counter('lagoon_gateway_requests_total', 'Requests answered, by endpoint and status', [
    'endpoint',
    'status',
  ]);
  const seconds = deps.metrics.histogram(
    'lagoon_gateway_request_seconds',
    'Time from a complete request to its answer, by endpoint',
    secondBuckets,
    ['endpoint'],
  );

  const fail = (error: unknown, endpoint: string): GatewayResponse => {
    const known = toLagoonError(error);
    const fields = { endpoint, code: known.code, error: known.message };
    if (known.code === 'internal' || known.code === 'corrupt')
      deps.log.error('request failed', { ...fields, cause: known });
    else deps.log.debug('request refused', fields);
    return errorResponse(known, config.retryAfterMs);
  };

  const route = async (
    request: GatewayRequest,
    startedMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly endpoint: string; readonly response: GatewayResponse }> => {
    let endpoint = 'none';
    try {
      const match = matchRoute(request.method, request.path);
      if (match.kind === 'unknown') throw unknownPath(request.path);
      if (match.kind === 'unimplemented') throw unimplemented(match.name);
      if (match.kind === 'wrong_method') return { endpoint, response: methodNotAllowed(request.method, match.allowed) };
      endpoint = match.endpoint;
      const span = tracer.startSpan(`gateway ${endpoint}`, { namespace: match.namespace }, request.headers.traceparent);
      try {
        const call = {
          request,
          namespace: match.namespace,
          parameter: match.parameter,
          startedMs,
          signal,
          traceparent: span.traceparent,
        };
        return { endpoint, response: await endpoints[match.endpoint](call) };
      } catch (error) {
        span.recordError(error);
        throw error;
      } finally {
        span.end();
      }
    } catch (error) {
      return { endpoint, response: fail(error, endpoint) };
    }
  };

  return async (request, signal) => {
    const startedMs = deps.clock.monotonicMs();
    const { endpoint, response } = await route(request, startedMs, signal);
    requests.add(1, { endpoint, status: String(response.status) });
    seconds.observe((deps.clock.monotonicMs() - startedMs) / 1000, { endpoint });
    return response;
  };
}

function methodNotAllowed(method: string, allowed: readonly string[]): GatewayResponse {
  const response = errorResponse(wrongMethod(method, allowed), 0);
  return { ...response, status: 405, headers: { ...response.headers, allow: allowed.join(', ') } };
}
