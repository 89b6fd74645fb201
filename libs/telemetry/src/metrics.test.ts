import { describe, expect, test } from '@jest/globals';
import { createMetricsRegistry } from './metrics.ts';

describe('metrics registry', () => {
  test('what is counted, set and observed is in the text', async () => {
    const { metrics, metricsText } = createMetricsRegistry({ processMetrics: false });
    metrics.counter('lagoon_a_total', 'a', ['role']).add(2, { role: 'query' });
    metrics.gauge('lagoon_b', 'b').set(7);
    metrics.histogram('lagoon_c_ms', 'c', [1, 10]).observe(5);
    const text = await metricsText();
    expect(text).toContain('lagoon_a_total{role="query"} 2');
    expect(text).toContain('lagoon_b 7');
    expect(text).toContain('lagoon_c_ms_bucket{le="10"} 1');
    expect(text).not.toContain('process_');
  });

  test('two askers of one name share the metric, and registries share nothing', async () => {
    const one = createMetricsRegistry({ processMetrics: false });
    const two = createMetricsRegistry({ processMetrics: false });
    one.metrics.counter('lagoon_a_total', 'a').add(1);
    one.metrics.counter('lagoon_a_total', 'a').add(1);
    two.metrics.counter('lagoon_a_total', 'a');
    expect(await one.metricsText()).toContain('lagoon_a_total 2');
    expect(await two.metricsText()).toContain('lagoon_a_total 0');
  });

  test('one name for two different metrics is refused', () => {
    const { metrics } = createMetricsRegistry({ processMetrics: false });
    metrics.counter('lagoon_a_total', 'a');
    expect(() => metrics.gauge('lagoon_a_total', 'a')).toThrow('registered as another one');
    expect(() => metrics.counter('lagoon_a_total', 'a', ['role'])).toThrow('registered as another one');
  });

  test('process metrics come when asked for', async () => {
    const { metricsText } = createMetricsRegistry({ processMetrics: true });
    expect(await metricsText()).toContain('process_resident_memory_bytes');
  });
});
