import { LagoonError } from '@lagoon/base';
import { resolveRange } from './keys.ts';
import type { ByteRange, ListedObject } from './object-store.ts';

/** The parts of the SDK's answers that are read here; the SDK itself stays in `s3.ts`. */
export interface GetAnswer {
  readonly ContentLength?: number | undefined;
  readonly ContentRange?: string | undefined;
  readonly Body?: unknown;
}

export interface ListAnswer {
  readonly EncodingType?: string | undefined;
  readonly Contents?:
    | readonly {
        readonly Key?: string | undefined;
        readonly Size?: number | undefined;
        readonly LastModified?: Date | undefined;
      }[]
    | undefined;
}

interface Body extends AsyncIterable<Uint8Array> {
  destroy(error?: Error): void;
}

/** Larger answers are refused before anything is allocated for them: what a Node buffer surely holds. */
const answerBytesMax = 2 ** 31;

/** The `Range` header. HTTP has no empty range: one byte is asked for instead, which also brings the object's size. */
export function rangeHeader(range: ByteRange): string {
  const asked = atLeastOneByte(range);
  return 'suffix' in asked ? `bytes=-${asked.suffix}` : `bytes=${asked.start}-${asked.end - 1}`;
}

/**
 * Reads the body of a GET, checking that it is the range that was asked and that all of it came. Throws `unimplemented` for a store
 * that ignores ranges, `unavailable` for a body cut short.
 */
export async function readAnswer(
  answer: GetAnswer,
  range: ByteRange | undefined,
  signal: AbortSignal,
): Promise<{ readonly bytes: Uint8Array; readonly objectSize: number }> {
  const body = answer.Body as Body;
  const onAbort = () => body.destroy(new Error('aborted'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const length = answer.ContentLength ?? 0;
    const part = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.ContentRange ?? '');
    const objectSize = part === null ? length : Number(part[2]);
    const expected = resolveRange(range && atLeastOneByte(range), objectSize);
    if (length !== expected.length || Number(part?.[1] ?? 0) !== expected.offset) {
      throw new LagoonError('unimplemented', 'the store does not serve the range that was asked', {
        context: { length, contentRange: answer.ContentRange },
      });
    }
    if (length > answerBytesMax) {
      throw new LagoonError('invalid_argument', 'the object is too large to read at once', { context: { length } });
    }
    const bytes = await readBody(body, length);
    return { bytes: isEmpty(range) ? bytes.subarray(0, 0) : bytes, objectSize };
  } catch (error) {
    body.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The objects of one page, in the store's order. */
export function listedObjects(answer: ListAnswer): ListedObject[] {
  const decode = answer.EncodingType === 'url' ? decodeListedKey : (key: string) => key;
  return (answer.Contents ?? []).map((object) => ({
    key: decode(object.Key ?? ''),
    size: object.Size ?? 0,
    lastModifiedMs: object.LastModified?.getTime() ?? 0,
  }));
}

function decodeListedKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch (cause) {
    throw new LagoonError('corrupt', 'the store listed a key that is not url-encoded', { cause, context: { key } });
  }
}

async function readBody(body: Body, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  let offset = 0;
  for await (const chunk of body) {
    if (offset + chunk.byteLength > length) break;
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  if (offset === length) return bytes;
  throw new LagoonError('unavailable', 'the answer was cut short', { context: { received: offset, length } });
}

function atLeastOneByte(range: ByteRange): ByteRange {
  if (!isEmpty(range)) return range;
  return 'suffix' in range ? { suffix: 1 } : { start: range.start, end: range.start + 1 };
}

function isEmpty(range: ByteRange | undefined): boolean {
  if (range === undefined) return false;
  return 'suffix' in range ? range.suffix === 0 : range.start === range.end;
}
