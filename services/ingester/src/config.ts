import { invalidArgument } from '@lagoon/base';
import { idempotencyKeepMsMin } from '@lagoon/namespace';

/** Settings of the ingester role: plain values, all bounded. */
export interface IngesterConfig {
  /** A group closes at so many bytes of blocks; a larger single write is a group of its own. */
  readonly groupBytesMax: number;
  readonly groupWriteCountMax: number;
  /** Waiting writes of one namespace, in bytes and count, and of the whole role, in bytes. */
  readonly queueBytesMax: number;
  readonly queueWriteCountMax: number;
  readonly roleQueueBytesMax: number;
  /** Least time between the starts of two groups of a namespace; trades latency for requests. */
  readonly minCommitIntervalMs: number;
  /** How long the next group stays open after one with several writes, for those that its answers set free. */
  readonly regroupDelayMs: number;
  /** Past this a group's outcome counts as unknown. */
  readonly commitTimeoutMs: number;
  /** Backpressure: bounds of the tail that is not indexed yet. */
  readonly unindexedBytesMax: number;
  readonly unindexedEntryCountMax: number;
  readonly backpressureRetryAfterMs: number;
  /** Largest block of one request. */
  readonly blockBytesMax: number;
  /** Keyed writes of a namespace that are remembered; more are refused until older ones expire. */
  readonly idempotencyRecordCountMax: number;
  readonly idempotencyKeepMs: number;
  /** Namespaces with a warm view; idle ones are dropped after a while. */
  readonly writerCountMax: number;
  readonly writerIdleMs: number;
  /** Rows that one write may delete by a filter, and patch by one. */
  readonly filterDeleteRowCountMax: number;
  readonly filterPatchRowCountMax: number;
  /** Bytes of the whole documents that the patches of one write come to. */
  readonly patchedBytesMax: number;
  readonly affectedIdCountMax: number;
  /** Memory for the rows of all namespaces that conditions, patches and filters look at; taken as it is needed. */
  readonly rowsBytesMax: number;
  /** How long a namespace's rows stay after the last write that looked at them. */
  readonly rowsIdleMs: number;
  /** Bytes that wait to be applied to rows at which nobody looks; past it they are let go. */
  readonly rowsPendingBytesMax: number;
  /** Batches that are applied before segments take their place. */
  readonly rowsCompactBatchCount: number;
  /** How long a tail may stay unindexed before its marker is written. */
  readonly dirtyMarkerDelayMs: number;
  readonly notifyTimeoutMs: number;
  /** Namespaces whose notices wait; the oldest is dropped past it. */
  readonly notifyQueueMax: number;
  readonly notifyConcurrencyMax: number;
}

export const defaultIngesterConfig: IngesterConfig = {
  groupBytesMax: 32 << 20,
  groupWriteCountMax: 1_000,
  queueBytesMax: 256 << 20,
  queueWriteCountMax: 10_000,
  roleQueueBytesMax: 1 << 30,
  minCommitIntervalMs: 0,
  regroupDelayMs: 2,
  commitTimeoutMs: 120_000,
  unindexedBytesMax: 2 * 2 ** 30,
  unindexedEntryCountMax: 10_000,
  backpressureRetryAfterMs: 1_000,
  blockBytesMax: 512 << 20,
  idempotencyRecordCountMax: 1_000_000,
  idempotencyKeepMs: 2 * 3_600_000,
  writerCountMax: 1_000,
  writerIdleMs: 600_000,
  filterDeleteRowCountMax: 5_000_000,
  filterPatchRowCountMax: 50_000,
  patchedBytesMax: 256 << 20,
  affectedIdCountMax: 1_000_000,
  rowsBytesMax: 1 << 30,
  rowsIdleMs: 120_000,
  rowsPendingBytesMax: 32 << 20,
  rowsCompactBatchCount: 256,
  dirtyMarkerDelayMs: 3_000,
  notifyTimeoutMs: 2_000,
  notifyQueueMax: 10_000,
  notifyConcurrencyMax: 32,
};

/** Keys of idempotent writes are promised for an hour. */
const leasts: Readonly<Record<string, number>> = {
  minCommitIntervalMs: 0,
  dirtyMarkerDelayMs: 0,
  idempotencyKeepMs: idempotencyKeepMsMin,
};

/** Defaults filled in and bounds checked. */
export function resolveIngesterConfig(given: Partial<IngesterConfig>): IngesterConfig {
  const config = { ...defaultIngesterConfig, ...given };
  for (const [name, value] of Object.entries(config)) {
    const least = leasts[name] ?? 1;
    if (!Number.isSafeInteger(value) || value < least) {
      throw invalidArgument('ingester setting out of bounds', { name, value, least });
    }
  }
  return config;
}
