/**
 * The f64 whose JSON text is the shortest decimal that reads back as the same f16: 0.1, not 0.0999755859375.
 *
 * Three digits always survive decimal → f16 → decimal and five always identify an f16; as in `shortestF32`, a candidate is the f64
 * nearest to its decimal.
 */
export function shortestF16(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  return Math.sign(value) * shortestMagnitude(Math.abs(value));
}

function shortestMagnitude(value: number): number {
  if (value < normalMin) return shortestByPrecision(value);
  const integerDigits = Math.floor(Math.log10(value)) + 1;
  for (let digits = 3; digits < 5; digits++) {
    const scale = 10 ** Math.abs(digits - integerDigits);
    const candidate = digits >= integerDigits ? Math.round(value * scale) / scale : Math.round(value / scale) * scale;
    if (Math.f16round(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(5));
}

const normalMin = 2 ** -14;

/** Numbers below the normal range have fewer bits, so fewer digits may do. */
function shortestByPrecision(value: number): number {
  for (let digits = 1; digits < 5; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.f16round(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(5));
}
