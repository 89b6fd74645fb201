/** Bounds and defaults of the gateway. Every size is in bytes, every time in milliseconds. */
export interface GatewayConfig {
  /** A request body after inflating. A JSON body is also held by the longest string of the runtime. */
  readonly bodyBytesMax: number;
  /** All bodies that are in memory at one time. */
  readonly bodyBytesInFlightMax: number;
  /** What a write may take as packed columns: a few large rows beside many small ones cost their full width. */
  readonly blockBytesMax: number;
  readonly requestCountInFlightMax: number;
  readonly writeTimeoutMs: number;
  readonly queryTimeoutMs: number;
  /** Metadata, lists, schema changes, deletes. */
  readonly adminTimeoutMs: number;
  /** Smaller answers are sent as they are. */
  readonly gzipBytesMin: number;
  /** What a client that is told to wait hears. */
  readonly retryAfterMs: number;
}

export const defaultGatewayConfig: GatewayConfig = {
  bodyBytesMax: 512 << 20,
  bodyBytesInFlightMax: 1024 * 1024 * 1024,
  blockBytesMax: 512 << 20,
  requestCountInFlightMax: 1_024,
  writeTimeoutMs: 60_000,
  queryTimeoutMs: 30_000,
  adminTimeoutMs: 30_000,
  gzipBytesMin: 1_024,
  retryAfterMs: 250,
};
