const textLength = 36;
const hyphens = [8, 13, 18, 23] as const;
const hexDigits = '0123456789abcdef';

/** Writes the 16 bytes of a uuid of 36 characters (either case) at `offset`; false, with bytes undefined, when it is none. */
export function parseUuidInto(text: string, target: Uint8Array, offset: number): boolean {
  if (text.length !== textLength) return false;
  for (const at of hyphens) if (text.charCodeAt(at) !== 0x2d) return false;
  let at = 0;
  for (let i = 0; i < 16; i++) {
    if (at === 8 || at === 13 || at === 18 || at === 23) at++;
    const high = hexValue(text.charCodeAt(at));
    const low = hexValue(text.charCodeAt(at + 1));
    if (high < 0 || low < 0) return false;
    target[offset + i] = (high << 4) | low;
    at += 2;
  }
  return true;
}

/** The 16 bytes of a uuid of 36 characters, either case; undefined when the text is none. */
export function parseUuid(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16);
  return parseUuidInto(text, bytes, 0) ? bytes : undefined;
}

/** 36 lower-case characters from the 16 bytes at `offset`. */
export function formatUuid(bytes: Uint8Array, offset = 0): string {
  let text = '';
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
    const byte = bytes[offset + i] as number;
    text += hexDigits.charAt(byte >>> 4) + hexDigits.charAt(byte & 15);
  }
  return text;
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
