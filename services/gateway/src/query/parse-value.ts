import type { MessageInitShape } from '@bufbuild/protobuf';
import { queryLimits } from '@lagoon/format';
import type { ValueSchema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import { asString, describe, isObject, wrongShape, wrongValue } from '../json/shape.ts';

export type ValueInit = MessageInitShape<typeof ValueSchema>;

export function isReference(value: unknown): value is { readonly $ref_new: unknown } {
  return isObject(value) && '$ref_new' in value;
}

const i64Min = -(1n << 63n);
const i64Max = (1n << 63n) - 1n;
const u64Max = (1n << 64n) - 1n;

/** A JSON value as a value without a schema: the query node gives it the attribute's type. */
export function parseValue(value: unknown, path: string): ValueInit {
  switch (typeof value) {
    case 'string':
      return { kind: { case: 'stringValue', value: asString(value, path) } };
    case 'boolean':
      return { kind: { case: 'boolValue', value } };
    case 'bigint':
      return integerValue(value, path);
    case 'number':
      if (!Number.isFinite(value)) throw wrongValue(path, 'the number is out of range');
      return Number.isSafeInteger(value) ? integerValue(BigInt(value), path) : { kind: { case: 'floatValue', value } };
    default:
      return structuredValue(value, path);
  }
}

function integerValue(value: bigint, path: string): ValueInit {
  if (value < i64Min || value > u64Max) throw wrongValue(path, 'the integer does not fit 64 bits', { found: value });
  return { kind: value > i64Max ? { case: 'uintValue', value } : { case: 'intValue', value } };
}

function structuredValue(value: unknown, path: string): ValueInit {
  if (value === null) return {};
  if (isObject(value)) {
    if (isReference(value)) throw wrongValue(path, '$ref_new has a meaning in conditions of a write only');
    throw wrongShape(path, 'a scalar or an array', value);
  }
  if (!Array.isArray(value)) throw wrongShape(path, 'a scalar or an array', value);
  if (value.length > queryLimits.inValueCountMax) {
    throw wrongValue(path, 'too many values', { found: value.length, max: queryLimits.inValueCountMax });
  }
  const values = value.map((element, index) => {
    if (element === null || typeof element === 'object') {
      throw wrongValue(`${path}[${index}]`, `expected a scalar, found ${describe(element)}`);
    }
    return parseValue(element, `${path}[${index}]`);
  });
  return { kind: { case: 'arrayValue', value: { values } } };
}
