import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { GatewayResponse } from './message.ts';

const gzipAsync = promisify(gzip);

/** Sends an answer, gzipped off the main thread when the client asks for it and it is worth it. */
export async function writeResponse(
  message: IncomingMessage,
  out: ServerResponse,
  response: GatewayResponse,
  gzipBytesMin: number,
): Promise<void> {
  if (response.stream !== undefined) return await writeStream(out, response, response.stream);
  let body = response.body;
  const headers: Record<string, string> = { ...response.headers };
  if (body.length >= gzipBytesMin && acceptsGzip(message.headers['accept-encoding'])) {
    body = await gzipAsync(body, { level: 1 });
    headers['content-encoding'] = 'gzip';
    headers.vary = 'accept-encoding';
  }
  if (out.destroyed || out.headersSent) return;
  headers['content-length'] = String(body.length);
  out.writeHead(response.status, headers);
  out.end(body);
}

/** Chunk by chunk, no faster than the client takes them. The head is sent: what fails now can only cut the connection. */
async function writeStream(
  out: ServerResponse,
  { status, headers, body }: GatewayResponse,
  stream: AsyncIterable<Uint8Array>,
): Promise<void> {
  out.writeHead(status, headers);
  try {
    await pipeline(async function* () {
      if (body.length > 0) yield body;
      yield* stream;
    }, out);
  } catch {
    out.destroy();
  }
}

/** `gzip` or `*` in the list, and not with a weight of 0. */
export function acceptsGzip(header: string | string[] | undefined): boolean {
  const list = (Array.isArray(header) ? header.join(',') : (header ?? '')).toLowerCase().split(',');
  let accepted = false;
  for (const item of list) {
    const [name, ...parameters] = item.split(';').map((part) => part.trim());
    if (name !== 'gzip' && name !== '*') continue;
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const isRefused = weight !== undefined && Number(weight.slice(2)) === 0;
    if (name === 'gzip') return !isRefused;
    accepted = !isRefused;
  }
  return accepted;
}
