import { toLagoonError } from '@lagoon/base';
import { type Span as OtelSpan, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';
import type { Span, Tracer, TracerOptions } from './tracer.ts';

/**
 * Spans to an OTLP/HTTP receiver, in batches, dropping the newest when the receiver does not keep up. Nothing global
 * is registered. Imported only through `createTracer`, because it loads the OpenTelemetry SDK.
 */
export function createOtlpTracer(options: TracerOptions & { readonly endpoint: string }): Tracer {
  const exporter = new OTLPTraceExporter({ url: tracesUrl(options.endpoint), timeoutMillis: 5_000 });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': options.serviceName,
      'service.version': options.serviceVersion,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.sampleRatio ?? 1) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: 2_048,
        maxExportBatchSize: 512,
        scheduledDelayMillis: 1_000,
        exportTimeoutMillis: 5_000,
      }),
    ],
  });
  const tracer = provider.getTracer('lagoon', options.serviceVersion);
  return {
    startSpan: (name, attributes, parentTraceparent) => {
      const parent = parseTraceparent(parentTraceparent);
      const context =
        parent === undefined
          ? ROOT_CONTEXT
          : trace.setSpanContext(ROOT_CONTEXT, {
              traceId: parent.traceId,
              spanId: parent.spanId,
              traceFlags: parent.flags,
              isRemote: true,
            });
      return fromOtel(
        tracer.startSpan(name, attributes === undefined ? {} : { attributes: { ...attributes } }, context),
      );
    },
    close: () => provider.shutdown(),
  };
}

function fromOtel(span: OtelSpan): Span {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceparent: formatTraceparent({ traceId, spanId, flags: traceFlags }),
    setAttribute: (name, value) => {
      span.setAttribute(name, value);
    },
    recordError: (error) => {
      const { code, message } = toLagoonError(error);
      span.setAttribute('error.type', code);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
    },
    end: () => span.end(),
  };
}

function tracesUrl(endpoint: string): string {
  const base = endpoint.endsWith('/') ? endpoint.slice(0, -1) : endpoint;
  return base.endsWith('/v1/traces') ? base : `${base}/v1/traces`;
}
