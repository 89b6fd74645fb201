import { corrupt, type LagoonError } from '@lagoon/base';
import type { Column, FullTextSearch } from '@lagoon/format';
import { type Analyzer, buildTextIndex, createAnalyzer, type TextIndex } from '@lagoon/text';

/**
 * Text indexes of the blocks that one thread has searched, built at their first use; by content, so an index outlives the place
 * of its block. Least recently used ones go when the bytes are past the bound, the newest never.
 */
export interface TextIndexCache {
  indexOf(contentId: string, attribute: string, settings: FullTextSearch, rowCount: number, column: Column): TextIndex;
  analyzerOf(settings: FullTextSearch): Analyzer;
  /** See `termsKey`; remembered, for plans and blocks of one schema share their settings. */
  termsKeyOf(settings: FullTextSearch): string;
}

/** Settings differ per attribute, and attributes are few. */
const analyzerCountMax = 256;

export function createTextIndexCache(bytesMax: number): TextIndexCache {
  const indexes = new Map<string, TextIndex>(); // least recently used first
  const analyzers = new Map<string, Analyzer>();
  const keys = new WeakMap<FullTextSearch, string>();
  let bytes = 0;

  const termsKeyOf = (settings: FullTextSearch): string => {
    const known = keys.get(settings);
    if (known !== undefined) return known;
    const key = termsKey(settings);
    keys.set(settings, key);
    return key;
  };
  const analyzerOf = (settings: FullTextSearch): Analyzer => {
    const key = termsKeyOf(settings);
    const known = analyzers.get(key);
    if (known !== undefined) return known;
    if (analyzers.size >= analyzerCountMax) analyzers.clear();
    const analyzer = createAnalyzer(settings);
    analyzers.set(key, analyzer);
    return analyzer;
  };
  const shrink = (): void => {
    for (const [key, index] of indexes) {
      if (bytes <= bytesMax || indexes.size === 1) return;
      indexes.delete(key);
      bytes -= index.memoryBytes;
    }
  };
  return {
    analyzerOf,
    termsKeyOf,
    indexOf: (contentId, attribute, settings, rowCount, column) => {
      const key = `${contentId}\n${attribute}\n${termsKeyOf(settings)}`;
      const known = indexes.get(key);
      if (known !== undefined) {
        indexes.delete(key);
        indexes.set(key, known);
        return known;
      }
      const index = buildTextIndex(analyzerOf(settings), textColumn(rowCount, column));
      indexes.set(key, index);
      bytes += index.memoryBytes;
      shrink();
      return index;
    },
  };
}

/** What decides the terms; k1 and b do not. */
export function termsKey(settings: FullTextSearch): string {
  const { tokenizer, language, stemming, removeStopwords, caseSensitive, asciiFolding, maxTokenLength } = settings;
  return JSON.stringify([tokenizer, language, stemming, removeStopwords, caseSensitive, asciiFolding, maxTokenLength]);
}

function textColumn(rowCount: number, column: Column): Parameters<typeof buildTextIndex>[1] {
  if (column.kind === 'scalar' && column.scalar === 'string') {
    return { rowCount, offsets: column.offsets, bytes: column.bytes };
  }
  if (column.kind === 'array' && column.elements.scalar === 'string') {
    return { rowCount, offsets: column.elements.offsets, bytes: column.elements.bytes, rowOffsets: column.rowOffsets };
  }
  throw invalidText(column);
}

function invalidText(column: Column): LagoonError {
  return corrupt('column with full_text_search holds no strings', { kind: column.kind });
}
