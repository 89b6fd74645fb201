export type { BuildPool } from './build-pool.ts';
export { type CompactorConfig, defaultCompactorConfig } from './config.ts';
export { type GcConfig, resolveGcConfig } from './gc/gc-config.ts';
export { createGcJob, type GcJob } from './gc/gc-job.ts';
export type { GcReport, Tally } from './gc/report.ts';
export { type CompactorDeps, type CompactorRole, createCompactorRole } from './role.ts';
export { createWorkerBuildPool, type WorkerBuildPoolOptions } from './worker-build-pool.ts';
