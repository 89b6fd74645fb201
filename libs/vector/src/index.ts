export type { Arena, ArenaBlock } from './arena.ts';
export type { Kernels, TopRows, VectorScan } from './kernels.ts';
export type { DistanceMetric } from './metric.ts';
