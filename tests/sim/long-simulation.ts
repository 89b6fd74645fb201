import { createSeededRandom } from '@lagoon/base';
import { collectingSimulationOf, type SimulationOptions } from './simulation.ts';

const hourMs = 3_600_000;

/**
 * The same over days: processes are stopped, right after a write was sent more often than not, for longer than a job may take, and wake when
 * everything unfinished of them was revoked and is gone.
 */
export function longSimulationOf(seed: number): SimulationOptions {
  const options = collectingSimulationOf(seed);
  const random = createSeededRandom(seed + 0x1046_0000);
  return {
    ...options,
    clientCount: 2,
    operationCount: 14,
    nemesisEveryMs: 4 * hourMs,
    pauseMsMax: 12 * hourMs,
    stopMsMax: hourMs,
    lateMsMax: 30 * hourMs,
    holdMsMax: 60 * hourMs,
    livenessMs: 100 * hourMs,
    quietMs: 72 * hourMs,
    cluster: {
      ...options.cluster,
      ingesterCount: 2,
      compactorCount: 1,
      collectorCount: 1,
      compactor: { ...options.cluster.compactor, sweepIntervalMs: hourMs },
      gc: {
        retentionMs: random.float() < 0.5 ? 0 : random.integer(60) * 60_000,
        graceMs: hourMs / 2,
        intervalMs: hourMs,
        sweepIntervalMs: 12 * hourMs,
      },
    },
  };
}
