export { createLog, createLogTo, type LineWriter, type LogLevel, type LogOptions, logLevels } from './log.ts';
export { createMetricsRegistry, type MetricsOptions, type MetricsRegistry, metricsContentType } from './metrics.ts';
export { formatTraceparent, parseTraceparent, type TraceContext } from './traceparent.ts';
export { createTracer, noTracer, type Span, type SpanAttributes, type Tracer, type TracerOptions } from './tracer.ts';
