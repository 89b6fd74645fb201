/** The numbers [start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * The fewest ranges that cover all of the given ones, in ascending order: what overlaps or touches is joined, then the smallest
 * gaps are closed until at most `countMax` are left, so what is covered besides is as little as can be. Ranges may come in any
 * order; empty ones cover nothing.
 */
export function coalesce(ranges: readonly Range[], countMax: number): Range[] {
  const joined = joinTouching(ranges);
  const surplus = joined.length - Math.max(1, countMax);
  if (surplus <= 0) return joined;
  const gapBefore = (index: number): number => (joined[index] as Range).start - (joined[index - 1] as Range).end;
  const bySize = Array.from({ length: joined.length - 1 }, (_, index) => index + 1).sort(
    (a, b) => gapBefore(a) - gapBefore(b) || a - b,
  );
  const closed = new Set(bySize.slice(0, surplus));
  const out: Range[] = [];
  for (const [index, range] of joined.entries()) {
    const last = out.at(-1);
    if (last !== undefined && closed.has(index)) out[out.length - 1] = { start: last.start, end: range.end };
    else out.push(range);
  }
  return out;
}

function joinTouching(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  for (const range of ranges.filter(({ start, end }) => start < end).sort((a, b) => a.start - b.start)) {
    const last = out.at(-1);
    if (last === undefined || range.start > last.end) out.push(range);
    else if (range.end > last.end) out[out.length - 1] = { start: last.start, end: range.end };
  }
  return out;
}
