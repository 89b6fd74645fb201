import { type ErrorContext, invalidAt, LagoonError } from '@lagoon/base';

/**
 * Small checks of parsed JSON with the path of what is wrong. A value of another JSON type than expected is
 * `wrong_shape` and says both; a value of the right type that means nothing is a plain `invalid_argument`.
 */
export type JsonObject = Readonly<Record<string, unknown>>;

export function wrongShape(path: string, expected: string, found: unknown): LagoonError {
  return new LagoonError('invalid_argument', `${path}: expected ${expected}, found ${describe(found)}`, {
    reason: 'wrong_shape',
  });
}

export function wrongValue(path: string, message: string, context?: ErrorContext): LagoonError {
  return invalidAt(path, message, context);
}

/** The JSON type of a value with its article, as messages need it. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'bigint') return 'an integer';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a float';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function asObject(value: unknown, path: string): JsonObject {
  if (!isObject(value)) throw wrongShape(path, 'an object', value);
  return value;
}

export function asArray(value: unknown, path: string, expected = 'an array'): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongShape(path, expected, value);
  return value;
}

export function asString(value: unknown, path: string, expected = 'a string'): string {
  if (typeof value !== 'string') throw wrongShape(path, expected, value);
  if (!value.isWellFormed()) throw wrongValue(path, 'the string has half of a surrogate pair');
  return value;
}

export function asBoolean(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw wrongShape(path, 'a boolean', value);
  return value;
}

export function asFiniteNumber(value: unknown, path: string): number {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'number') throw wrongShape(path, 'a number', value);
  if (!Number.isFinite(value)) throw wrongValue(path, 'the number is out of range');
  return value;
}

/** An integer of min..max, both within the safe range. */
export function asInteger(value: unknown, path: string, min: number, max: number): number {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw wrongShape(path, 'an integer', value);
  if (typeof value === 'number' && !Number.isInteger(value)) throw wrongShape(path, 'an integer', value);
  if (value < min || value > max) throw wrongValue(path, `must be from ${min} to ${max}`, { found: value });
  return Number(value);
}

/** One of the names, or an error that lists them. */
export function asOneOf<T extends string>(value: unknown, path: string, names: readonly T[]): T {
  const text = asString(value, path);
  const found = names.find((name) => name === text);
  if (found === undefined) throw wrongValue(path, `expected one of ${names.join(', ')}`, { found: clip(text) });
  return found;
}

/** Refuses fields that are in none of the sets: a misspelt name must not be ignored. */
export function refuseUnknownFields(object: JsonObject, path: string, known: ReadonlySet<string>): void {
  for (const name of Object.keys(object)) {
    if (known.has(name)) continue;
    throw new LagoonError('invalid_argument', `${at(path, clip(name))}: unknown field`, { reason: 'wrong_shape' });
  }
}

export function at(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** A user's text as it may stand in a message. */
export function clip(text: string): string {
  return text.length <= 128 ? text : `${text.slice(0, 128)}…`;
}
