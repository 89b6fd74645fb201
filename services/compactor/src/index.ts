export { type CompactorConfig, defaultCompactorConfig } from './config.ts';
export { type CompactorDeps, type CompactorRole, createCompactorRole } from './role.ts';
