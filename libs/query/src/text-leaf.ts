import { type Bitmap, bitmapBytes, countBits, getBit } from '@lagoon/format';
import { bm25Idf, bm25Weight, createListCursor, gainOfRow, type ScoreList } from '@lagoon/text';
import { textOfBlock } from './block-text.ts';
import type { BlockLocation, JobBlock } from './job-block.ts';
import type { Bm25Plan } from './query-plan.ts';
import type { SearchContext } from './search-context.ts';
import { countInBitmap, type NamedTextIndex, type QueryTerm, type TextLists, termKey } from './text-lists.ts';

/** A BM25 clause over all blocks of a snapshot: the same weights everywhere, so scores do not depend on how rows lie. */
export interface TextLeaf {
  readonly terms: readonly LeafTerm[];
}

export interface LeafTerm {
  /** > 0 */
  readonly weight: number;
  /** By position of the block; undefined where no row of it has the term. */
  readonly lists: readonly (ScoreList | undefined)[];
}

/** One block's text, with the rows that miss the attribute. */
interface TextBlock extends NamedTextIndex {
  readonly location: BlockLocation;
  readonly nulls: Bitmap | undefined;
}

/**
 * Statistics are those of the live rows of all blocks that have the attribute, whatever the filter: exact, as stored minus what
 * dead rows hold, and remembered per block until another row of it dies.
 */
export function openTextLeaf(context: SearchContext, plan: Bm25Plan, blocks: readonly JobBlock[]): TextLeaf {
  const terms = termsOf(context, plan);
  const texts = blocks.map((block) => openTextBlock(context, plan, block));
  const { textLists } = context;
  let rowCount = 0;
  let totalLength = 0;
  for (const text of texts) {
    if (text === undefined) continue;
    const { index, nulls, location } = text;
    const isWhole = nulls === undefined && location.live === undefined;
    rowCount += isWhole ? index.rowCount : textLists.remember(`${liveName(text)} rows`, () => countRows(text));
    totalLength += isWhole ? index.totalLength : textLists.remember(`${liveName(text)} length`, () => sumLengths(text));
  }
  if (rowCount === 0) return { terms: [] };
  const norms = textLists.norms(totalLength / rowCount, plan.settings);
  return {
    terms: [...terms.values()].flatMap(({ count, ...term }) => {
      const lists = texts.map((text) => (text === undefined ? undefined : textLists.list(text, term, norms)));
      const frequency = lists.reduce((sum, list, i) => sum + liveCount(textLists, texts[i], term, list), 0);
      if (frequency === 0) return [];
      return [{ weight: bm25Weight(bm25Idf(rowCount, frequency), count, plan.settings), lists }];
    }),
  };
}

/** Distinct terms in the order of the query, with how often each is there. */
function termsOf(context: SearchContext, plan: Bm25Plan): Map<string, QueryTerm & { readonly count: number }> {
  const analyzer = context.textIndexes.analyzerOf(plan.settings);
  const texts = typeof plan.query === 'string' ? [plan.query] : plan.query;
  const terms = new Map<string, QueryTerm & { readonly count: number }>();
  const add = (term: string, prefix: string | undefined): void => {
    const key = termKey({ term, prefix });
    terms.set(key, { term, prefix, count: (terms.get(key)?.count ?? 0) + 1 });
  };
  const { words, prefix } = plan.lastAsPrefix
    ? analyzer.splitPrefix(texts)
    : { words: analyzer.tokenizeAll(texts), prefix: undefined };
  for (const term of words) add(term, undefined);
  if (prefix !== undefined) add(prefix.term ?? prefix.start, prefix.start);
  return terms;
}

function openTextBlock(
  context: SearchContext,
  { attribute, settings }: Bm25Plan,
  { location, block }: JobBlock,
): TextBlock | undefined {
  const text = textOfBlock(context, location, block, attribute, settings);
  return text && { ...text, location };
}

/** Rows of a block only ever die, so how many live says which. */
function liveName({ name, location }: TextBlock): string {
  return `${name} ${location.liveRowCount}`;
}

/** Live rows that have the attribute. */
function countRows({ index, nulls, location: { live } }: TextBlock): number {
  if (nulls === undefined) return live === undefined ? index.rowCount : countBits(live);
  if (live === undefined) return index.rowCount - countBits(nulls);
  let count = 0;
  for (let row = 0; row < index.rowCount; row++) if (getBit(live, row) && !getBit(nulls, row)) count++;
  return count;
}

/** Of the live rows; a row without the attribute has length 0. */
function sumLengths({ index, location: { live } }: TextBlock): number {
  if (live === undefined) return index.totalLength;
  let sum = 0;
  for (let row = 0; row < index.rowCount; row++) if (getBit(live, row)) sum += index.lengths[row] as number;
  return sum;
}

/** How many live rows hold the term: the stored count minus the dead ones, found by the shorter of both lists. */
function liveCount(
  textLists: TextLists,
  text: TextBlock | undefined,
  term: QueryTerm,
  list: ScoreList | undefined,
): number {
  if (text === undefined || list === undefined) return 0;
  const { live } = text.location;
  if (live === undefined) return list.count;
  return textLists.remember(`${liveName(text)} ${termKey(term)}`, () => {
    const deadCount = text.index.rowCount - text.location.liveRowCount;
    return deadCount < list.count ? list.count - countDead(list, live, text.index.rowCount) : countInBitmap(list, live);
  });
}

function countDead(list: ScoreList, live: Bitmap, rowCount: number): number {
  const cursor = createListCursor(list, 1);
  let count = 0;
  for (let at = 0; at < bitmapBytes(rowCount); at++) {
    if (live[at] === 0xff) continue;
    for (let row = 8 * at; row < Math.min(8 * at + 8, rowCount); row++) {
      if (!getBit(live, row) && gainOfRow(cursor, row) > 0) count++;
    }
  }
  return count;
}
