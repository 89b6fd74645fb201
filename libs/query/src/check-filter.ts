import { inPlace, invalidAt, utf8Encode } from '@lagoon/base';
import { queryLimits as limits } from '@lagoon/format';
import {
  type Comparison,
  comparisonOperators,
  type Filter,
  type FuzzyFilter,
  type PatternFilter,
  type TokenFilter,
  takesList,
} from './filter.ts';
import { allowedDistance } from './fuzzy.ts';
import type { TextTest } from './query-plan.ts';
import { compileTextTest } from './text-test.ts';

/**
 * Checks what of a filter no schema decides: its size, and that its patterns compile. `path` is where the filter stands in the
 * request; errors name the place in it as the array that the dialect writes.
 */
export function checkFilter<V>(filter: Filter<V>, path: string): void {
  checkNode(filter, path, 1, { nodeCount: 0, valueCount: 0, patternCount: 0 });
}

interface Budget {
  nodeCount: number;
  valueCount: number;
  patternCount: number;
}

function checkNode<V>(filter: Filter<V>, path: string, depth: number, budget: Budget): void {
  if (depth > limits.filterDepthMax) {
    throw invalidAt(path, 'the filter is nested too deeply', { depthMax: limits.filterDepthMax });
  }
  if (++budget.nodeCount > limits.filterNodeCountMax) {
    throw invalidAt(path, 'the filter has too many parts', { countMax: limits.filterNodeCountMax });
  }
  switch (filter.kind) {
    case 'and':
    case 'or':
      for (const [i, inner] of filter.filters.entries()) checkNode(inner, `${path}[1][${i}]`, depth + 1, budget);
      return;
    case 'not':
      checkNode(filter.filter, `${path}[1]`, depth + 1, budget);
      return;
    case 'comparison':
      checkValueCount(filter, `${path}[2]`, budget);
      return;
    default:
      if (++budget.patternCount > limits.filterPatternCountMax) {
        throw invalidAt(path, 'the filter has too many patterns', { countMax: limits.filterPatternCountMax });
      }
      checkPattern(filter, path);
  }
}

function checkValueCount<V>(comparison: Comparison<V>, path: string, budget: Budget): void {
  const { attribute, values } = comparison;
  const operator = comparisonOperators[comparison.operator];
  const count = values.length;
  if (!takesList(comparison.operator) && count !== 1) {
    throw invalidAt(path, 'the operator takes one value', { attribute, operator, count });
  }
  if (count > limits.inValueCountMax) {
    throw invalidAt(path, 'too many values', { attribute, operator, count, countMax: limits.inValueCountMax });
  }
  budget.valueCount += count;
  if (budget.valueCount > limits.filterValueCountMax) {
    throw invalidAt(path, 'the filter has too many values', { countMax: limits.filterValueCountMax });
  }
}

function checkPattern(filter: PatternFilter | FuzzyFilter | TokenFilter, path: string): void {
  const where = `${path}[2]`;
  switch (filter.kind) {
    case 'pattern':
      checkBytes(filter.pattern, limits.patternBytesMax, where);
      inPlace(`${where}: `, () => compileTextTest(testOfPattern(filter)));
      return;
    case 'fuzzy':
      checkFuzzy(filter, path);
      return;
    case 'tokens':
      checkBytes(filter.texts.join(''), limits.queryTextBytesMax, where);
      if (filter.texts.length > limits.queryTermCountMax) {
        throw invalidAt(where, 'too many tokens', { count: filter.texts.length, countMax: limits.queryTermCountMax });
      }
  }
}

function checkBytes(text: string, bytesMax: number, path: string): void {
  const bytes = utf8Encode(text).length;
  if (bytes > bytesMax) throw invalidAt(path, 'the text is too long', { bytes, bytesMax });
}

function checkFuzzy({ query, maxEditDistance: steps }: FuzzyFilter, path: string): void {
  const charCount = countChars(query);
  if (charCount > limits.fuzzyQueryCharCountMax) {
    throw invalidAt(`${path}[2]`, 'the text is too long', {
      chars: charCount,
      charsMax: limits.fuzzyQueryCharCountMax,
    });
  }
  const where = `${path}[3].max_edit_distance`;
  if (steps.length === 0 || steps.length > limits.editDistanceCountMax) {
    throw invalidAt(where, `expected 1 to ${limits.editDistanceCountMax} steps`, { count: steps.length });
  }
  const seen = new Set<number>();
  for (const [i, { distance, minQueryChars }] of steps.entries()) {
    if (!(Number.isInteger(distance) && distance >= 0 && distance <= limits.editDistanceMax)) {
      throw invalidAt(`${where}[${i}].distance`, `expected 0 to ${limits.editDistanceMax}`, { found: distance });
    }
    const min = 3 * (distance + 1);
    if (!(Number.isInteger(minQueryChars) && minQueryChars >= min)) {
      throw invalidAt(`${where}[${i}].min_query_chars`, 'expected at least 3 * (distance + 1)', {
        found: minQueryChars,
        min,
      });
    }
    if (seen.has(minQueryChars)) {
      throw invalidAt(`${where}[${i}].min_query_chars`, 'two steps begin at the same length', {
        found: minQueryChars,
      });
    }
    seen.add(minQueryChars);
  }
}

export function testOfPattern({ operator, pattern }: PatternFilter): TextTest {
  if (operator === 'regex') return { kind: 'regex', pattern };
  return { kind: 'glob', pattern, ignoresCase: operator === 'iGlob' || operator === 'notIGlob' };
}

/** Undefined where the query is too short to match anything. */
export function testOfFuzzy({ query, maxEditDistance, caseSensitive }: FuzzyFilter): TextTest | undefined {
  const distance = allowedDistance(countChars(query), maxEditDistance);
  return distance === undefined ? undefined : { kind: 'fuzzy', query, distance, ignoresCase: !caseSensitive };
}

function countChars(text: string): number {
  let count = 0;
  for (const _char of text) count++;
  return count;
}
