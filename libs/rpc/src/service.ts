import type { DescMethodUnary, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';

/**
 * Typed views of a protobuf service, the same for a local and a remote role.
 * Only unary methods exist so far.
 */
export interface CallContext {
  /** Aborts when the caller goes away or its deadline passes. */
  readonly signal: AbortSignal;
  /** W3C trace context of the caller, where there is one. */
  readonly traceparent?: string;
}

/** What a role implements: `createXRole(deps, config)` returns one of these per service. */
export type ServiceImplementation<S extends DescService> = {
  readonly [K in keyof S['method']]: S['method'][K] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O>>
    : never;
};

/** What callers hold; errors are LagoonErrors with the same code on both transports. */
export type ServiceClient<S extends DescService> = {
  readonly [K in keyof S['method']]: S['method'][K] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options: CallOptions) => Promise<MessageShape<O>>
    : never;
};

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Bound on the whole call. Every call has one. */
  readonly timeoutMs: number;
  readonly traceparent?: string;
}
