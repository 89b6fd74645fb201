import { LagoonError } from '@lagoon/base';
import type { GatewayConfig } from '../config.ts';

/** Bounds how many requests, and how many bytes of their bodies, are in memory at one time; past a bound: 429. */
export interface Admission {
  /** Throws `resource_exhausted` when too many requests are under way. */
  enter(): Admitted;
  readonly inFlight: { readonly requestCount: number; readonly bodyBytes: number };
  /** Resolves when no request is under way. */
  idle(): Promise<void>;
}

export interface Admitted extends Disposable {
  /** Counts bytes that this request is about to hold. Throws `resource_exhausted` when there is no room. */
  reserve(bytes: number): void;
}

export function createAdmission(
  config: Pick<GatewayConfig, 'requestCountInFlightMax' | 'bodyBytesInFlightMax' | 'retryAfterMs'>,
  observe: (requestCount: number, bodyBytes: number) => void,
): Admission {
  let requestCount = 0;
  let bodyBytes = 0;
  const waiting: (() => void)[] = [];
  const refuse = (message: string, max: number) =>
    new LagoonError('resource_exhausted', message, { context: { max }, retryAfterMs: config.retryAfterMs });
  return {
    get inFlight() {
      return { requestCount, bodyBytes };
    },
    enter: () => {
      if (requestCount >= config.requestCountInFlightMax) {
        throw refuse('too many requests at one time', config.requestCountInFlightMax);
      }
      requestCount++;
      observe(requestCount, bodyBytes);
      let held = 0;
      let open = true;
      return {
        reserve: (bytes) => {
          if (bodyBytes + bytes > config.bodyBytesInFlightMax) {
            throw refuse('too many bytes of request bodies at one time', config.bodyBytesInFlightMax);
          }
          bodyBytes += bytes;
          held += bytes;
        },
        [Symbol.dispose]: () => {
          if (!open) return;
          open = false;
          requestCount--;
          bodyBytes -= held;
          observe(requestCount, bodyBytes);
          if (requestCount === 0) for (const wake of waiting.splice(0)) wake();
        },
      };
    },
    idle: () => (requestCount === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
