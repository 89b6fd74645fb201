import { invalidAt } from '@lagoon/base';
import { type FullTextSearch, queryLimits } from '@lagoon/format';
import { createAnalyzer } from '@lagoon/text';

/** `invalid_argument` at `path` where texts of a query have too many terms. No term has less than one character. */
export function checkTermCount(settings: FullTextSearch, texts: readonly string[], path: string): void {
  const { queryTermCountMax: countMax } = queryLimits;
  const chars = texts.reduce((sum, text) => sum + text.length, 0);
  if (chars <= countMax) return;
  const count = createAnalyzer(settings).tokenizeAll(texts).length;
  if (count > countMax) throw invalidAt(path, 'the text has too many terms', { count, countMax });
}
