import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLagoonError, LagoonError, type Log } from '@lagoon/base';
import express, { type Express } from 'express';
import type { GatewayConfig } from '../config.ts';
import type { Admission } from './admission.ts';
import type { Handle } from './handler.ts';
import type { GatewayRequest, GatewayResponse } from './message.ts';
import { readBody } from './read-body.ts';
import { errorResponse } from './status.ts';
import { writeResponse } from './write-response.ts';

/** What is read and thrown away of a body that was refused, so that the client gets to read why. */
const drainBytesMax = 64 << 20;

/** Carries HTTP requests to the core: body, content encodings, bounds, and the client's going away as an abort. */
export function createExpressApp(handle: Handle, admission: Admission, config: GatewayConfig, log: Log): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((message, out) => {
    serve(message, out).catch((error: unknown) => {
      log.error('answer could not be sent', { error: String(error) });
      out.destroy();
    });
  });

  const serve = async (message: IncomingMessage, out: ServerResponse): Promise<void> => {
    const controller = new AbortController();
    out.on('close', () => {
      if (!out.writableFinished) controller.abort(new DOMException('the client went away', 'AbortError'));
    });
    const response = await answer(message, controller.signal);
    if (!message.complete) drain(message);
    await writeResponse(message, out, admittedStream(response), config.gzipBytesMin);
  };

  /** A stream is a request under way until it ends, so that a server that stops waits for it. */
  const admittedStream = (response: GatewayResponse): GatewayResponse => {
    const { stream } = response;
    if (stream === undefined) return response;
    const admitted = async function* () {
      using _admitted = admission.enter();
      yield* stream;
    };
    return { ...response, stream: admitted() };
  };

  const answer = async (message: IncomingMessage, signal: AbortSignal): Promise<GatewayResponse> => {
    try {
      refuseForeignPage(message);
      using admitted = admission.enter();
      const body = await readBody(message, admitted, config.bodyBytesMax, signal);
      return await handle(toGatewayRequest(message, body), signal);
    } catch (error) {
      const response = errorResponse(error, config.retryAfterMs);
      return isUnsupportedEncoding(error) ? { ...response, status: 415 } : response;
    }
  };
  return app;
}

function toGatewayRequest(message: IncomingMessage, body: Uint8Array): GatewayRequest {
  const url = message.url ?? '/';
  const mark = url.indexOf('?');
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return {
    method: message.method ?? 'GET',
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? '' : url.slice(mark + 1),
    headers,
    body,
  };
}

/**
 * A browser lets any page send a form or a plain text to any address, loopback included, and only asks first (a preflight,
 * which is 405 here) for JSON. So a request that names a page as its origin must say that it is JSON.
 */
function refuseForeignPage(message: IncomingMessage): void {
  const { origin, 'content-type': type } = message.headers;
  if (origin === undefined || message.method !== 'POST' || type?.startsWith('application/json')) return;
  throw new LagoonError('permission_denied', 'a page in a browser must send application/json', {
    context: { origin: origin.slice(0, 128) },
  });
}

function drain(message: IncomingMessage): void {
  let drained = 0;
  message.on('data', (chunk: Uint8Array) => {
    drained += chunk.length;
    if (drained > drainBytesMax) message.destroy();
  });
  message.on('error', () => {});
  message.resume();
}

function isUnsupportedEncoding(error: unknown): boolean {
  return isLagoonError(error, 'invalid_argument') && error.message.startsWith('unsupported content-encoding');
}
