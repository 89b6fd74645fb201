/**
 * BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009) with the idf that is never
 * negative. All in f64. A row's score is the sum over the query's terms, in their order, repeated terms repeated:
 *
 *   Σ idf(t) · f · (k1 + 1) / (f + k1 · (1 − b + b · length / averageLength))
 */
export interface Bm25Parameters {
  readonly k1: number;
  readonly b: number;
}

/** `rowCount` live rows that have the attribute; `documentFrequency` of them hold the term. */
export function bm25Idf(rowCount: number, documentFrequency: number): number {
  return Math.log(1 + (rowCount - documentFrequency + 0.5) / (documentFrequency + 0.5));
}

/** What one term adds to the score of a row: `frequency` times in a text of `length` terms. 0 for frequency 0. */
export function bm25TermScore(
  idf: number,
  frequency: number,
  length: number,
  averageLength: number,
  { k1, b }: Bm25Parameters,
): number {
  if (frequency === 0) return 0;
  return (idf * frequency * (k1 + 1)) / (frequency + k1 * (1 - b + (b * length) / averageLength));
}
