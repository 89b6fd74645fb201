import type { FullTextSearch } from '@lagoon/format';
import { type Analyzer, createAnalyzer, type TextIndex } from '@lagoon/text';
import type { FilterPlan, TextTest } from './query-plan.ts';
import type { RowBlock } from './row-ranks.ts';
import { compileTextTest, type TextMatcher } from './text-test.ts';
import { compileTokens, type TokenMatcher } from './token-matcher.ts';

/** What a filter is evaluated on: the rows of a block, and what lies beside it. */
export interface FilterTarget {
  readonly block: RowBlock;
  /** The index of a text attribute with these settings, and the rows that miss it; absent: texts are read. */
  readonly textOf?: (attribute: string, settings: FullTextSearch) => TextIndex | undefined;
}

export type TokensPlan = Extract<FilterPlan, { readonly kind: 'tokens' }>;

/** What the evaluation of one filter shares over its blocks and rows: every pattern is compiled once. */
export interface FilterContext {
  matcherOf(test: TextTest): TextMatcher;
  tokensOf(plan: TokensPlan): TokenMatcher;
  /** Called every few thousand rows: throws when nobody waits for the result any more. */
  checkCancelled(): void;
}

export interface FilterContextOptions {
  readonly analyzerOf?: (settings: FullTextSearch) => Analyzer;
  readonly checkCancelled?: () => void;
}

export function createFilterContext(options: FilterContextOptions = {}): FilterContext {
  const { analyzerOf = createAnalyzer, checkCancelled = () => {} } = options;
  const matchers = new Map<string, TextMatcher>(); // by what they do: a condition is planned for each of its rows
  const tokens = new Map<string, TokenMatcher>();
  return {
    matcherOf: (test) => {
      const key = JSON.stringify(test);
      let matcher = matchers.get(key);
      if (matcher === undefined) {
        matcher = compileTextTest(test);
        matchers.set(key, matcher);
      }
      return matcher;
    },
    tokensOf: (plan) => {
      const key = JSON.stringify(plan);
      let matcher = tokens.get(key);
      if (matcher === undefined) {
        matcher = compileTokens(plan, analyzerOf);
        tokens.set(key, matcher);
      }
      return matcher;
    },
    checkCancelled,
  };
}
