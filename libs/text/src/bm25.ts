/**
 * BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009) with the idf that is never
 * negative. All in f64. A row's score is the sum over the query's distinct terms, in the order of their first appearance:
 *
 *   Σ weight(t) · gain(f, length)      weight = idf(t) · (k1 + 1) · (k3 + 1) · q / (k3 + q), q times in the query
 *                                      gain   = 1 / (1 + k1 · (1 − b + b · length / averageLength) / f)
 *
 * which is the usual f / (f + …), written so that every rounding is monotone: a row with a higher frequency in a shorter text
 * never has a lower gain, not even in the last bit. Bounds made of gains are therefore exact.
 */
export interface Bm25Parameters {
  readonly k1: number;
  readonly b: number;
  readonly k3: number;
}

/** What of them decides the gains. */
export type Bm25NormParameters = Pick<Bm25Parameters, 'k1' | 'b'>;

/** `rowCount` live rows that have the attribute; `documentFrequency` of them hold the term. */
export function bm25Idf(rowCount: number, documentFrequency: number): number {
  return Math.log(1 + (rowCount - documentFrequency + 0.5) / (documentFrequency + 0.5));
}

/** What a term of a query weighs that is there `queryFrequency` times: once for one time, k3 + 1 times at most. */
export function bm25Weight(idf: number, queryFrequency: number, { k1, k3 }: Bm25Parameters): number {
  return idf * (k1 + 1) * (((k3 + 1) * queryFrequency) / (k3 + queryFrequency));
}

/** What the length of a text costs; ≥ 0. */
export function bm25Norm(length: number, averageLength: number, { k1, b }: Bm25NormParameters): number {
  return k1 * (1 - b + (b * length) / averageLength);
}

/** In (0, 1], for a frequency of at least 1. */
export function bm25Gain(frequency: number, norm: number): number {
  return 1 / (1 + norm / frequency);
}
