import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, LagoonError } from '@lagoon/base';
import { metricsContentType } from '@lagoon/telemetry';
import type { Readiness } from './readiness.ts';

/** The process's HTTP server: health and metrics in every role, everything else to the gateway where it is in this process. */
export interface HttpFront {
  /** Resolves with the port; `unavailable` when it is taken. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Who answers requests that are not for health or metrics. */
  setListener(listener: RequestListener): void;
  /** Takes no more connections, lets requests under way finish for `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

export interface HttpFrontDeps {
  readonly clock: Clock;
  readonly readiness: Readiness;
  metricsText(): Promise<string>;
}

/** Load balancers keep idle connections for 60 s: ours live longer, so that it is never us who closes one that they just use. */
const keepAliveMs = 75_000;
const headersTimeoutMs = 20_000;
/** A large body over a slow line; the gateway bounds what happens after it. */
const requestTimeoutMs = 600_000;
const idleCheckMs = 20;

export function createHttpFront(deps: HttpFrontDeps, options: { readonly connectionCountMax: number }): HttpFront {
  let listener: RequestListener = (_request, response) =>
    sendText(response, 404, 'this process does not serve the API\n');
  const running = new Set<ServerResponse>();
  const server = createServer(
    { keepAliveTimeout: keepAliveMs, headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs },
    (request, response) => {
      running.add(response);
      response.once('close', () => running.delete(response));
      if (deps.readiness.isStopping) response.setHeader('connection', 'close');
      if (!answerOwn(request, response, deps)) listener(request, response);
    },
  );
  server.maxConnections = options.connectionCountMax;

  return {
    listen: (address) => listen(server, address),
    setListener: (next) => {
      listener = next;
    },
    close: async (graceMs) => {
      if (!server.listening) return;
      for (const response of running) if (!response.headersSent) response.setHeader('connection', 'close');
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      const deadlineMs = deps.clock.monotonicMs() + graceMs;
      while (running.size > 0 && deps.clock.monotonicMs() < deadlineMs) await deps.clock.sleep(idleCheckMs);
      server.closeIdleConnections();
      if (running.size > 0) await deps.clock.sleep(0);
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

/** Health and metrics; false for any other path. */
function answerOwn(request: IncomingMessage, response: ServerResponse, deps: HttpFrontDeps): boolean {
  switch (request.url?.split('?', 1)[0]) {
    case '/healthz':
      sendText(response, 200, 'ok\n');
      return true;
    case '/readyz': {
      const { reason } = deps.readiness;
      sendText(response, reason === undefined ? 200 : 503, `${reason ?? 'ready'}\n`);
      return true;
    }
    case '/metrics':
      deps.metricsText().then(
        (text) => response.setHeader('content-type', metricsContentType).end(text),
        () => sendText(response, 500, 'metrics cannot be read\n'),
      );
      return true;
    default:
      return false;
  }
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
}

function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      const context = isTaken ? { host, port } : { host, port, detail: error.message };
      reject(new LagoonError('unavailable', isTaken ? 'port is taken' : 'cannot listen', { cause: error, context }));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}
