import { invalidArgument } from '@lagoon/base';
import { idempotencyKeepMsMin } from '@lagoon/namespace';

/** Settings of the compactor role: plain values, all bounded. */
export interface CompactorConfig {
  /** A tail of so many bytes or entries is indexed at once. */
  readonly indexBytesMin: number;
  readonly indexEntryCountMin: number;
  /** Any other tail waits so long, a small one (below both bounds) longer. */
  readonly tailAgeMs: number;
  readonly smallTailBytes: number;
  readonly smallTailEntryCount: number;
  readonly smallTailAgeMs: number;
  /** Most of the tail that one job takes into memory; one entry is always taken. */
  readonly jobBytesMax: number;
  /** From so many bytes of tail on, an index job is claimed first, so that two compactors do not do it twice. */
  readonly leaseBytesMin: number;
  /** A namespace whose work is another's is looked at again so long after. */
  readonly leasedDelayMs: number;
  /** About the largest segment; at most 64 MiB. */
  readonly segmentBytesMax: number;
  /** Columns of fewer vectors in a segment get no lists: they are scanned. */
  readonly clusterRowCountMin: number;
  /** An index job does a merge that its own segment would call for, where that is no larger than this; 0: none. */
  readonly absorbBytesMax: number;
  /** So many segments of one tier are merged; sizes of tiers differ by this factor (merge-policy.ts). */
  readonly mergeFanIn: number;
  /** The largest segment that a merge makes, by live bytes and by rows. Above half of it a segment is not merged for its size. */
  readonly mergeBytesMax: number;
  readonly mergeRowsMax: number;
  /** A segment of which so many in a hundred rows, and so many bytes, are dead is rewritten. */
  readonly mergeDeadPercent: number;
  readonly mergeDeadBytesMin: number;
  /** Where no job has committed for so long, segments that fill no tier are merged, too; 0: never. */
  readonly mergeQuietMs: number;
  readonly mergeConcurrencyMax: number;
  /** Rows of a merge in memory at one time; they take some five times as much while they are put in order. */
  readonly mergeWindowBytes: number;
  /** What a merge may put aside, of which it needs about three times what it writes. */
  readonly scratchBytesMax: number;
  readonly jobConcurrencyMax: number;
  /** The longest that a job computes before it lets other work of the process run. */
  readonly computeSliceMs: number;
  /** How often the markers of namespaces with a tail are listed. */
  readonly sweepIntervalMs: number;
  /** Pages of 1,000 markers that one sweep reads; the next goes on behind them. */
  readonly sweepPageCountMax: number;
  /** Markers of indexed tails are removed so long after, many in one request. */
  readonly markerClearDelayMs: number;
  /** Namespaces known to have a tail; more are found by a later sweep. */
  readonly backlogCountMax: number;
  /** Ids and delete vectors of older segments that are kept in memory. */
  readonly idCacheBytesMax: number;
  readonly idempotencyKeepMs: number;
  /** So many parts of the idempotency table are rewritten as one. */
  readonly idempotencyPartCountMax: number;
  readonly handOverTimeoutMs: number;
  readonly notifyTimeoutMs: number;
  readonly retryFirstDelayMs: number;
  readonly retryDelayMsMax: number;
  /** How long `close` waits for running jobs before it abandons them. */
  readonly closeTimeoutMs: number;
}

export const defaultCompactorConfig: CompactorConfig = {
  indexBytesMin: 16 << 20,
  indexEntryCountMin: 256,
  tailAgeMs: 5_000,
  smallTailBytes: 1 << 20,
  smallTailEntryCount: 64,
  smallTailAgeMs: 60_000,
  jobBytesMax: 256 << 20,
  leaseBytesMin: 64 << 20,
  leasedDelayMs: 15_000,
  segmentBytesMax: 32 << 20,
  clusterRowCountMin: 4_096,
  absorbBytesMax: 8 << 20,
  mergeFanIn: 8,
  mergeBytesMax: 512 << 20,
  mergeRowsMax: 1_000_000,
  mergeDeadPercent: 33,
  mergeDeadBytesMin: 1 << 20,
  mergeQuietMs: 20_000,
  mergeConcurrencyMax: 1,
  mergeWindowBytes: 8 << 20,
  scratchBytesMax: 8 * 2 ** 30,
  jobConcurrencyMax: 2,
  computeSliceMs: 8,
  sweepIntervalMs: 60_000,
  sweepPageCountMax: 10,
  markerClearDelayMs: 5_000,
  backlogCountMax: 100_000,
  idCacheBytesMax: 256 << 20,
  idempotencyKeepMs: 2 * 3_600_000,
  idempotencyPartCountMax: 16,
  handOverTimeoutMs: 10_000,
  notifyTimeoutMs: 2_000,
  retryFirstDelayMs: 500,
  retryDelayMsMax: 60_000,
  closeTimeoutMs: 10_000,
};

/** Keys of idempotent writes are promised for an hour. */
const leasts: Readonly<Record<string, number>> = { idempotencyKeepMs: idempotencyKeepMsMin, mergeFanIn: 2 };

const mayBeZero: readonly string[] = [
  'tailAgeMs',
  'smallTailAgeMs',
  'smallTailBytes',
  'smallTailEntryCount',
  'absorbBytesMax',
  'leaseBytesMin',
  'mergeDeadBytesMin',
  'mergeQuietMs',
];

/** Defaults filled in and bounds checked. */
export function resolveCompactorConfig(given: Partial<CompactorConfig>): CompactorConfig {
  const config = { ...defaultCompactorConfig, ...given };
  for (const [name, value] of Object.entries(config)) {
    const least = mayBeZero.includes(name) ? 0 : (leasts[name] ?? 1);
    if (!Number.isSafeInteger(value) || value < least || (name === 'segmentBytesMax' && value > 64 << 20)) {
      throw invalidArgument('compactor setting out of bounds', { name, value, least });
    }
  }
  return config;
}
