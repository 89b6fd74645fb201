import { invalidAt, type LagoonError } from '@lagoon/base';
import { type AttributeType, type AttributeValue, formatAttributeType, type Schema } from '@lagoon/format';
import { type Comparison, type ComparisonOperator, comparisonOperators, type Filter } from './filter.ts';
import { filteredAttribute, idTypeNames } from './filtered-attribute.ts';
import { planFuzzy, planPattern, planTokens } from './plan-text-filter.ts';
import { describeValue, toIdOperand, toOperand } from './plan-value.ts';
import type { FilterPlan, Operand, RangeOperator } from './query-plan.ts';

/**
 * Fits a filter that `checkFilter` let pass to the schema and types its operands; `invalid_argument` names the place, the
 * attribute, the operator and both types. `path` is where the filter stands in the request.
 */
export function planFilter(schema: Schema, filter: Filter, path: string): FilterPlan {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return {
        kind: filter.kind,
        filters: filter.filters.map((inner, i) => planFilter(schema, inner, `${path}[1][${i}]`)),
      };
    case 'not':
      return not(planFilter(schema, filter.filter, `${path}[1]`));
    case 'comparison':
      return planComparison(schema, filter, path);
    case 'pattern': {
      const plan = planPattern(schema, filter, path);
      return filter.operator === 'notGlob' || filter.operator === 'notIGlob' ? not(plan) : plan;
    }
    case 'fuzzy':
      return planFuzzy(schema, filter, path);
    case 'tokens':
      return planTokens(schema, filter, path);
  }
}

/** A comparison of an attribute of this type, and where it stands. */
interface Compared {
  readonly type: AttributeType;
  readonly comparison: Comparison;
  readonly path: string;
}

function planComparison(schema: Schema, comparison: Comparison, path: string): FilterPlan {
  if (comparison.attribute === 'id') return planIdComparison(schema, comparison, path);
  const attribute = filteredAttribute(schema, comparison.attribute, path);
  if (!attribute.filterable) {
    throw invalidAt(path, 'attribute is not filterable', { attribute: comparison.attribute });
  }
  return planAttributeComparison({ type: attribute.type, comparison, path });
}

const rangeOperators: { readonly [operator in ComparisonOperator]?: RangeOperator } = {
  lt: 'lt',
  lte: 'lte',
  gt: 'gt',
  gte: 'gte',
  anyLt: 'lt',
  anyLte: 'lte',
  anyGt: 'gt',
  anyGte: 'gte',
};

function planAttributeComparison(compared: Compared): FilterPlan {
  const { type, comparison } = compared;
  const { attribute, operator } = comparison;
  const value = comparison.values[0] as AttributeValue;
  const missing: FilterPlan = { kind: 'missing', attribute, type };
  switch (operator) {
    case 'eq':
      return value === null ? missing : planEqual(compared, value);
    case 'notEq':
      return not(value === null ? missing : planEqual(compared, value));
    case 'in':
      return planIn(compared, missing);
    case 'notIn':
      return not(planIn(compared, missing));
    case 'contains':
    case 'containsAny':
      return planContains(compared);
    case 'notContains':
    case 'notContainsAny':
      return not(planContains(compared));
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
    case 'anyLt':
    case 'anyLte':
    case 'anyGt':
    case 'anyGte': {
      const isAny = operator.startsWith('any');
      if (type.kind !== (isAny ? 'array' : 'scalar')) throw mismatch(compared, value);
      const range = {
        attribute,
        type,
        operator: rangeOperators[operator] ?? 'lt',
        operand: operandOf(compared, value),
      };
      return { kind: isAny ? 'elementRange' : 'range', ...range };
    }
  }
}

function planEqual(compared: Compared, value: AttributeValue): FilterPlan {
  const { type, comparison } = compared;
  const { attribute } = comparison;
  if (type.kind === 'scalar') return { kind: 'any', attribute, type, operands: [operandOf(compared, value)] };
  if (type.kind === 'vector' || !Array.isArray(value)) throw mismatch(compared, value);
  const operands = (value as readonly AttributeValue[]).map((element) => {
    const operand = element === null ? undefined : toOperand(type.scalar, element);
    if (operand === undefined) throw mismatch(compared, value);
    return operand;
  });
  return { kind: 'equalArray', attribute, type, operands };
}

/** Null among the values matches missing ones; on an array the others match any element. */
function planIn(compared: Compared, missing: FilterPlan): FilterPlan {
  const { type, comparison } = compared;
  const values = comparison.values.filter((value) => value !== null);
  const operands = values.map((value) => operandOf(compared, value));
  const any: FilterPlan = { kind: 'any', attribute: comparison.attribute, type, operands };
  return values.length === comparison.values.length ? any : { kind: 'or', filters: [any, missing] };
}

/** No element is null, so null is no value here. */
function planContains(compared: Compared): FilterPlan {
  const { type, comparison } = compared;
  const [first = null] = comparison.values;
  if (type.kind !== 'array') throw mismatch(compared, first);
  const operands = comparison.values.map((value) => operandOf(compared, value));
  return { kind: 'any', attribute: comparison.attribute, type, operands };
}

function operandOf(compared: Compared, value: AttributeValue): Operand {
  const { type } = compared;
  const operand = type.kind === 'vector' || value === null ? undefined : toOperand(type.scalar, value);
  if (operand === undefined) throw mismatch(compared, value);
  return operand;
}

/** An id is never missing, and no array. */
function planIdComparison(schema: Schema, comparison: Comparison, path: string): FilterPlan {
  const { idKind } = schema;
  const { operator } = comparison;
  const values = comparison.values.filter((value) => value !== null);
  const operands = values.map((value) => {
    const operand = toIdOperand(idKind, value);
    if (operand === undefined) throw typeMismatch(comparison, path, idTypeNames[idKind], value);
    return operand;
  });
  const any: FilterPlan = operands.length === 0 ? { kind: 'none' } : { kind: 'idAny', idKind, operands };
  switch (operator) {
    case 'eq':
    case 'in':
      return any;
    case 'notEq':
    case 'notIn':
      return not(any);
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte': {
      const [operand] = operands;
      if (operand === undefined) throw typeMismatch(comparison, path, idTypeNames[idKind], null);
      return { kind: 'idRange', idKind, operator, operand };
    }
    default:
      throw typeMismatch(comparison, path, idTypeNames[idKind], comparison.values[0] ?? null);
  }
}

function not(filter: FilterPlan): FilterPlan {
  return filter.kind === 'not' ? filter.filter : { kind: 'not', filter };
}

function mismatch({ type, comparison, path }: Compared, value: AttributeValue): LagoonError {
  return typeMismatch(comparison, path, formatAttributeType(type), value);
}

function typeMismatch(comparison: Comparison, path: string, type: string, value: AttributeValue): LagoonError {
  const { attribute, operator } = comparison;
  return invalidAt(`${path}[2]`, 'filter value does not have the type that the operator needs', {
    attribute,
    operator: comparisonOperators[operator],
    attributeType: type,
    valueType: describeValue(value),
  });
}
