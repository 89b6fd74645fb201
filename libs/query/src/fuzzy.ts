import type { EditDistance } from './filter.ts';

/** The edits that a query of so many characters may have; undefined below the first step: then nothing matches. */
export function allowedDistance(charCount: number, steps: readonly EditDistance[]): number | undefined {
  let best: EditDistance | undefined;
  for (const step of steps) {
    if (step.minQueryChars <= charCount && step.minQueryChars >= (best?.minQueryChars ?? 0)) best = step;
  }
  return best?.distance;
}

/**
 * Whether some part of a text is at most `distance` insertions, deletions and substitutions of code points away from the query:
 * the table of Sellers ("The theory and computation of evolutionary distances", 1980), column by column, of which only the cells
 * within the distance are computed (Ukkonen, "Finding approximate patterns in strings", 1985). Time: text × query at most.
 */
export function createFuzzyMatcher(
  query: string,
  distance: number,
  ignoresCase: boolean,
): (bytes: Uint8Array, start: number, end: number) => boolean {
  const fold = ignoresCase ? createFold() : (point: number) => point;
  const wanted = Int32Array.from([...query], (char) => fold(char.codePointAt(0) as number));
  const length = wanted.length;
  const cells = new Int32Array(length + 1);
  return (bytes, start, end) => {
    for (let i = 0; i <= length; i++) cells[i] = i;
    let top = Math.min(distance, length); // the last cell within the distance; those behind hold more, if not how much
    if (top === length) return true;
    for (let at = start; at < end; ) {
      const first = bytes[at] as number;
      const size = sequenceSize(first);
      const point = fold(size === 1 ? first : decodePoint(bytes, at, size));
      at += size;
      const last = Math.min(top + 1, length);
      let diagonal = 0;
      for (let i = 1; i <= last; i++) {
        const above = cells[i] as number;
        const substituted = diagonal + Number(wanted[i - 1] !== point);
        cells[i] = Math.min(substituted, above + 1, (cells[i - 1] as number) + 1);
        diagonal = above;
      }
      top = last;
      while (top > 0 && (cells[top] as number) > distance) top--;
      if (top === length) return true;
    }
    return false;
  };
}

/** Bytes of the UTF-8 sequence that begins so. */
function sequenceSize(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function decodePoint(bytes: Uint8Array, at: number, size: number): number {
  let point = (bytes[at] as number) & (0xff >> (size + 1));
  for (let i = 1; i < size; i++) point = (point << 6) | ((bytes[at + i] as number) & 0x3f);
  return point;
}

const foldedCountMax = 1 << 12;

/** Lower case of single code points; those whose lower case is several stay as they are. */
function createFold(): (point: number) => number {
  const folded = new Map<number, number>();
  return (point) => {
    if (point < 0x80) return point >= 0x41 && point <= 0x5a ? point + 0x20 : point;
    const known = folded.get(point);
    if (known !== undefined) return known;
    const lower = [...String.fromCodePoint(point).toLowerCase()];
    const result = lower.length === 1 ? (lower[0]?.codePointAt(0) ?? point) : point;
    if (folded.size >= foldedCountMax) folded.clear();
    folded.set(point, result);
    return result;
  };
}
