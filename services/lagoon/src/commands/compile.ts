import type { Command } from './command.ts';

/**
 * For `make build` and images, not listed in the help: loads every module that a server loads, so that they lie compiled in the cache that
 * the launcher names. Without it the first start after an install holds the TypeScript stripper in memory, some 50 MB, and takes longer.
 */
export const compileCommand: Command = {
  declare: (program) => {
    program.command('compile', { hidden: true }).action(async () => {
      await Promise.all([
        import('../server/start-server.ts'),
        import('@lagoon/gateway'),
        import('@lagoon/ingester'),
        import('@lagoon/compactor'),
        import('@lagoon/query-service'),
        import('@lagoon/object-store'),
      ]);
    });
  },
};
