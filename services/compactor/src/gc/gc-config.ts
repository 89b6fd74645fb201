import { invalidArgument } from '@lagoon/base';

/** Settings of garbage collection: plain values, all bounded. */
export interface GcConfig {
  /** Generations younger than this stay readable: the floor is raised below them only when they are older. */
  readonly retentionMs: number;
  /** How long a floor stands before it counts, and how long something must have been unreachable before it is deleted. */
  readonly graceMs: number;
  /** Between two passes over what has work. */
  readonly intervalMs: number;
  /** Between two listings of everything. */
  readonly sweepIntervalMs: number;
  /** Objects that one family loses in one pass; more wait for the next. */
  readonly deleteCountMax: number;
  /** Keys in one request; everything is verified again before each. */
  readonly batchCountMax: number;
  readonly concurrencyMax: number;
  /** Keys that nothing needs and that are remembered until their time has come. */
  readonly sightingCountMax: number;
}

/** A floor must stand for longer than any proof of a view holds, with much to spare; no less is accepted. */
export const gcGraceMsMin = 600_000;

export const defaultGcConfig: GcConfig = {
  retentionMs: 3_600_000,
  graceMs: 3_600_000,
  intervalMs: 660_000,
  sweepIntervalMs: 86_400_000,
  deleteCountMax: 10_000,
  batchCountMax: 500,
  concurrencyMax: 2,
  sightingCountMax: 1_000_000,
};

const leasts: Partial<Record<keyof GcConfig, number>> = { graceMs: gcGraceMsMin, retentionMs: 0 };

/** Defaults filled in and bounds checked. */
export function resolveGcConfig(given: Partial<GcConfig>): GcConfig {
  const config = { ...defaultGcConfig, ...given };
  for (const [name, value] of Object.entries(config)) {
    const least = leasts[name as keyof GcConfig] ?? 1;
    if (!Number.isSafeInteger(value) || value < least || (name === 'batchCountMax' && value > 1_000)) {
      throw invalidArgument('garbage collection setting out of bounds', { name, value, least });
    }
  }
  return config;
}
