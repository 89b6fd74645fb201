/** Bounds of what one query may ask, kept by whoever reads queries: the gateway, query nodes, the engine. */
export const queryLimits = {
  /** Queries that are answered at one generation. */
  queryCountMax: 16,
  filterDepthMax: 64,
  filterNodeCountMax: 10_000,
  /** Of one list; and of all lists of a filter together. */
  inValueCountMax: 10_000,
  filterValueCountMax: 100_000,
  /** Globs, regular expressions, fuzzy queries and token filters of one filter. */
  filterPatternCountMax: 64,
  patternBytesMax: 4 << 10,
  /** Instructions of a compiled regular expression. */
  regexSizeMax: 2_000,
  /** Instructions times bytes of one text. */
  regexStepsMax: 2 ** 30,
  fuzzyQueryCharCountMax: 256,
  editDistanceMax: 2,
  /** Steps of `max_edit_distance`. */
  editDistanceCountMax: 16,
  orderKeyCountMax: 8,
  aggregateCountMax: 32,
  groupKeyCountMax: 8,
  groupCountMax: 10_000,
  highlightCountMax: 16,
  /** Characters that one query highlights in. */
  highlightedLengthMax: 8 << 20,
  fragmentCountMax: 100,
  sparseEntryCountMax: 1_024,
  scoreDepthMax: 16,
  scoreNodeCountMax: 256,
  queryTextBytesMax: 16 << 10,
  /** Terms of a query text, repeated ones counted. */
  queryTermCountMax: 1_024,
} as const;
