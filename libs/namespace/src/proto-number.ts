import { corrupt, type ErrorContext } from '@lagoon/base';

/** A uint64 or int64 of a message as a number; `corrupt` above 2^53, which nothing here writes. */
export function toSafeNumber(value: bigint, context?: ErrorContext): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw corrupt('number out of range', context);
  return number;
}
