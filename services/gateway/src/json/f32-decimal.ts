/**
 * The f64 whose JSON text is the shortest decimal that reads back as the same f32: 0.7, not 0.699999988079071.
 *
 * Six digits always survive decimal → f32 → decimal and nine always identify an f32, so at most four candidates
 * are tried. A candidate m / 10^s is the f64 nearest to that decimal (both parts are exact), so the runtime prints just it.
 */
export function shortestF32(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const magnitude = Math.abs(value);
  if (magnitude < 1e-5 || magnitude >= 1e9) return shortestByPrecision(value);
  const integerDigits = Math.floor(Math.log10(magnitude)) + 1;
  for (let digits = 6; digits < 9; digits++) {
    const scale = powersOfTen[digits - integerDigits + 9] as number;
    const candidate = digits >= integerDigits ? Math.round(value * scale) / scale : Math.round(value / scale) * scale;
    if (Math.fround(candidate) === value) return candidate;
  }
  return shortestByPrecision(value);
}

// Index 9 + n holds 10^|n|; the sign of n says whether to multiply or divide.
const powersOfTen: readonly number[] = Array.from({ length: 24 }, (_, index) => 10 ** Math.abs(index - 9));

const normalMin = 2 ** -126;

/** Numbers below the normal range have fewer bits, so fewer digits may do. */
function shortestByPrecision(value: number): number {
  for (let digits = Math.abs(value) < normalMin ? 1 : 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}
