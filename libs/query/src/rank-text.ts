import { corrupt, invalidArgument } from '@lagoon/base';
import { type Bitmap, bitmapBytes, getBit, isNull } from '@lagoon/format';
import { bm25Idf, bm25TermScore, type Postings, type TextIndex } from '@lagoon/text';
import { type BlockLocation, createIdOrder, type JobBlock, type SearchOutcome } from './job-block.ts';
import type { RankPlan } from './query-plan.ts';
import { queryLimits } from './query-spec.ts';
import type { SearchContext } from './search-context.ts';
import type { StoredText } from './stored-segment.ts';
import { termsKey } from './text-index-cache.ts';
import { createTopRows } from './top-rows.ts';

type TextPlan = Extract<RankPlan, { readonly kind: 'text' }>;

/** A block with its text index. */
interface TextBlock {
  readonly position: number;
  readonly index: TextIndex;
  readonly nulls: Bitmap | undefined;
  readonly live: Bitmap | undefined;
  readonly admitted: Bitmap | undefined;
}

/** Of the live rows of the whole namespace that have the attribute, whatever the filter. */
interface Statistics {
  readonly rowCount: number;
  readonly averageLength: number;
}

/**
 * BM25 over one field. Statistics are summed over all blocks first, dead rows left out, so scores do not depend on how rows are
 * spread; each row's score is summed in the query's term order, in f64. Rows that score 0 are left out.
 */
export function rankByText(
  context: SearchContext,
  plan: TextPlan,
  limit: number,
  blocks: readonly JobBlock[],
): SearchOutcome {
  const terms = context.textIndexes.analyzerOf(plan.settings).tokenize(plan.query);
  if (terms.length > queryLimits.queryTermCountMax) {
    throw invalidArgument('query text has too many terms', {
      attribute: plan.attribute,
      count: terms.length,
      countMax: queryLimits.queryTermCountMax,
    });
  }
  const texts = indexBlocks(context, plan, blocks);
  const statistics = sumStatistics(texts);
  const postings = texts.map(({ index }) => new Map(terms.map((term) => [term, index.postings(term)])));
  const idfs = new Map(
    [...new Set(terms)].map((term) => {
      const frequency = texts.reduce((sum, text, i) => sum + liveCount(postings[i]?.get(term), text.live), 0);
      return [term, bm25Idf(statistics.rowCount, frequency)] as const;
    }),
  );
  const top = createTopRows(limit, createIdOrder(blocks));
  const scorer = createScorer(Math.max(0, ...texts.map(({ index }) => index.rowCount)));
  let scoredRowCount = 0;
  for (const [i, text] of texts.entries()) {
    for (const term of terms) {
      const found = postings[i]?.get(term);
      if (found !== undefined) scorer.add(text, found, idfs.get(term) ?? 0, statistics.averageLength, plan.settings);
    }
    scoredRowCount += scorer.take((row, score) => top.offer(-score, text.position, row));
  }
  const ranked = top.takeSorted();
  return { top: { ...ranked, scores: ranked.scores.map((score) => -score) }, scoredRowCount };
}

function indexBlocks(context: SearchContext, plan: TextPlan, blocks: readonly JobBlock[]): TextBlock[] {
  const texts: TextBlock[] = [];
  for (const [position, { location, block, admitted }] of blocks.entries()) {
    const stored = location.segment?.texts.find(({ attribute }) => attribute === plan.attribute);
    if (stored !== undefined && termsKey(stored.settings) === termsKey(plan.settings)) {
      texts.push({ position, ...openStored(context, location, stored), live: location.live, admitted });
      continue;
    }
    const column = block.columns.get(plan.attribute)?.column;
    if (column === undefined) continue;
    if (column.kind === 'vector')
      throw corrupt('column with full_text_search is a vector', { attribute: plan.attribute });
    const index = context.textIndexes.indexOf(
      location.contentId,
      plan.attribute,
      plan.settings,
      block.rowCount,
      column,
    );
    texts.push({ position, index, nulls: column.nulls, live: location.live, admitted });
  }
  return texts;
}

/** An index that was stored with its segment, and the rows that miss the attribute. */
function openStored(
  context: SearchContext,
  location: BlockLocation,
  text: StoredText,
): Pick<TextBlock, 'index' | 'nulls'> {
  const index = context.openText(location, text);
  if (!text.hasNulls) return { index, nulls: undefined };
  return { index, nulls: context.bytesAt(text).subarray(text.indexSize, text.indexSize + bitmapBytes(index.rowCount)) };
}

function sumStatistics(texts: readonly TextBlock[]): Statistics {
  let rowCount = 0;
  let totalLength = 0;
  for (const { index, nulls, live } of texts) {
    if (live === undefined && nulls === undefined) {
      rowCount += index.rowCount;
      totalLength += index.totalLength;
      continue;
    }
    for (let row = 0; row < index.rowCount; row++) {
      if ((live !== undefined && !getBit(live, row)) || isNull(nulls, row)) continue;
      rowCount++;
      totalLength += index.lengths[row] as number;
    }
  }
  return { rowCount, averageLength: rowCount === 0 ? 0 : totalLength / rowCount };
}

function liveCount(postings: Postings | undefined, live: Bitmap | undefined): number {
  if (postings === undefined) return 0;
  if (live === undefined) return postings.rows.length;
  let count = 0;
  for (let i = 0; i < postings.rows.length; i++) if (getBit(live, postings.rows[i] as number)) count++;
  return count;
}

/** Sums scores per row of one block at a time; only rows that were touched are looked at again. */
interface Scorer {
  add(text: TextBlock, postings: Postings, idf: number, averageLength: number, settings: TextPlan['settings']): void;
  /** Calls back with every touched row and forgets it; returns how many they were. */
  take(visit: (row: number, score: number) => void): number;
}

function createScorer(rowCountMax: number): Scorer {
  const scores = new Float64Array(rowCountMax);
  const touched = new Uint32Array(rowCountMax);
  let touchedCount = 0;
  return {
    add: ({ index, admitted }, { rows, frequencies }, idf, averageLength, settings) => {
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i] as number;
        if (admitted !== undefined && !getBit(admitted, row)) continue;
        const score = bm25TermScore(
          idf,
          frequencies[i] as number,
          index.lengths[row] as number,
          averageLength,
          settings,
        );
        if (scores[row] === 0) touched[touchedCount++] = row; // an added score is above 0
        (scores[row] as number) += score;
      }
    },
    take: (visit) => {
      const count = touchedCount;
      for (let i = 0; i < count; i++) {
        const row = touched[i] as number;
        visit(row, scores[row] as number);
        scores[row] = 0;
      }
      touchedCount = 0;
      return count;
    },
  };
}
