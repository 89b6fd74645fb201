/** An HTTP exchange as plain values: what the gateway's core takes and gives, whatever carries it. */
export interface GatewayRequest {
  readonly method: string;
  /** As on the request line, without the query: still percent-encoded. */
  readonly path: string;
  /** After the `?`, without it; empty where there is none. */
  readonly query: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Without content encoding. */
  readonly body: Uint8Array;
}

export interface GatewayResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** What follows the body, as it comes; where it fails, the connection is cut. */
  readonly stream?: AsyncIterable<Uint8Array>;
}
