export { type QueryConfig, queryConfigDefaults } from './config.ts';
export { createQueryRole, type QueryDeps, type QueryRole } from './role.ts';
