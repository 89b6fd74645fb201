import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { LagoonError } from '@lagoon/base';

export interface ServerOptions {
  readonly url: string;
  readonly apiKey?: string;
}

export interface ServerCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the server's address, escaped. */
  readonly path: string;
  readonly body?: unknown;
}

const answerBytesMax = 16 << 20;

/** One request to a running Lagoon: its JSON answer, or an error with what the server said. */
export async function askServer(
  options: ServerOptions,
  call: ServerCall,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const answer = await openAnswer(options, call, signal);
  return JSON.parse(await readText(answer)) as Record<string, unknown>;
}

/** As `askServer`, without reading the answer's body. */
export async function openAnswer(
  options: ServerOptions,
  call: ServerCall,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const answer = await send(options, call, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new LagoonError('unavailable', 'no answer from the server: is it running?', {
      context: { url: options.url },
      cause,
    });
  });
  if (answer.statusCode === 200) return answer;
  const code = answer.statusCode === 404 || answer.statusCode === 410 ? 'not_found' : 'conflict';
  throw new LagoonError((answer.statusCode ?? 0) >= 500 ? 'unavailable' : code, errorMessage(await readText(answer)), {
    context: { status: answer.statusCode ?? 0 },
  });
}

function send(
  { url, apiKey }: ServerOptions,
  { method, path, body }: ServerCall,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const target = new URL(url.replace(/\/$/, '') + path);
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (apiKey !== undefined) headers.authorization = `Bearer ${apiKey}`;
    const outgoing = (target.protocol === 'https:' ? httpsRequest : httpRequest)(
      target,
      { method, headers, signal },
      resolve,
    );
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new LagoonError('resource_exhausted', 'the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function errorMessage(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) return String(parsed.error);
  } catch {
    // not JSON: a proxy's page, say
  }
  return text.slice(0, 200);
}
