import { invalidArgument } from '@lagoon/base';
import { type AttributeValue, formatUuid } from '@lagoon/format';
import type { Value } from '@lagoon/proto/lagoon/v1/value_pb.js';

/** A value of a filter; a message without a kind is null. Nested arrays and vectors do not exist here. */
export function readValue(message: Value): AttributeValue {
  const { kind } = message;
  if (kind.case === 'arrayValue') return kind.value.values.map(readElement);
  if (kind.case === 'vectorValue') throw invalidArgument('a filter compares no vectors');
  return kind.case === undefined ? null : readElement(message);
}

function readElement({ kind }: Value): Exclude<AttributeValue, null | Float32Array | readonly unknown[]> {
  switch (kind.case) {
    case 'stringValue':
    case 'intValue':
    case 'uintValue':
    case 'floatValue':
    case 'boolValue':
    case 'bytesValue':
    case 'datetimeValue':
      return kind.value;
    case 'uuidValue':
      if (kind.value.length !== 16) throw invalidArgument('a uuid has 16 bytes', { bytes: kind.value.length });
      return formatUuid(kind.value);
    case 'newValueOf':
      throw invalidArgument('$ref_new has a meaning as a whole value in conditions only', { attribute: kind.value });
    default:
      throw invalidArgument('a filter compares scalars and arrays of them', { found: kind.case ?? 'null' });
  }
}
