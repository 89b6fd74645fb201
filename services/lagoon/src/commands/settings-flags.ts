import { Option, type Command as Program } from 'commander';
import { readConfigFile } from '../config/config-file.ts';
import { parseSettings } from '../config/parse-config.ts';
import { groupTitles } from '../config/reference.ts';
import { isSettingName, type SettingName, type SettingValues, settings, variableOf } from '../config/settings.ts';
import type { CommandDeps } from './command.ts';

/** Adds a flag per setting, under the headings of their groups. */
export function addSettingFlags(command: Program, names: readonly SettingName[]): void {
  for (const name of names) {
    const { placeholder, description, defaultText, group } = settings[name];
    const shown = name === 'worker-count' ? '' : defaultText === undefined ? '' : ` Default ${defaultText}.`;
    const option = new Option(`--${name} <${placeholder}>`, `${description}${shown} [${variableOf(name)}]`);
    command.addOption(option.helpGroup(`${groupTitles[group]}:`));
  }
}

/** The settings from file, environment and the flags that were given; flags of the command itself are left out. */
export async function readSettings(
  given: Readonly<Record<string, unknown>>,
  configPath: string | undefined,
  deps: CommandDeps,
): Promise<SettingValues> {
  const flags: Record<string, unknown> = {};
  for (const [camelCase, value] of Object.entries(given)) {
    const name = camelCase.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (isSettingName(name)) flags[name] = value;
  }
  const path = configPath ?? deps.environment.LAGOON_CONFIG;
  const file = path === undefined || path === '' ? undefined : { path, values: await readConfigFile(path) };
  return parseSettings({ environment: deps.environment, flags, ...(file === undefined ? {} : { file }) });
}
