/** Models that score texts against a query, outside of Lagoon; named by the server's configuration. */
export interface Reranker {
  /** Names of the configured models. */
  readonly models: readonly string[];
  /**
   * A score per text, higher is better; undefined for a text that the model left out. At most `rerankLimits` of them. Throws
   * `unavailable` when the model fails, answers nonsense, or not in time.
   */
  score(
    model: string,
    query: string,
    texts: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly (number | undefined)[]>;
}

export const noReranker: Reranker = {
  models: [],
  score: () => Promise.reject(new Error('no model is configured')),
};

export const rerankLimits = {
  /** Rows of the fused list that a model sees. */
  documentCountMax: 1_000,
  queryBytesMax: 16 << 10,
  /** Of their texts together; past it the fused order stands. */
  textBytesMax: 32 << 20,
  answerBytesMax: 4 << 20,
} as const;
