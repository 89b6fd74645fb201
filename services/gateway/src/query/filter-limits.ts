/** What the gateway reads of a filter at most; the other bounds are kept where its meaning is known. */
export const filterLimits = {
  depthMax: 64,
  nodeCountMax: 10_000,
  /** Of one list; of the whole filter. */
  valueCountMax: 10_000,
  totalValueCountMax: 100_000,
  tokenCountMax: 1_024,
  editDistanceCountMax: 16,
} as const;
