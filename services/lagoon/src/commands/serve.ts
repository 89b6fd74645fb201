import { toServerConfig } from '../config/server-config.ts';
import { settingNames } from '../config/settings.ts';
import type { Command } from './command.ts';
import { addSettingFlags, readSettings } from './settings-flags.ts';

const examples = `
Every flag has an environment variable, shown in brackets, and a key of the config file: --http-port is
http-port. A flag wins over the environment, the environment over the file.

Examples:
  lagoon serve --data-dir ./data
  lagoon serve --object-store s3://my-bucket/lagoon --s3-region eu-central-1
  lagoon serve --object-store s3://lagoon --s3-endpoint http://127.0.0.1:9000 --config lagoon.yaml
  lagoon serve --config lagoon.yaml --roles gateway --query-addresses q-0:8081,q-1:8081 --ingester-addresses i-0:8081
`;

/** Runs the roles of this process until it is told to stop. */
export const serveCommand: Command = {
  declare: (program, deps) => {
    const command = program
      .command('serve')
      .summary('run a server: all roles in one process, or some of them')
      .description('Runs the given roles until SIGTERM or SIGINT, then finishes what is under way and stops.')
      .option('--config <file>', 'Settings from a YAML or JSON file. [LAGOON_CONFIG]')
      .addHelpText('after', examples);
    addSettingFlags(command, settingNames);
    command.action(async ({ config, ...flags }: { readonly config?: string }) => {
      const serverConfig = toServerConfig(await readSettings(flags, config, deps));
      const { startServer } = await import('../server/start-server.ts');
      const server = await startServer(serverConfig, deps, deps.stopping);
      await new Promise<void>((resolve) => {
        if (deps.stopping.aborted) resolve();
        else deps.stopping.addEventListener('abort', () => resolve(), { once: true });
      });
      await server.close();
    });
  },
};
