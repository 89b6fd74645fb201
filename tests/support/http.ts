import { Agent, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The answer's JSON, undefined when it is none. */
  readonly json: unknown;
}

export interface SendOptions {
  /** A string or bytes go as they are, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
  readonly timeoutMs?: number;
}

const timeoutMsDefault = 60_000;

/** One request with exactly this path: unlike `fetch`, nothing in it is resolved or escaped. */
export function send(url: string, method: string, path: string, options: SendOptions = {}): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const body = toBytes(options.body);
  const isChunked = options.headers?.['transfer-encoding'] !== undefined;
  const length: Record<string, string> = isChunked ? {} : { 'content-length': String(body.length) };
  const headers = { 'content-type': 'application/json', ...length, ...options.headers };
  return new Promise((resolve, reject) => {
    const agent = options.agent ?? false;
    const sent = request({ host: hostname, port, method, path, headers, agent }, (response) => {
      const chunks: Uint8Array[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers, json: parsed(text) });
      });
    });
    sent.setTimeout(options.timeoutMs ?? timeoutMsDefault, () =>
      sent.destroy(new Error(`no answer: ${method} ${path}`)),
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Connections that stay open between requests, as clients of the dialect keep them. */
export function createKeepAliveAgent(socketCountMax: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: socketCountMax });
}

function toBytes(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === 'string') return Buffer.from(body);
  return body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
