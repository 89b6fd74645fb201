/**
 * ISO 8601 date, then optionally `T` or a space and a time of day, seconds and a fraction optional, then `Z`, an offset
 * (`+02`, `+0200`, `+02:00`) or nothing, which means UTC. Years have four digits, or a sign and six.
 */
const datetimePattern =
  /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?\s?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?)?$/;

const dayMs = 86_400_000;
const daysPerEra = 146_097; // 400 years

/** Milliseconds since the epoch, UTC; undefined where the text is no datetime. Digits beyond milliseconds are cut off. */
export function parseDatetime(text: string): bigint | undefined {
  const parts = datetimePattern.exec(text);
  if (parts === null) return undefined;
  const number = (index: number): number => Number(parts[index] ?? 0);
  const [year, month, day] = [number(1), number(2), number(3)];
  const [hour, minute, second] = [number(4), number(5), number(6)];
  const [offsetHour, offsetMinute] = [number(9), number(10)];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return undefined;
  const ms = Number((parts[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const offsetMs = (offsetHour * 60 + offsetMinute) * 60_000 * (parts[8] === '-' ? -1 : 1);
  const ofDay = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
  return BigInt(daysFromCivil(year, month, day) * dayMs + ofDay - offsetMs);
}

/**
 * `2024-01-02T03:04:05Z`, with `.678` only where the milliseconds are not 0. Years outside 0-9999 get a sign and at least
 * six digits; every i64 has a form.
 */
export function formatDatetime(ms: bigint): string {
  const dayMsBig = BigInt(dayMs);
  const ofDay = Number(((ms % dayMsBig) + dayMsBig) % dayMsBig);
  const { year, month, day } = civilFromDays(Number((ms - BigInt(ofDay)) / dayMsBig));
  const fraction = ofDay % 1000 === 0 ? '' : `.${pad(ofDay % 1000, 3)}`;
  const seconds = Math.floor(ofDay / 1000);
  const time = `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;
  return `${formatYear(year)}-${pad(month, 2)}-${pad(day, 2)}T${time}${fraction}Z`;
}

/** Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year; // years begin in March, so that the leap day is the last
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * daysPerEra + dayOfEra - 719_468;
}

/** The inverse of `daysFromCivil`. */
function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / daysPerEra);
  const dayOfEra = shifted - era * daysPerEra;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function formatYear(year: number): string {
  if (year >= 0 && year <= 9999) return pad(year, 4);
  return `${year < 0 ? '-' : '+'}${pad(Math.abs(year), 6)}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
