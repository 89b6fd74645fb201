export { fragmentUnits, offsetUnits } from '@lagoon/text';
export { checkFilter } from './check-filter.ts';
export { type CurrentRows, createCurrentRows, type RowSnapshot } from './current-rows.ts';
export {
  type Comparison,
  type ComparisonOperator,
  type EditDistance,
  type Filter,
  type PatternOperator,
  type TokenOperator,
  takesList,
} from './filter.ts';
export { createFilterContext, type FilterContext } from './filter-context.ts';
export { planFilter } from './plan-filter.ts';
export {
  createQueryEngine,
  type LiveView,
  type QueryEngine,
  type QueryEngineDeps,
  type QueryEngineOptions,
  type SampledVectors,
} from './query-engine.ts';
export type { FilterPlan } from './query-plan.ts';
export type { PlanStep, QueryResult, QueryStatistics, ResultAttribute, ResultRow } from './query-result.ts';
export type {
  ConsistencySpec,
  HighlightSpec,
  OrderKey,
  Projection,
  QuerySpec,
  RankBy,
  ValueSpec,
} from './query-spec.ts';
export { createRowMatcher, type RowMatcher } from './row-matcher.ts';
export type { ScoreExpression } from './score-expression.ts';
export { type SearchContextOptions, searchScratchBytes } from './search-context.ts';
export { createInlinePool, type SearchPool, type SearchRequest } from './search-pool.ts';
export { createTailIndex, type TailIndex } from './tail-index.ts';
export { createWorkerPool, type WorkerPoolOptions } from './worker-pool.ts';
