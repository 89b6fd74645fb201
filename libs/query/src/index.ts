export {
  createQueryEngine,
  type LiveView,
  type QueryEngine,
  type QueryEngineDeps,
  type QueryEngineOptions,
} from './query-engine.ts';
export type { QueryResult, QueryStatistics, ResultAttribute, ResultRow } from './query-result.ts';
export {
  type ComparisonOperator,
  type ConsistencySpec,
  type Filter,
  type OrderKey,
  type Projection,
  type QuerySpec,
  queryLimits,
  type RankBy,
} from './query-spec.ts';
export { type SearchContextOptions, searchScratchBytes } from './search-context.ts';
export { createInlinePool, type SearchPool, type SearchRequest } from './search-pool.ts';
export { createWorkerPool, type WorkerPoolOptions } from './worker-pool.ts';
