import { invalidArgument } from '@lagoon/base';
import type { AttributeType, AttributeValue, Block, Schema } from '@lagoon/format';
import { type ComparisonOperator, createRowMatcher, type Filter, type FilterPlan, planFilter } from '@lagoon/query';
import { createBlockMatcher } from './block-matcher.ts';

/** A filter whose values may be those that the write gives to other attributes of the same document. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'not'; readonly condition: Condition }
  | {
      readonly kind: 'comparison';
      readonly attribute: string; // or 'id'
      readonly operator: ComparisonOperator;
      readonly values: readonly ConditionValue[];
    };

export type ConditionValue = AttributeValue | NewValueOf;

export interface NewValueOf {
  readonly newValueOf: string;
}

/** What the write makes of an attribute of the document in question; null: missing. */
export type NewValues = (attribute: string) => AttributeValue;

/** A filter without references, checked against the schema. */
export function planCondition(condition: Condition, schema: Schema): FilterPlan {
  return planFilter(
    schema,
    bind(condition, () => null),
  );
}

/** A condition checked against a schema. */
export interface CompiledCondition {
  matches(block: Block, row: number, newValues: NewValues): boolean;
}

/** `invalid_argument` for what does not fit the schema, whatever documents there are. */
export function compileCondition(condition: Condition, schema: Schema): CompiledCondition {
  const hasReferences = checkReferences(condition, schema);
  const sample = (attribute: string): AttributeValue => sampleOf(typeOf(schema, attribute));
  const plan = planFilter(schema, bind(condition, sample));
  if (hasReferences) {
    return {
      matches: (block, row, newValues) => createRowMatcher(block, planFilter(schema, bind(condition, newValues)))(row),
    };
  }
  return { matches: createBlockMatcher(plan) };
}

function checkReferences(condition: Condition, schema: Schema): boolean {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.conditions.filter((inner) => checkReferences(inner, schema)).length > 0;
    case 'not':
      return checkReferences(condition.condition, schema);
    case 'comparison': {
      const references = condition.values.filter(isReference);
      for (const { newValueOf } of references) typeOf(schema, newValueOf);
      return references.length > 0;
    }
  }
}

function bind(condition: Condition, newValues: NewValues): Filter {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return { kind: condition.kind, filters: condition.conditions.map((inner) => bind(inner, newValues)) };
    case 'not':
      return { kind: 'not', filter: bind(condition.condition, newValues) };
    case 'comparison':
      return bindComparison(condition, newValues);
  }
}

/** Without references a comparison is what it is; null as a bound stands for a value below all others. */
function bindComparison(condition: Extract<Condition, { readonly kind: 'comparison' }>, newValues: NewValues): Filter {
  const { kind, attribute, operator } = condition;
  const isList = operator === 'in' || operator === 'notIn';
  const values = condition.values.flatMap((value): AttributeValue[] => {
    if (!isReference(value)) return [value];
    const bound = newValues(value.newValueOf);
    return isList && Array.isArray(bound) ? (bound as AttributeValue[]) : [bound];
  });
  if (values[0] !== null || !condition.values.some(isReference)) return { kind, attribute, operator, values };
  switch (operator) {
    case 'lt':
      return { kind: 'or', filters: [] };
    case 'lte':
      return { kind, attribute, operator: 'eq', values };
    case 'gt':
    case 'gte':
      return { kind, attribute, operator: 'notEq', values };
    default:
      return { kind, attribute, operator, values };
  }
}

function isReference(value: ConditionValue): value is NewValueOf {
  return typeof value === 'object' && value !== null && 'newValueOf' in value;
}

function typeOf(schema: Schema, attribute: string): AttributeType {
  if (attribute === 'id') return { kind: 'scalar', scalar: schema.idKind === 'u64' ? 'uint' : schema.idKind };
  const found = schema.attributes.get(attribute);
  if (found === undefined) throw invalidArgument('unknown attribute in $ref_new', { attribute });
  return found.type;
}

/** Any value of the type: stands for those to come when types are checked. */
function sampleOf(type: AttributeType): AttributeValue {
  if (type.kind === 'array') return [];
  if (type.kind === 'vector') return new Float32Array(type.dims);
  switch (type.scalar) {
    case 'string':
      return '';
    case 'int':
    case 'uint':
    case 'datetime':
      return 0n;
    case 'float':
      return 0;
    case 'bool':
      return false;
    case 'uuid':
      return '00000000-0000-0000-0000-000000000000';
    case 'bytes':
      return new Uint8Array(0);
  }
}
