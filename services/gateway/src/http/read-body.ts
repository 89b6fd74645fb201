import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createGunzip, type Gunzip } from 'node:zlib';
import { concatBytes, invalidArgument, LagoonError } from '@lagoon/base';
import type { Admitted } from './admission.ts';

/**
 * Reads a request's body, inflating gzip on the way. Bytes are counted as they come out, before more are let in, so
 * neither a long body nor a small one that inflates without end takes more than `bodyBytesMax` (plus one chunk) of memory.
 */
export async function readBody(
  message: IncomingMessage,
  admitted: Admitted,
  bodyBytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const isGzip = isGzipEncoded(message.headers['content-encoding']);
  const lengthStated = Number(message.headers['content-length'] ?? 0);
  if (lengthStated > bodyBytesMax) throw tooLarge(bodyBytesMax);
  return isGzip
    ? readInflated(message, admitted, bodyBytesMax, signal)
    : readPlain(message, admitted, bodyBytesMax, signal);
}

function isGzipEncoded(encoding: string | undefined): boolean {
  const name = (encoding ?? '').trim().toLowerCase();
  if (name === '' || name === 'identity') return false;
  if (name === 'gzip' || name === 'x-gzip') return true;
  throw new LagoonError('invalid_argument', 'unsupported content-encoding: send gzip or none', {
    context: { found: name.slice(0, 64) },
  });
}

async function readPlain(
  message: IncomingMessage,
  admitted: Admitted,
  bodyBytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const collector = createCollector(admitted, bodyBytesMax);
  await new Promise<void>((resolve, reject) => {
    const onData = (chunk: Uint8Array) => {
      try {
        collector.add(chunk);
      } catch (error) {
        stop();
        reject(error);
      }
    };
    const onEnd = () => {
      stop();
      resolve();
    };
    const onBroken = () => {
      stop();
      reject(signal.aborted ? signal.reason : new DOMException('the client went away', 'AbortError'));
    };
    const stop = () => {
      message.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      message.pause();
    };
    message.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  });
  return collector.bytes();
}

async function readInflated(
  message: IncomingMessage,
  admitted: Admitted,
  bodyBytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const collector = createCollector(admitted, bodyBytesMax);
  const gunzip = createGunzip();
  const onClose = () => {
    if (!message.complete) gunzip.destroy(new DOMException('the client went away', 'AbortError'));
  };
  message.on('close', onClose);
  message.pipe(gunzip);
  try {
    for await (const chunk of gunzip) collector.add(chunk as Uint8Array);
  } catch (error) {
    signal.throwIfAborted();
    throw isZlibError(error)
      ? invalidArgument('the body is not gzip', { problem: String((error as { message?: unknown }).message) })
      : error;
  } finally {
    message.off('close', onClose);
    message.unpipe(gunzip);
    await closed(gunzip);
  }
  return collector.bytes();
}

async function closed(gunzip: Gunzip): Promise<void> {
  if (gunzip.closed) return;
  const closing = once(gunzip, 'close');
  gunzip.destroy();
  await closing;
}

function isZlibError(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return code.startsWith('Z_');
}

interface Collector {
  add(chunk: Uint8Array): void;
  bytes(): Uint8Array;
}

function createCollector(admitted: Admitted, bodyBytesMax: number): Collector {
  const chunks: Uint8Array[] = [];
  let size = 0;
  return {
    add: (chunk) => {
      size += chunk.length;
      if (size > bodyBytesMax) throw tooLarge(bodyBytesMax);
      admitted.reserve(chunk.length);
      chunks.push(chunk);
    },
    bytes: () => {
      const only = chunks[0];
      return chunks.length === 1 && only !== undefined ? only : concatBytes(chunks);
    },
  };
}

function tooLarge(bodyBytesMax: number): LagoonError {
  return new LagoonError('invalid_argument', 'the body is too large: send it in parts', {
    reason: 'too_large',
    context: { bytesMax: bodyBytesMax },
  });
}
