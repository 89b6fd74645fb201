import { type AttributeType, equalAttributeTypes, type ScalarType } from '@lagoon/format';
import {
  type AttributeIndex,
  gramKeysOf,
  type KeyRange,
  type SegmentColumn,
  type SegmentReader,
  valueKey,
} from '@lagoon/segment';
import type { FilterPlan, Operand, RangeOperator } from './query-plan.ts';
import { type RequiredText, requiredText } from './required-text.ts';

/** What is to be looked up of a filter in the indexes of one segment. */
export type FilterLookup =
  | { readonly kind: 'and' | 'or'; readonly filters: readonly FilterLookup[] }
  | { readonly kind: 'not'; readonly filter: FilterLookup }
  | { readonly kind: 'rows'; readonly rows: RowsLookup }
  | { readonly kind: 'candidates'; readonly rows: RowsLookup; readonly filter: FilterPlan }
  | { readonly kind: 'column'; readonly filter: FilterPlan };

export type RowsLookup =
  | { readonly kind: 'keys'; readonly index: IndexName; readonly keys: readonly Uint8Array[] }
  /** `isSingle`: no row has two values, so that the rows of a range are all but those of the others. */
  | { readonly kind: 'range'; readonly index: IndexName; readonly range: KeyRange; readonly isSingle: boolean }
  | { readonly kind: 'nulls'; readonly index: IndexName }
  | { readonly kind: 'all' | 'any'; readonly of: readonly RowsLookup[] };

/** An index of a segment, and a name for it among all of that segment. */
export interface IndexName {
  readonly name: string;
  readonly index: AttributeIndex;
}

/** Undefined: nothing is to be looked up. */
export function planLookup(reader: SegmentReader, filter: FilterPlan): FilterLookup | undefined {
  const planned = planNode(reader, filter);
  return planned.kind === 'column' ? undefined : planned;
}

/** Whether filters on the attribute's values need no column of it. */
export function hasValueIndex(reader: SegmentReader, attribute: string, type: AttributeType): boolean {
  return valueIndexOf(reader, attribute, type) !== undefined;
}

function planNode(reader: SegmentReader, filter: FilterPlan): FilterLookup {
  switch (filter.kind) {
    case 'and':
    case 'or': {
      const filters = filter.filters.map((inner) => planNode(reader, inner));
      const isColumn = filters.every(({ kind }) => kind === 'column');
      return isColumn ? { kind: 'column', filter } : { kind: filter.kind, filters };
    }
    case 'not': {
      const inner = planNode(reader, filter.filter);
      return inner.kind === 'column' ? { kind: 'column', filter } : { kind: 'not', filter: inner };
    }
    case 'missing':
    case 'any':
    case 'equalArray':
    case 'range':
    case 'elementRange':
      return planLeaf(reader, filter) ?? { kind: 'column', filter };
    case 'text':
      return planText(reader, filter) ?? { kind: 'column', filter };
    default:
      return { kind: 'column', filter };
  }
}

type Leaf = Extract<FilterPlan, { readonly kind: 'missing' | 'any' | 'equalArray' | 'range' | 'elementRange' }>;

function planLeaf(reader: SegmentReader, filter: Leaf): FilterLookup | undefined {
  const { type } = filter;
  const index = valueIndexOf(reader, filter.attribute, type);
  if (index === undefined || type.kind === 'vector') return undefined;
  const keysOf = (operands: readonly Operand[]): Uint8Array[] =>
    operands.map((operand) => valueKey(type.scalar, operand));
  switch (filter.kind) {
    case 'missing':
      return { kind: 'rows', rows: { kind: 'nulls', index } };
    case 'any':
      return { kind: 'rows', rows: { kind: 'keys', index, keys: keysOf(filter.operands) } };
    case 'equalArray': {
      const all = keysOf(filter.operands).map((key): RowsLookup => ({ kind: 'keys', index, keys: [key] }));
      return all.length === 0 ? undefined : { kind: 'candidates', rows: { kind: 'all', of: all }, filter };
    }
    case 'elementRange': {
      const range = keyRange(type.scalar, filter.operator, filter.operand);
      return { kind: 'rows', rows: { kind: 'range', index, range, isSingle: false } };
    }
    case 'range': {
      const range = keyRange(type.scalar, filter.operator, filter.operand);
      const rows: RowsLookup = { kind: 'range', index, range, isSingle: true };
      const withMissing = filter.operator === 'lt' || filter.operator === 'lte';
      return { kind: 'rows', rows: withMissing ? { kind: 'any', of: [rows, { kind: 'nulls', index }] } : rows };
    }
  }
}

/** Grams of one required text that are looked up at most: more rule out little. */
const gramCountMax = 12;

/** The rows whose texts have the grams that a match must have. */
function planText(
  reader: SegmentReader,
  filter: Extract<FilterPlan, { readonly kind: 'text' }>,
): FilterLookup | undefined {
  const column = columnNamed(reader, filter.attribute);
  const index = column && equalAttributeTypes(column.type, filter.type) ? reader.ngramIndex(column) : undefined;
  const required = index === undefined ? undefined : requiredText(filter.test);
  if (index === undefined || required === undefined) return undefined;
  const rows = gramsLookup({ name: `ngrams ${filter.attribute}`, index }, required);
  return rows && { kind: 'candidates', rows, filter };
}

/** Undefined: any row may be one, for a text has no gram. */
function gramsLookup(index: IndexName, required: RequiredText): RowsLookup | undefined {
  if (required.kind === 'text') {
    const keys = gramKeysOf(required.text).slice(0, gramCountMax);
    const of = keys.map((key): RowsLookup => ({ kind: 'keys', index, keys: [key] }));
    return of.length === 0 ? undefined : { kind: 'all', of };
  }
  const parts = required.of.map((part) => gramsLookup(index, part));
  const of = parts.filter((part) => part !== undefined);
  if (of.length === 0 || (required.kind === 'any' && of.length < parts.length)) return undefined;
  return { kind: required.kind, of };
}

function keyRange(scalar: ScalarType, operator: RangeOperator, operand: Operand): KeyRange {
  const key = valueKey(scalar, operand);
  switch (operator) {
    case 'lt':
    case 'lte':
      return { from: undefined, to: { key, inclusive: operator === 'lte' } };
    case 'gt':
    case 'gte':
      return { from: { key, inclusive: operator === 'gte' }, to: undefined };
  }
}

/** Undefined too where the segment's attribute has another type than the query's: then its column says so. */
function valueIndexOf(reader: SegmentReader, attribute: string, type: AttributeType): IndexName | undefined {
  const column = columnNamed(reader, attribute);
  if (column === undefined || !equalAttributeTypes(column.type, type)) return undefined;
  const index = reader.valueIndex(column);
  return index === undefined ? undefined : { name: `values ${attribute}`, index };
}

function columnNamed(reader: SegmentReader, attribute: string): SegmentColumn | undefined {
  return reader.footer.columns.find(({ name }) => name === attribute);
}
