import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LagoonError } from '@lagoon/base';
import { parseTraceparent } from './traceparent.ts';
import { createTracer, noTracer } from './tracer.ts';

interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
}

describe('tracer', () => {
  let receiver: Server;
  let endpoint: string;
  let bodies: { readonly path: string; readonly body: string }[];

  beforeEach(async () => {
    bodies = [];
    receiver = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        bodies.push({ path: request.url ?? '', body });
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  });

  const receivedSpans = (): ReceivedSpan[] =>
    bodies.flatMap(({ body }) =>
      JSON.parse(body).resourceSpans.flatMap((resource: { scopeSpans: { spans: ReceivedSpan[] }[] }) =>
        resource.scopeSpans.flatMap((scope) => scope.spans),
      ),
    );

  test('spans arrive at the receiver with their parent, attributes and error', async () => {
    const tracer = await createTracer({ endpoint, serviceName: 'lagoon', serviceVersion: '1' });
    const parent = tracer.startSpan('query', { namespace: 'films' });
    const child = tracer.startSpan('scan', undefined, parent.traceparent);
    child.recordError(new LagoonError('unavailable', 'no store'));
    child.end();
    parent.end();
    await tracer.close();

    expect(bodies[0]?.path).toBe('/v1/traces');
    expect(bodies[0]?.body).toContain('"service.name"');
    const spans = receivedSpans();
    const query = spans.find((span) => span.name === 'query');
    const scan = spans.find((span) => span.name === 'scan');
    expect(query?.attributes).toContainEqual({ key: 'namespace', value: { stringValue: 'films' } });
    expect(parseTraceparent(parent.traceparent)).toMatchObject({ traceId: query?.traceId, spanId: query?.spanId });
    expect(scan).toMatchObject({ traceId: query?.traceId, parentSpanId: query?.spanId });
    expect(scan?.status).toMatchObject({ code: 2, message: 'no store' });
  });

  test('a span joins the trace of a foreign caller', async () => {
    const tracer = await createTracer({ endpoint, serviceName: 'lagoon', serviceVersion: '1' });
    tracer.startSpan('query', {}, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01').end();
    await tracer.close();
    expect(receivedSpans()).toMatchObject([
      { traceId: '0af7651916cd43dd8448eb211c80319c', parentSpanId: 'b7ad6b7169203331' },
    ]);
  });

  test('without an endpoint the tracer does nothing but pass the context on', async () => {
    const tracer = await createTracer({ endpoint: undefined, serviceName: 'lagoon', serviceVersion: '1' });
    expect(tracer).toBe(noTracer);
    expect(tracer.startSpan('query', {}, 'as it came').traceparent).toBe('as it came');
  });
});
