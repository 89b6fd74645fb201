export { createBreather } from './breather.ts';
export { type ByteReader, createByteReader } from './byte-reader.ts';
export { type ByteWriter, createByteWriter } from './byte-writer.ts';
export {
  alignUp,
  compareBytes,
  concatBytes,
  crc32,
  createSha256,
  emptyBytes,
  equalBytes,
  fromHex,
  sha256,
  toHex,
  utf8Decode,
  utf8DecodeLossy,
  utf8Encode,
} from './bytes.ts';
export { type Clock, createSystemClock, type DeadlineSignal, deadlineSignal, type Timer } from './clock.ts';
export {
  createSemaphore,
  createSingleFlight,
  mapBounded,
  type Semaphore,
  type SemaphoreOptions,
  settleAll,
} from './concurrency.ts';
export {
  assert,
  atPlace,
  corrupt,
  type ErrorCode,
  type ErrorContext,
  type ErrorReason,
  errorCodes,
  errorReasons,
  inPlace,
  invalidArgument,
  invalidAt,
  isLagoonError,
  isRetryable,
  LagoonError,
  type LagoonErrorOptions,
  toLagoonError,
  unimplemented,
  unreachable,
} from './errors.ts';
export { createRandomId } from './ids.ts';
export { type Log, type LogFields, silentLog } from './log.ts';
export { type Counter, type Gauge, type Histogram, type MetricLabels, type Metrics, noMetrics } from './metrics.ts';
export { createSeededRandom, createSystemRandom, type Random } from './random.ts';
export { backoffMs, type RetryOptions, retry } from './retry.ts';
export { saturated } from './saturate.ts';
