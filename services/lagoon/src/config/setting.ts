import { z } from 'zod';

/** One setting: the same name is the flag (`--http-port`), the key of the file (`http-port:`) and the variable (`LAGOON_HTTP_PORT`). */
export interface Setting<T = unknown> {
  readonly group: SettingGroup;
  /** What it is for; one or two sentences. */
  readonly description: string;
  /** What a value looks like, with its bounds: `an integer from 0 to 65535`. */
  readonly expects: string;
  /** Stands for the value in help: `<port>`. */
  readonly placeholder: string;
  /** As the documentation prints it; undefined: not set. */
  readonly defaultText: string | undefined;
  /** Takes the text of a flag or variable as well as the value of a file; fills the default in for undefined. */
  readonly schema: z.ZodType<T>;
  /** Its value is never printed. */
  readonly isSecret: boolean;
}

export const settingGroups = [
  'storage',
  's3',
  'network',
  'roles',
  'resources',
  'compactor',
  'limits',
  'operation',
] as const;

export type SettingGroup = (typeof settingGroups)[number];

interface About {
  readonly group: SettingGroup;
  readonly description: string;
  readonly placeholder: string;
}

export function text(about: About & { readonly isSecret?: boolean }): Setting<string | undefined> {
  const schema = z.string().min(1).max(4_096).optional();
  return { isSecret: false, ...about, expects: 'text', defaultText: undefined, schema };
}

export function host(about: About & { readonly default: string }): Setting<string> {
  const schema = z.string().min(1).max(255).default(about.default);
  return { ...about, expects: 'a host name or address', defaultText: about.default, schema, isSecret: false };
}

export function integer(
  about: About & { readonly min: number; readonly max: number; readonly default: number },
): Setting<number> {
  const { min, max } = about;
  const schema = z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\d{1,15}$/)
        .transform(Number),
    ])
    .pipe(z.number().int().min(min).max(max))
    .default(about.default);
  const expects = `an integer from ${min} to ${max}`;
  return { ...about, expects, defaultText: String(about.default), schema, isSecret: false };
}

export function ratio(about: About & { readonly default: number }): Setting<number> {
  const schema = z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\d+(\.\d+)?$/)
        .transform(Number),
    ])
    .pipe(z.number().min(0).max(1))
    .default(about.default);
  return { ...about, expects: 'a number from 0 to 1', defaultText: String(about.default), schema, isSecret: false };
}

export function flag(about: Omit<About, 'placeholder'> & { readonly default: boolean }): Setting<boolean> {
  const schema = z
    .union([z.boolean(), z.enum(['true', 'false']).transform((word) => word === 'true')])
    .default(about.default);
  const placeholder = 'true|false';
  return {
    ...about,
    placeholder,
    expects: 'true or false',
    defaultText: String(about.default),
    schema,
    isSecret: false,
  };
}

export function choice<const C extends readonly [string, ...string[]]>(
  about: Omit<About, 'placeholder'> & { readonly choices: C; readonly default: C[number] },
): Setting<C[number]> {
  const schema = z.enum(about.choices).default(about.default as never) as unknown as z.ZodType<C[number]>;
  const placeholder = about.choices.join('|');
  return {
    ...about,
    placeholder,
    expects: `one of ${about.choices.join(', ')}`,
    defaultText: about.default,
    schema,
    isSecret: false,
  };
}

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export function bytes(
  about: Omit<About, 'placeholder'> & { readonly min: number; readonly max: number; readonly default: number },
): Setting<number> {
  const { min, max } = about;
  const sized = z
    .string()
    .regex(/^\d{1,12} ?(B|KiB|MiB|GiB|TiB)?$/)
    .transform((value) => Number.parseInt(value, 10) * (unitBytes[value.replace(/^\d+ ?/, '')] ?? Number.NaN));
  const schema = z.union([z.number(), sized]).pipe(z.number().int().min(min).max(max)).default(about.default);
  const expects = `a size from ${sizeText(min)} to ${sizeText(max)}, in bytes or with KiB, MiB, GiB`;
  return { ...about, placeholder: 'size', expects, defaultText: sizeText(about.default), schema, isSecret: false };
}

export function list(
  about: About & { readonly expects: string; readonly default: readonly string[] },
): Setting<readonly string[]> {
  const split = (value: string) => value.split(',').map((item) => item.trim());
  const schema = z
    .union([z.array(z.string()), z.string().transform(split)])
    .pipe(z.array(z.string().min(1).max(255)).min(1).max(1_024))
    .default([...about.default]);
  const defaultText = about.default.length === 0 ? undefined : about.default.join(',');
  return { ...about, defaultText, schema, isSecret: false };
}

function sizeText(size: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const count = size / (unitBytes[unit] ?? 1);
    if (count >= 1 && Number.isInteger(count)) return `${count}${unit}`;
  }
  return String(size);
}
