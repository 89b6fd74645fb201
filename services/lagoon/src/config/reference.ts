import { type SettingGroup, settingGroups } from './setting.ts';
import { settingNames, settings, variableOf } from './settings.ts';

export const groupTitles: Readonly<Record<SettingGroup, string>> = {
  storage: 'Storage',
  s3: 'S3',
  network: 'Network',
  roles: 'Roles',
  resources: 'Resources',
  compactor: 'Compactor',
  limits: 'Limits',
  operation: 'Operation',
};

/** docs/reference/configuration.md, whole. */
export function renderReference(): string {
  return `${[intro, ...settingGroups.map(renderGroup)].join('\n\n')}\n`;
}

const intro = `# Configuration of \`lagoon serve\`

Made from the table of settings by \`make gen\`; do not edit.

A setting has one name. It is a flag (\`--http-port 9000\`), an environment variable (\`LAGOON_HTTP_PORT=9000\`) and a key of the file that
\`--config FILE\` (or \`LAGOON_CONFIG\`) names, in YAML or JSON (\`http-port: 9000\`). A flag wins over the environment, the environment over the file.
An unknown flag or key is an error. Settings are read once, at start.`;

function renderGroup(group: SettingGroup): string {
  const sections = settingNames
    .filter((name) => settings[name].group === group)
    .map((name) => {
      const { description, expects, defaultText } = settings[name];
      const shownDefault =
        name === 'worker-count'
          ? 'the number of processors'
          : defaultText === undefined
            ? 'not set'
            : `\`${defaultText}\``;
      return `### \`${name}\`\n\n${description}\n\n- Expects ${expects}.\n- Default: ${shownDefault}.\n- Variable: \`${variableOf(name)}\`.`;
    });
  return [`## ${groupTitles[group]}`, ...sections].join('\n\n');
}
