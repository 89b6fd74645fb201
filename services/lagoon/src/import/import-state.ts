import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { corrupt } from '@lagoon/base';

/** How far an import came: kept in a file beside the data, so that a stopped one goes on where it was. */
export interface ImportState {
  readonly fingerprint: string;
  readonly url: string;
  readonly namespace: string;
  /** Everything before this position of the source is durable in the namespace. */
  readonly position: number;
  readonly rowCount: number;
}

export async function readImportState(path: string): Promise<ImportState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const value = parseState(text);
  if (value === undefined) throw corrupt('the import state is not readable: remove it to start over', { path });
  return value;
}

export async function writeImportState(path: string, state: ImportState): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, `${JSON.stringify(state)}\n`);
  await rename(`${path}.new`, path);
}

function parseState(text: string): ImportState | undefined {
  try {
    const value = JSON.parse(text) as Partial<ImportState> | null;
    const { fingerprint, url, namespace, position, rowCount } = value ?? {};
    if (typeof fingerprint !== 'string' || typeof url !== 'string' || typeof namespace !== 'string') return undefined;
    if (typeof position !== 'number' || typeof rowCount !== 'number') return undefined;
    return { fingerprint, url, namespace, position, rowCount };
  } catch {
    return undefined;
  }
}
