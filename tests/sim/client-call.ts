import { type Random, utf8Decode, utf8Encode } from '@lagoon/base';
import type { GatewayRequest, GatewayResponse } from '@lagoon/gateway';
import type { Actor } from './actor.ts';

export type Send = (request: GatewayRequest, signal: AbortSignal, node?: number) => Promise<GatewayResponse>;

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly key?: string | undefined;
  readonly body?: unknown;
  readonly node?: number;
}

const requestTimeoutMs = 40_000;
const retryCountMax = 4_000;
/** So many answers in a row that say that something is broken are no passing fault. */
const failureCountMax = 200;
/** From here on a client waits for minutes: a builder that stands still for days keeps its namespace under backpressure as long. */
const patientFrom = 1_000;

/** One request of a client; undefined: no answer. */
export async function request(actor: Actor, send: Send, call: Call): Promise<Answer | undefined> {
  const controller = new AbortController();
  const timer = actor.clock.setTimer(requestTimeoutMs, () =>
    controller.abort(new DOMException('client gave up', 'AbortError')),
  );
  try {
    const message = {
      method: call.method,
      path: call.path,
      query: '',
      headers: {
        'content-type': 'application/json',
        ...(call.key === undefined ? {} : { 'idempotency-key': call.key }),
      },
      body: call.body === undefined ? new Uint8Array(0) : utf8Encode(JSON.stringify(call.body)),
    };
    const response = await send(message, controller.signal, call.node);
    return { status: response.status, body: JSON.parse(utf8Decode(response.body)) as Record<string, unknown> };
  } catch {
    return undefined;
  } finally {
    timer.cancel();
  }
}

/** Sends again, as the official client would but for longer, until the answer is one that stands. */
export async function requestUntilKnown(actor: Actor, random: Random, send: Send, call: Call): Promise<Answer> {
  let failureCount = 0;
  for (let attempt = 0; attempt < retryCountMax && failureCount < failureCountMax; attempt++) {
    const answer = await request(actor, send, call);
    if (answer !== undefined && (answer.status === 200 || isFinal(answer.status))) return answer;
    failureCount = answer?.status === 500 ? failureCount + 1 : 0;
    const delayMsMax = attempt < patientFrom ? 3_000 : 600_000;
    await actor.clock.sleep(50 + random.float() * Math.min(delayMsMax, 100 * 2 ** attempt));
  }
  throw new Error(`${call.method} ${call.path} found no answer that stands`);
}

/** Whether the same request would be refused again; 499 is the client's own giving up. */
export function isFinal(status: number): boolean {
  return status < 500 && ![408, 409, 429, 499].includes(status);
}
