/**
 * Tracing as a dependency: spans with W3C trace context, nothing else. `createTracer` loads OpenTelemetry only when
 * there is somewhere to send spans to; without it `noTracer` passes the caller's context on and costs nothing.
 */
export interface Tracer {
  /** `parentTraceparent` is the caller's W3C `traceparent`; a malformed one is ignored. */
  startSpan(name: string, attributes?: SpanAttributes, parentTraceparent?: string): Span;
  /** Sends what is still waiting, bounded in time by the exporter's own limits. */
  close(): Promise<void>;
}

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface Span {
  /** What to hand to whom this span calls; undefined where no trace is under way. */
  readonly traceparent: string | undefined;
  setAttribute(name: string, value: string | number | boolean): void;
  recordError(error: unknown): void;
  /** Exactly once. */
  end(): void;
}

export const noTracer: Tracer = {
  startSpan: (_name, _attributes, parentTraceparent) => ({
    traceparent: parentTraceparent,
    setAttribute: () => {},
    recordError: () => {},
    end: () => {},
  }),
  close: async () => {},
};

export interface TracerOptions {
  /** Base URL of an OTLP/HTTP receiver, as `http://host:4318`; spans go to `/v1/traces` below it. Undefined: no tracing. */
  readonly endpoint: string | undefined;
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** Share of the traces begun here that are sent, 0 to 1; a caller's decision is kept. Default 1. */
  readonly sampleRatio?: number;
}

export async function createTracer(options: TracerOptions): Promise<Tracer> {
  if (options.endpoint === undefined) return noTracer;
  const { createOtlpTracer } = await import('./otlp-tracer.ts');
  return createOtlpTracer({ ...options, endpoint: options.endpoint });
}
