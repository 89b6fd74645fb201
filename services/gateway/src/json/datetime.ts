/** i64 milliseconds since the epoch as ISO 8601 in UTC with `Z`; years outside 0000..9999 get a sign and six digits. */
export function formatDatetime(milliseconds: bigint): string {
  const dayMs = 86_400_000n;
  let days = milliseconds / dayMs;
  let rest = milliseconds % dayMs;
  if (rest < 0n) {
    rest += dayMs;
    days -= 1n;
  }
  const { year, month, day } = civilFromDays(days);
  const ms = Number(rest);
  const time = `${pad(Math.floor(ms / 3_600_000), 2)}:${pad(Math.floor(ms / 60_000) % 60, 2)}:${pad(Math.floor(ms / 1000) % 60, 2)}.${pad(ms % 1000, 3)}`;
  return `${formatYear(year)}-${pad(month, 2)}-${pad(day, 2)}T${time}Z`;
}

/**
 * Days since 1970-01-01 to the proleptic Gregorian date, by eras of 400 years that begin on 1 March
 * (Hinnant, "chrono-compatible low-level date algorithms").
 */
function civilFromDays(days: bigint): { readonly year: bigint; readonly month: number; readonly day: number } {
  const shifted = days + 719_468n;
  const eraDays = 146_097n;
  const era = (shifted >= 0n ? shifted : shifted - (eraDays - 1n)) / eraDays;
  const dayOfEra = Number(shifted - era * eraDays);
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: BigInt(yearOfEra) + era * 400n + (month <= 2 ? 1n : 0n), month, day };
}

function formatYear(year: bigint): string {
  if (year >= 0n && year <= 9999n) return pad(Number(year), 4);
  const digits = (year < 0n ? -year : year).toString().padStart(6, '0');
  return `${year < 0n ? '-' : '+'}${digits}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
