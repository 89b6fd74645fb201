import { readFile, stat } from 'node:fs/promises';
import { invalidArgument } from '@lagoon/base';

const fileBytesMax = 1 << 20;

/** The keys and values of a YAML or JSON file, unchecked but for their being one mapping. */
export async function readConfigFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    if ((await stat(path)).size > fileBytesMax) throw new Error('it is larger than 1 MiB');
    value = parse(await readFile(path, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    const detail = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw invalidArgument(`config file ${path} cannot be read: ${detail}`);
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw invalidArgument(`config file ${path} is not a mapping`);
  return value as Readonly<Record<string, unknown>>;
}
