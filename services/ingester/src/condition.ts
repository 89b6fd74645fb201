import { invalidArgument } from '@lagoon/base';
import type { AttributeType, AttributeValue, Block, Schema } from '@lagoon/format';
import {
  type Comparison,
  createFilterContext,
  createRowMatcher,
  type Filter,
  planFilter,
  takesList,
} from '@lagoon/query';
import type { ConditionValue, NewValueOf } from '@lagoon/query-message';
import { createBlockMatcher } from './block-matcher.ts';

/** A filter whose values may be those that the write gives to other attributes of the same document. */
export type Condition = Filter<ConditionValue>;

/** What the write makes of an attribute of the document in question; null: missing. */
export type NewValues = (attribute: string) => AttributeValue;

/** A condition checked against a schema. */
export interface CompiledCondition {
  matches(block: Block, row: number, newValues: NewValues): boolean;
}

/** `invalid_argument` for what does not fit the schema, whatever documents there are; `path` is its field in the request. */
export function compileCondition(condition: Condition, schema: Schema, path: string): CompiledCondition {
  const hasReferences = checkReferences(condition, schema, path);
  const sample = (attribute: string): AttributeValue => sampleOf(typeOf(schema, attribute, path));
  const plan = planFilter(schema, bind(condition, sample), path);
  if (!hasReferences) return { matches: createBlockMatcher(plan) };
  const context = createFilterContext();
  return {
    matches: (block, row, newValues) =>
      createRowMatcher(context, block, planFilter(schema, bind(condition, newValues), path))(row),
  };
}

function checkReferences(condition: Condition, schema: Schema, path: string): boolean {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.filters.filter((inner, i) => checkReferences(inner, schema, `${path}[1][${i}]`)).length > 0;
    case 'not':
      return checkReferences(condition.filter, schema, `${path}[1]`);
    case 'comparison': {
      const references = condition.values.filter(isReference);
      for (const { newValueOf } of references) typeOf(schema, newValueOf, `${path}[2]`);
      return references.length > 0;
    }
    default:
      return false;
  }
}

function bind(condition: Condition, newValues: NewValues): Filter {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return { kind: condition.kind, filters: condition.filters.map((inner) => bind(inner, newValues)) };
    case 'not':
      return { kind: 'not', filter: bind(condition.filter, newValues) };
    case 'comparison':
      return bindComparison(condition, newValues);
    default:
      return condition;
  }
}

const nothing: Filter = { kind: 'or', filters: [] };

/** Without references a comparison is what it is; null as a bound stands for a value below all others, and is no element. */
function bindComparison(condition: Comparison<ConditionValue>, newValues: NewValues): Filter {
  const { kind, attribute, operator } = condition;
  const isList = takesList(operator);
  const values = condition.values.flatMap((value): AttributeValue[] => {
    if (!isReference(value)) return [value];
    const bound = newValues(value.newValueOf);
    if (isList && Array.isArray(bound)) return bound as AttributeValue[];
    return bound === null && (operator === 'containsAny' || operator === 'notContainsAny') ? [] : [bound];
  });
  if (values[0] !== null || !condition.values.some(isReference)) return { kind, attribute, operator, values };
  switch (operator) {
    case 'lt':
    case 'contains':
    case 'anyLt':
    case 'anyLte':
      return nothing;
    case 'notContains':
      return { kind: 'not', filter: nothing };
    case 'lte':
      return { kind, attribute, operator: 'eq', values };
    case 'gt':
    case 'gte':
      return { kind, attribute, operator: 'notEq', values };
    case 'anyGt':
    case 'anyGte':
      return hasElement(attribute);
    default:
      return { kind, attribute, operator, values };
  }
}

/** An array that is there and not empty. */
function hasElement(attribute: string): Filter {
  const differs = (value: AttributeValue): Filter => ({
    kind: 'comparison',
    attribute,
    operator: 'notEq',
    values: [value],
  });
  return { kind: 'and', filters: [differs(null), differs([])] };
}

function isReference(value: ConditionValue): value is NewValueOf {
  return typeof value === 'object' && value !== null && 'newValueOf' in value;
}

function typeOf(schema: Schema, attribute: string, path: string): AttributeType {
  if (attribute === 'id') return { kind: 'scalar', scalar: schema.idKind === 'u64' ? 'uint' : schema.idKind };
  const found = schema.attributes.get(attribute);
  if (found === undefined) throw invalidArgument(`${path}: unknown attribute in $ref_new`, { attribute });
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
    case 'entry':
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
