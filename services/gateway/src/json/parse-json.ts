import { constants, isAscii, isUtf8 } from 'node:buffer';
import { invalidArgument, LagoonError } from '@lagoon/base';
import { digitRunMin, parseLongIntegers } from './long-integers.ts';

/**
 * JSON text to values without losing integers: a number that is written as an integer and is beyond ±(2^53 − 1)
 * becomes a bigint, everything else is what `JSON.parse` gives.
 *
 * The runtime's parser does the work. Only a text that holds a run of 16 or more digits outside a fraction or an
 * exponent takes the slower path.
 */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decodeText(bytes);
  try {
    return holdsLongInteger(bytes) ? parseLongIntegers(text) : JSON.parse(text);
  } catch (error) {
    throw asJsonError(error);
  }
}

function decodeText(bytes: Uint8Array): string {
  const textBytesMax = constants.MAX_STRING_LENGTH;
  if (bytes.byteLength > textBytesMax) {
    throw new LagoonError('invalid_argument', 'the body is too large for one json text: send it in parts', {
      reason: 'too_large',
      context: { bytes: bytes.byteLength, bytesMax: textBytesMax },
    });
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isAscii(buffer)) return buffer.toString('latin1');
  if (!isUtf8(buffer)) throw invalidArgument('the body is not utf-8');
  return buffer.toString('utf8');
}

/** A run of 16 digits covers one of any 16 consecutive positions, so every 16th byte is looked at. */
export function holdsLongInteger(bytes: Uint8Array): boolean {
  for (let position = digitRunMin - 1; position < bytes.length; position += digitRunMin) {
    if (!isDigit(bytes[position])) continue;
    let start = position;
    while (isDigit(bytes[start - 1])) start--;
    let end = position + 1;
    while (isDigit(bytes[end])) end++;
    if (end - start >= digitRunMin && isIntegerContext(bytes[start - 1], bytes[end])) return true;
    if (end > position + digitRunMin) position += Math.floor((end - position - 1) / digitRunMin) * digitRunMin;
  }
  return false;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isIntegerContext(before: number | undefined, after: number | undefined): boolean {
  return before !== 0x2e /* . */ && after !== 0x2e && after !== 0x65 /* e */ && after !== 0x45 /* E */;
}

function asJsonError(error: unknown): LagoonError {
  // The reviver recurses with the text's nesting; the plain parser does not.
  if (error instanceof RangeError) return invalidArgument('the json is nested too deeply');
  const message = error instanceof Error ? error.message : String(error);
  return new LagoonError('invalid_argument', `the body is not json: ${message}`, { cause: error });
}
