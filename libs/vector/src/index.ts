export type { Arena, ArenaBlock, ScratchRegion } from './arena.ts';
export { inverseNorm } from './inverse-norm.ts';
export { type BuildExecutor, createInlineExecutor, createThreadExecutor } from './ivf/build-executor.ts';
export { buildIvf } from './ivf/build-ivf.ts';
export type {
  IvfBudgets,
  IvfBuildOptions,
  IvfIndex,
  IvfRows,
  LeafBlock,
  LeafSearch,
  ListCandidates,
  ListCode,
  ListCodec,
  ListScorer,
  ListSearch,
  NearestLeaves,
  ProbedLists,
  RowDistances,
  ScorerMemory,
} from './ivf/contract.ts';
export { fromHalves } from './ivf/half-float.ts';
export { listBytes } from './ivf/list-layout.ts';
export { createListScorer } from './ivf/list-scorer.ts';
export { createScalarListScorer } from './ivf/scalar-list-scorer.ts';
export { listScratchBytes } from './ivf/scorer-scratch.ts';
export type { Kernels, TopRows, VectorScan } from './kernels.ts';
export type { DistanceMetric } from './metric.ts';
export { createScalarKernels } from './scalar-kernels.ts';
export { type ArenaOptions, createArena } from './shared-arena.ts';
export { kernelDimsMax, kernelTopMax } from './vector-scan.ts';
export { createKernels, loadKernelModule, scratchBytes } from './wasm-kernels.ts';
