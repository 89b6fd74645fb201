import { invalidAt } from '@lagoon/base';
import type { AttributeValue } from '@lagoon/format';
import { queryLimits } from '@lagoon/format';
import {
  createAnalyzer,
  createOffsetConverter,
  findFragments,
  type HighlightTerms,
  highlightLengthMax,
  type TextRange,
} from '@lagoon/text';
import type { HighlightPlan } from './query-plan.ts';
import type { Highlighted, HighlightedFragment } from './query-result.ts';

/** Highlights one attribute of a row, given a way to its values. */
export type Highlighter = (read: (attribute: string) => AttributeValue) => Highlighted;

/** What one query may still look through: highlighting runs on the thread that accepts requests. */
export interface HighlightBudget {
  lengthLeft: number;
}

export function createHighlightBudget(): HighlightBudget {
  return { lengthLeft: queryLimits.highlightedLengthMax };
}

function spend(budget: HighlightBudget, text: string): void {
  budget.lengthLeft -= Math.min(text.length, highlightLengthMax);
  if (budget.lengthLeft >= 0) return;
  const max = queryLimits.highlightedLengthMax;
  throw invalidAt('compute_attributes', 'too much text to highlight: ask for fewer rows', { max });
}

/** Elements of an array are texts of their own: offsets are those in the element. */
export function createHighlighter(plan: HighlightPlan, budget: HighlightBudget): Highlighter {
  const { name, attribute, fragmentBy, fragmentLimit, offsetUnit } = plan;
  const analyzer = createAnalyzer(plan.settings);
  const wanted = wantedTerms(plan, analyzer);
  return (read) => {
    const value = read(attribute);
    const texts = typeof value === 'string' ? [value] : Array.isArray(value) ? (value as readonly string[]) : [];
    const fragments: HighlightedFragment[] = [];
    for (const text of texts) {
      if (fragments.length >= fragmentLimit) break;
      spend(budget, text);
      const convert = offsetUnit === undefined ? undefined : createOffsetConverter(text, offsetUnit);
      const toUnit = ([start, end]: TextRange): TextRange => [convert?.(start) ?? start, convert?.(end) ?? end];
      for (const found of findFragments(text, analyzer, wanted, fragmentBy, fragmentLimit - fragments.length)) {
        const { range, matches } = found;
        const offsets = convert === undefined ? {} : { range: toUnit(range), matches: matches.map(toUnit) };
        fragments.push({ text: text.slice(...range), ...offsets });
      }
    }
    return { name, fragments };
  };
}

function wantedTerms({ clauses }: HighlightPlan, analyzer: ReturnType<typeof createAnalyzer>): HighlightTerms {
  const terms = new Set<string>();
  const prefixes: string[] = [];
  for (const { query, lastAsPrefix } of clauses) {
    const texts = typeof query === 'string' ? [query] : query;
    if (!lastAsPrefix) {
      for (const term of analyzer.tokenizeAll(texts)) terms.add(term);
      continue;
    }
    const { words, prefix } = analyzer.splitPrefix(texts);
    for (const term of words) terms.add(term);
    if (prefix === undefined) continue;
    prefixes.push(prefix.start);
    if (prefix.term !== undefined) terms.add(prefix.term);
  }
  return { terms, prefixes };
}
