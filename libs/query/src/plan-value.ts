import { utf8Encode } from '@lagoon/base';
import { type AttributeValue, type IdKind, parseDatetime, parseUuid, type ScalarType } from '@lagoon/format';
import type { Operand } from './query-plan.ts';

/** Values of a query, untyped as JSON is, as operands of an attribute's type; undefined where the type cannot hold them. */

export function toOperand(scalar: ScalarType, value: AttributeValue): Operand | undefined {
  switch (scalar) {
    case 'int':
      return integer(value, -(2n ** 63n), 2n ** 63n - 1n);
    case 'uint':
      return integer(value, 0n, 2n ** 64n - 1n);
    case 'entry':
      return undefined; // never compared
    case 'float':
      return float(value);
    case 'bool':
      return typeof value === 'boolean' ? Number(value) : undefined;
    case 'datetime':
      return typeof value === 'string' ? parseDatetime(value) : integer(value, -(2n ** 63n), 2n ** 63n - 1n);
    case 'uuid':
      return typeof value === 'string' ? parseUuid(value) : undefined;
    case 'string':
      return typeof value === 'string' ? utf8Encode(value) : undefined;
    case 'bytes':
      return typeof value === 'string' ? fromBase64(value) : value instanceof Uint8Array ? value : undefined;
  }
}

export function toIdOperand(idKind: IdKind, value: AttributeValue): Operand | undefined {
  return toOperand(idKind === 'u64' ? 'uint' : idKind, value);
}

/** The type of a value as the dialect names it, for messages. */
export function describeValue(value: AttributeValue): string {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Float32Array) return `[${value.length}]f32`;
  const [first] = value;
  return first === undefined ? '[]' : `[]${describeValue(first)}`;
}

function integer(value: AttributeValue, min: bigint, max: bigint): bigint | undefined {
  const exact = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
  return typeof exact === 'bigint' && exact >= min && exact <= max ? exact : undefined;
}

/** An integer stands for the float that is nearest to it. */
function float(value: AttributeValue): number | undefined {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Bytes are base64 in JSON; with or without padding. */
function fromBase64(text: string): Uint8Array | undefined {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? new Uint8Array(Buffer.from(text, 'base64')) : undefined;
}
