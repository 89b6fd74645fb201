import { Agent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { backoffMs, type Clock, isRetryable, LagoonError, type Random } from '@lagoon/base';

/** Sends write requests of the HTTP dialect to a running Lagoon over kept-alive connections. */
export interface WriteClient extends Disposable {
  /** Resolves when the write is durable; tries again what may be tried again. */
  write(body: string, idempotencyKey: string, signal?: AbortSignal): Promise<void>;
  /** Whether the namespace exists. */
  exists(signal?: AbortSignal): Promise<boolean>;
}

export interface WriteClientOptions {
  readonly url: string;
  readonly namespace: string;
  readonly apiKey: string | undefined;
  readonly connectionCount: number;
  readonly onRetry?: (error: LagoonError) => void;
}

const attemptCountMax = 12;
const delays = { firstDelayMs: 100, delayMsMax: 5_000 };

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly body: string;
}

export function createWriteClient(
  deps: { readonly clock: Clock; readonly random: Random },
  options: WriteClientOptions,
): WriteClient {
  const base = new URL(options.url);
  const secure = base.protocol === 'https:';
  const agentOptions = { keepAlive: true, maxSockets: options.connectionCount };
  const agent = secure ? new HttpsAgent(agentOptions) : new Agent(agentOptions);
  const path = `${base.pathname.replace(/\/$/, '')}/v2/namespaces/${encodeURIComponent(options.namespace)}`;
  const send = (
    method: string,
    target: string,
    headers: Record<string, string>,
    body: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const authorization: Record<string, string> =
        options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
      const outgoing = (secure ? httpsRequest : httpRequest)(
        new URL(target, base),
        { method, agent, headers: { ...authorization, ...headers }, ...(signal === undefined ? {} : { signal }) },
        (incoming) => {
          let text = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => {
            text += chunk;
          });
          incoming.on('error', reject);
          incoming.on('end', () => {
            const retryAfterMs = Number(incoming.headers['retry-after-ms']);
            resolve({
              status: incoming.statusCode ?? 0,
              retryAfterMs: retryAfterMs > 0 ? retryAfterMs : undefined,
              body: text,
            });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  const writeOnce = async (body: string, idempotencyKey: string, signal: AbortSignal | undefined): Promise<void> => {
    const headers = {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'idempotency-key': idempotencyKey,
    };
    const answer = await send('POST', path, headers, body, signal).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new LagoonError('unavailable', 'no answer from the server', { context: { url: options.url }, cause });
    });
    if (answer.status !== 200) throw answerError(answer);
  };

  return {
    write: async (body, idempotencyKey, signal) => {
      for (let attempt = 0; ; attempt++) {
        try {
          return await writeOnce(body, idempotencyKey, signal);
        } catch (error) {
          if (!isRetryable(error) || attempt + 1 >= attemptCountMax) throw error;
          options.onRetry?.(error as LagoonError);
          await deps.clock.sleep(
            (error as LagoonError).retryAfterMs ?? backoffMs(deps.random, delays, attempt),
            signal,
          );
        }
      }
    },
    exists: async (signal) => {
      const answer = await send('GET', `${path}/metadata`, {}, undefined, signal).catch((cause: unknown) => {
        throw new LagoonError('unavailable', 'no answer from the server: is it running?', {
          context: { url: options.url },
          cause,
        });
      });
      if (answer.status === 200) return true;
      if (answer.status === 404) return false;
      throw answerError(answer);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function answerError(answer: Answer): LagoonError {
  const retryable = answer.status === 408 || answer.status === 409 || answer.status === 429 || answer.status >= 500;
  return new LagoonError(
    retryable && answer.status !== 501 ? 'unavailable' : 'invalid_argument',
    errorMessage(answer.body),
    {
      context: { status: answer.status },
      ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
    },
  );
}

function errorMessage(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) return String(parsed.error);
  } catch {
    // not JSON: a proxy's page, say
  }
  return body.slice(0, 200);
}
