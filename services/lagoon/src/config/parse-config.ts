import { invalidArgument, LagoonError } from '@lagoon/base';
import { suggestion } from './nearest.ts';
import { isSettingName, type SettingName, type SettingValues, settingNames, settings, variableOf } from './settings.ts';

/** Where values may come from; a later source wins: file, environment, flags. */
export interface ConfigSources {
  readonly file?: { readonly path: string; readonly values: Readonly<Record<string, unknown>> };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By setting name, without the dashes in front. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/** Every setting checked and filled in. `invalid_argument` names the source, the setting and what it expects. */
export function parseSettings(sources: ConfigSources): SettingValues {
  for (const key of Object.keys(sources.file?.values ?? {})) {
    if (isSettingName(key)) continue;
    throw invalidArgument(`config file ${sources.file?.path}: unknown key ${key}${suggestion(key, settingNames)}`);
  }
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of settingNames) {
    const { value, source } = given(name, sources);
    const parsed = settings[name].schema.safeParse(value);
    if (!parsed.success) throw badValue(name, value, source);
    values[name] = parsed.data;
  }
  return values as SettingValues;
}

function given(name: SettingName, { file, environment, flags }: ConfigSources): { value: unknown; source: string } {
  const flag = flags[name];
  if (flag !== undefined) return { value: flag, source: `--${name}` };
  const variable = environment[variableOf(name)];
  if (variable !== undefined && variable !== '') return { value: variable, source: variableOf(name) };
  const value = file?.values[name];
  return value === undefined || value === null
    ? { value: undefined, source: name }
    : { value, source: `config file ${file?.path}: ${name}` };
}

function badValue(name: SettingName, value: unknown, source: string): LagoonError {
  const { expects, isSecret } = settings[name];
  const shown = isSecret ? 'what was given' : JSON.stringify(value).slice(0, 200);
  return new LagoonError('invalid_argument', `${source}: expected ${expects}, not ${shown}`);
}
