import { type Metrics, noMetrics } from '@lagoon/base';

/** What all processes of a run have counted: by the counter's name and the values of its labels, joined by spaces. */
export interface CountingMetrics extends Metrics {
  readonly counted: ReadonlyMap<string, number>;
}

export function createCountingMetrics(): CountingMetrics {
  const counted = new Map<string, number>();
  return {
    ...noMetrics,
    counted,
    counter: (name) => ({
      add: (value, labels = {}) => {
        const key = [name, ...Object.values(labels)].join(' ');
        counted.set(key, (counted.get(key) ?? 0) + value);
      },
    }),
  };
}
