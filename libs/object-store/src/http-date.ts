const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const pattern = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;

/** A `Date` header in the form that servers must send (RFC 9110, IMF-fixdate) as epoch milliseconds; `undefined` for any other text. */
export function parseHttpDate(text: string | undefined): number | undefined {
  const match = text === undefined ? null : pattern.exec(text);
  if (match === null) return undefined;
  const [, day, month, year, hour, minute, second] = match;
  const monthIndex = months.indexOf(month ?? '');
  if (monthIndex < 0) return undefined;
  const days = daysFromCivil(Number(year), monthIndex + 1, Number(day));
  return (((days * 24 + Number(hour)) * 60 + Number(minute)) * 60 + Number(second)) * 1000;
}

/** Days since 1970-01-01 of a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year; // years begin in March, so that the leap day is the last one
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
