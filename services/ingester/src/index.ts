export { defaultIngesterConfig, type IngesterConfig } from './config.ts';
export { createIngesterRole, type IngesterDeps, type IngesterRole } from './role.ts';
