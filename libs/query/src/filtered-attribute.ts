import { invalidAt } from '@lagoon/base';
import type { AttributeSchema, Schema } from '@lagoon/format';

/** `invalid_argument` where the schema has none of this name. */
export function filteredAttribute(schema: Schema, name: string, path: string): AttributeSchema {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw invalidAt(`${path}[0]`, 'unknown attribute in a filter', { attribute: name });
  return attribute;
}

/** The type of an id as the dialect names it. */
export const idTypeNames = { u64: 'uint', uuid: 'uuid', string: 'string' } as const;
