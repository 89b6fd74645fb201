import { invalidArgument, type LagoonError } from '@lagoon/base';
import { type AttributeSchema, type AttributeValue, formatAttributeType, type Schema } from '@lagoon/format';
import { describeValue, toIdOperand, toOperand } from './plan-value.ts';
import type { FilterPlan, Operand, RangeOperator } from './query-plan.ts';
import { type Filter, queryLimits } from './query-spec.ts';

type Comparison = Extract<Filter, { readonly kind: 'comparison' }>;

/** Checks a filter against the schema and types its operands; `invalid_argument` names what is wrong. */
export function planFilter(schema: Schema, filter: Filter): FilterPlan {
  const budget = { nodeCount: 0 };
  return planNode(schema, filter, 1, budget);
}

function planNode(schema: Schema, filter: Filter, depth: number, budget: { nodeCount: number }): FilterPlan {
  if (depth > queryLimits.filterDepthMax) {
    throw invalidArgument('filter is nested too deeply', { depthMax: queryLimits.filterDepthMax });
  }
  if (++budget.nodeCount > queryLimits.filterNodeCountMax) {
    throw invalidArgument('filter has too many conditions', { countMax: queryLimits.filterNodeCountMax });
  }
  switch (filter.kind) {
    case 'and':
    case 'or':
      return { kind: filter.kind, filters: filter.filters.map((inner) => planNode(schema, inner, depth + 1, budget)) };
    case 'not':
      return not(planNode(schema, filter.filter, depth + 1, budget));
    case 'comparison':
      return planComparison(schema, filter);
  }
}

function planComparison(schema: Schema, comparison: Comparison): FilterPlan {
  const { operator, values } = comparison;
  if (operator === 'in' || operator === 'notIn') {
    if (values.length > queryLimits.inValueCountMax) {
      throw invalidArgument('filter has too many values', {
        attribute: comparison.attribute,
        operator,
        count: values.length,
        countMax: queryLimits.inValueCountMax,
      });
    }
  } else if (values.length !== 1) {
    throw invalidArgument('operator takes one value', {
      attribute: comparison.attribute,
      operator,
      count: values.length,
    });
  }
  if (comparison.attribute === 'id') return planIdComparison(schema, comparison);
  const attribute = schema.attributes.get(comparison.attribute);
  if (attribute === undefined)
    throw invalidArgument('unknown attribute in a filter', { attribute: comparison.attribute });
  if (!attribute.filterable) throw invalidArgument('attribute is not filterable', { attribute: comparison.attribute });
  return planAttributeComparison(attribute, comparison);
}

function planAttributeComparison(attribute: AttributeSchema, comparison: Comparison): FilterPlan {
  const { type } = attribute;
  const name = comparison.attribute;
  const value = comparison.values[0] as AttributeValue;
  const missing: FilterPlan = { kind: 'missing', attribute: name, type };
  switch (comparison.operator) {
    case 'eq':
      return value === null ? missing : planEqual(attribute, comparison, value);
    case 'notEq':
      return not(value === null ? missing : planEqual(attribute, comparison, value));
    case 'in':
      return planIn(attribute, comparison, missing);
    case 'notIn':
      return not(planIn(attribute, comparison, missing));
    default: {
      if (type.kind !== 'scalar') throw mismatch(attribute, comparison, value);
      const operand = operandOf(attribute, comparison, value);
      return { kind: 'range', attribute: name, type, operator: comparison.operator, operand };
    }
  }
}

function planEqual(attribute: AttributeSchema, comparison: Comparison, value: AttributeValue): FilterPlan {
  const { type } = attribute;
  const name = comparison.attribute;
  if (type.kind === 'scalar') {
    return { kind: 'any', attribute: name, type, operands: [operandOf(attribute, comparison, value)] };
  }
  if (type.kind === 'vector' || !Array.isArray(value)) throw mismatch(attribute, comparison, value);
  const operands = (value as readonly AttributeValue[]).map((element) => {
    const operand = element === null ? undefined : toOperand(type.scalar, element);
    if (operand === undefined) throw mismatch(attribute, comparison, value);
    return operand;
  });
  return { kind: 'equalArray', attribute: name, type, operands };
}

/** Null among the values matches missing ones; on an array the others match any element. */
function planIn(attribute: AttributeSchema, comparison: Comparison, missing: FilterPlan): FilterPlan {
  const values = comparison.values.filter((value) => value !== null);
  const operands = values.map((value) => operandOf(attribute, comparison, value));
  const any: FilterPlan = { kind: 'any', attribute: comparison.attribute, type: attribute.type, operands };
  return values.length === comparison.values.length ? any : { kind: 'or', filters: [any, missing] };
}

function operandOf(attribute: AttributeSchema, comparison: Comparison, value: AttributeValue): Operand {
  const { type } = attribute;
  const operand = type.kind === 'vector' || value === null ? undefined : toOperand(type.scalar, value);
  if (operand === undefined) throw mismatch(attribute, comparison, value);
  return operand;
}

/** An id is never missing. */
function planIdComparison(schema: Schema, comparison: Comparison): FilterPlan {
  const { idKind } = schema;
  const values = comparison.values.filter((value) => value !== null);
  const operands = values.map((value) => {
    const operand = toIdOperand(idKind, value);
    if (operand === undefined) throw typeMismatch('id', comparison.operator, idKind, value);
    return operand;
  });
  const any: FilterPlan = operands.length === 0 ? { kind: 'none' } : { kind: 'idAny', idKind, operands };
  switch (comparison.operator) {
    case 'eq':
    case 'in':
      return any;
    case 'notEq':
    case 'notIn':
      return not(any);
    default:
      return planIdRange(schema, comparison.operator, operands[0]);
  }
}

function planIdRange(schema: Schema, operator: RangeOperator, operand: Operand | undefined): FilterPlan {
  if (operand === undefined) throw typeMismatch('id', operator, schema.idKind, null);
  return { kind: 'idRange', idKind: schema.idKind, operator, operand };
}

function not(filter: FilterPlan): FilterPlan {
  return filter.kind === 'not' ? filter.filter : { kind: 'not', filter };
}

function mismatch(attribute: AttributeSchema, comparison: Comparison, value: AttributeValue): LagoonError {
  return typeMismatch(comparison.attribute, comparison.operator, formatAttributeType(attribute.type), value);
}

function typeMismatch(attribute: string, operator: string, type: string, value: AttributeValue): LagoonError {
  return invalidArgument('filter value does not have the type of the attribute', {
    attribute,
    operator,
    attributeType: type,
    valueType: describeValue(value),
  });
}
