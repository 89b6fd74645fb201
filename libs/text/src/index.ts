export { type Analyzer, createAnalyzer } from './analyzer.ts';
export type { AnalyzerConfig } from './analyzer-config.ts';
export { type Bm25Parameters, bm25Idf, bm25TermScore } from './bm25.ts';
export { encodeTextIndex, openTextIndex, type TermedTextIndex } from './stored-text.v1.ts';
export type { Postings, TextIndex } from './text-index.ts';
export {
  buildTextIndex,
  createTextIndexBuilder,
  type TextColumn,
  type TextIndexBuilder,
} from './text-index-builder.ts';
