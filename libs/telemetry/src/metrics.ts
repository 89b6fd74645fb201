import { assert, type MetricLabels, type Metrics } from '@lagoon/base';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** The real `Metrics`, and how a scraper reads them. */
export interface MetricsRegistry {
  readonly metrics: Metrics;
  /** Everything registered, in the text format of `metricsContentType`. */
  metricsText(): Promise<string>;
}

export interface MetricsOptions {
  /** Adds the process's own figures: memory, CPU, event-loop lag, handles, garbage collection. */
  readonly processMetrics: boolean;
}

export const metricsContentType = Registry.PROMETHEUS_CONTENT_TYPE;

type Registered = Counter | Gauge | Histogram;

/**
 * A registry of its own, so that two servers in one process (tests) do not share figures.
 * Asking twice for one name gives the same metric: roles that share a library also share its figures. The kind
 * and the label names must then agree, else it is a bug and fails.
 */
export function createMetricsRegistry(options: MetricsOptions): MetricsRegistry {
  const registry = new Registry();
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  const registered = new Map<string, { readonly kind: string; readonly labels: string; readonly metric: Registered }>();

  const once = <M extends Registered>(kind: string, name: string, labelNames: readonly string[], make: () => M): M => {
    const labels = labelNames.join(',');
    const present = registered.get(name);
    if (present === undefined) {
      const metric = make();
      registered.set(name, { kind, labels, metric });
      return metric;
    }
    assert(present.kind === kind && present.labels === labels, `metric ${name} is registered as another one`);
    return present.metric as M;
  };

  const metrics: Metrics = {
    counter: (name, help, labelNames = []) => {
      const make = () => new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
      const counter = once('counter', name, labelNames, make);
      return { add: (value, labels) => counter.inc(mutable(labels), value) };
    },
    gauge: (name, help, labelNames = []) => {
      const make = () => new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
      const gauge = once('gauge', name, labelNames, make);
      return { set: (value, labels) => gauge.set(mutable(labels), value) };
    },
    histogram: (name, help, buckets, labelNames = []) => {
      const make = () =>
        new Histogram({ name, help, buckets: [...buckets], labelNames: [...labelNames], registers: [registry] });
      const histogram = once('histogram', name, labelNames, make);
      return { observe: (value, labels) => histogram.observe(mutable(labels), value) };
    },
  };
  return { metrics, metricsText: () => registry.metrics() };
}

const noLabels: Record<string, string> = {};

/** prom-client only reads labels, but its types ask for a mutable record. */
function mutable(labels: MetricLabels | undefined): Record<string, string> {
  return (labels as Record<string, string> | undefined) ?? noLabels;
}
