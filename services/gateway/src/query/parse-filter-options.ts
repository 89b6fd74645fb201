import { queryLimits } from '@lagoon/format';
import { asArray, asBoolean, asInteger, asObject, at, refuseUnknownFields, wrongValue } from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';

export interface FuzzyOptions {
  readonly maxEditDistance: { readonly minQueryChars: number; readonly distance: number }[];
  readonly caseSensitive: boolean;
}

const fuzzyFields = new Set(['max_edit_distance', 'case_sensitive']);
const stepFields = new Set(['min_query_chars', 'distance']);
const charsMax = 1 << 20;

/** Reads `{max_edit_distance: [{min_query_chars, distance}], case_sensitive?}`. */
export function parseFuzzyOptions(value: unknown, path: string): FuzzyOptions {
  const options = asObject(value, path);
  refuseUnknownFields(options, path, fuzzyFields);
  const where = at(path, 'max_edit_distance');
  const steps = asArray(options.max_edit_distance, where, 'an array of {min_query_chars, distance}');
  if (steps.length === 0 || steps.length > queryLimits.editDistanceCountMax) {
    throw wrongValue(where, `expected 1 to ${queryLimits.editDistanceCountMax} steps`, { found: steps.length });
  }
  return {
    maxEditDistance: steps.map((step, index) => parseStep(step, `${where}[${index}]`)),
    caseSensitive: isGiven(options.case_sensitive)
      ? asBoolean(options.case_sensitive, at(path, 'case_sensitive'))
      : true,
  };
}

function parseStep(value: unknown, path: string): FuzzyOptions['maxEditDistance'][number] {
  const step = asObject(value, path);
  refuseUnknownFields(step, path, stepFields);
  const distance = asInteger(step.distance, at(path, 'distance'), 0, queryLimits.editDistanceMax);
  const minQueryChars = asInteger(step.min_query_chars, at(path, 'min_query_chars'), 3 * (distance + 1), charsMax);
  return { minQueryChars, distance };
}

const tokenFields = new Set(['last_as_prefix']);

/** Reads `{last_as_prefix?}`, or nothing. */
export function parseTokenOptions(value: unknown, path: string): { readonly lastAsPrefix: boolean } {
  if (!isGiven(value)) return { lastAsPrefix: false };
  const options = asObject(value, path);
  refuseUnknownFields(options, path, tokenFields);
  const { last_as_prefix: flag } = options;
  return { lastAsPrefix: isGiven(flag) ? asBoolean(flag, at(path, 'last_as_prefix')) : false };
}
