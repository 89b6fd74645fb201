import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mapBounded } from '@lagoon/base';
import { systemCode } from './fs-errors.ts';
import { byteStringOf, keyPartOfEntry, pathOfFolder, textOf } from './fs-paths.ts';
import type { ListedObject } from './object-store.ts';

const statConcurrencyMax = 8;

export interface FileListing {
  readonly objects: readonly ListedObject[];
  readonly truncated: boolean;
}

interface Entry {
  /** Byte string that this entry adds: a last component, or the beginning of the keys below a folder. */
  readonly part: string;
  readonly path: string;
  readonly isFolder: boolean;
}

/** Byte strings. */
interface Bounds {
  readonly prefix: string;
  readonly after: string | undefined;
}

interface Found {
  readonly key: string;
  readonly path: string;
}

/**
 * One page of the keys below `root`. Reads only folders that can hold a key with the prefix behind `startAfter`, one at a time, and
 * stops when the page is full.
 */
export async function listFiles(
  root: string,
  prefix: string,
  startAfter: string | undefined,
  limit: number,
  signal?: AbortSignal,
): Promise<FileListing> {
  const bounds: Bounds = {
    prefix: byteStringOf(prefix),
    after: startAfter === undefined ? undefined : byteStringOf(startAfter),
  };
  const keyPrefix = bounds.prefix.slice(0, bounds.prefix.lastIndexOf('/') + 1);
  const found: Found[] = [];
  const walk = async (folder: string, folderKey: string): Promise<void> => {
    signal?.throwIfAborted();
    for (const entry of await readFolder(folder, folderKey, bounds)) {
      if (found.length > limit) return;
      const key = folderKey + entry.part;
      if (entry.isFolder) await walk(entry.path, key);
      else found.push({ key, path: entry.path });
    }
  };
  await walk(join(root, pathOfFolder(keyPrefix)), keyPrefix);
  const truncated = found.length > limit;
  const described = await mapBounded(found.slice(0, limit), statConcurrencyMax, describeFile, signal);
  const objects = described.filter((object) => object !== undefined);
  const last = found[limit - 1];
  // All of the page was deleted meanwhile: an empty page would leave the caller without a key to go on from.
  if (truncated && objects.length === 0 && last) return listFiles(root, prefix, textOf(last.key), limit, signal);
  return { objects, truncated };
}

/** The entries of a folder that can lead to keys within the bounds, in the order of those keys. */
async function readFolder(folder: string, folderKey: string, bounds: Bounds): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const dirent of await readEntries(folder)) {
    const isFolder = dirent.isDirectory();
    const part = keyPartOfEntry(dirent.name, isFolder);
    if (part === undefined) continue;
    const key = folderKey + part;
    const inPrefix = key.startsWith(bounds.prefix) || (isFolder && bounds.prefix.startsWith(key));
    const behind = bounds.after === undefined || key > bounds.after || (isFolder && bounds.after.startsWith(key));
    if (inPrefix && behind) entries.push({ part, path: join(folder, dirent.name), isFolder });
  }
  return entries.sort((a, b) => (a.part < b.part ? -1 : 1));
}

async function readEntries(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** `undefined` for a file that was deleted since its folder was read. */
async function describeFile(file: Found): Promise<ListedObject | undefined> {
  try {
    const { size, mtimeMs } = await stat(file.path);
    return { key: textOf(file.key), size, lastModifiedMs: Math.floor(mtimeMs) };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
