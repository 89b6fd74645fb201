export { type Analyzer, createAnalyzer } from './analyzer.ts';
export type { AnalyzerConfig } from './analyzer-config.ts';
export { type Bm25NormParameters, type Bm25Parameters, bm25Gain, bm25Idf, bm25Norm, bm25Weight } from './bm25.ts';
export {
  createOffsetConverter,
  type FragmentUnit,
  findFragments,
  fragmentUnits,
  type HighlightTerms,
  highlightLengthMax,
  type OffsetUnit,
  offsetUnits,
  type TextRange,
} from './highlight.ts';
export { createListCursor, forEachRowInWindow, gainOfRow, type ListCursor, moveToWindow } from './list-cursor.ts';
export { createMaxScore, type MaxScore, type RowSink } from './max-score.ts';
export { nextUp } from './next-up.ts';
export { cutPostings, type PostingsBlocks } from './postings-blocks.ts';
export { type Bm25Norms, createBm25List, createBm25Norms, type ScoreList } from './score-list.ts';
export { buildSparseIndex, type SparseIndex, type SparseList } from './sparse-index.ts';
export { encodeTextIndex, openTextIndex, type TermedTextIndex } from './stored-text.v1.ts';
export type { Postings, TextIndex } from './text-index.ts';
export {
  buildTextIndex,
  createTextIndexBuilder,
  type TextColumn,
  type TextIndexBuilder,
} from './text-index-builder.ts';
export { createTextIndexSpool, type TextIndexSpool } from './text-index-spool.ts';
