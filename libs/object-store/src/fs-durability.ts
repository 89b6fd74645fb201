import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createCoalescer } from './coalesce.ts';
import { systemCode } from './fs-errors.ts';

/** Folders whose whole chain of ancestors is known to be on the disk; past this many the record starts over. */
const knownFoldersMax = 10_000;

/** Folders in which something may be seen that is not on the disk; past this many every folder counts as one. */
const failedFoldersMax = 10_000;

/**
 * Makes directory entries durable: after it, every entry that the folder had at the call is on the disk, and so is the way to it from
 * the root. Concurrent calls for one folder share an fsync.
 */
export type FolderSync = (folder: string) => Promise<void>;

export interface FolderDurability {
  readonly sync: FolderSync;
  /** Before what a folder holds is told: does nothing, unless the last sync of this process there failed. */
  readonly settle: FolderSync;
}

/** What a failed sync leaves behind can be read, and yet be gone after a power failure. */
export function createFolderDurability(syncFolder: FolderSync): FolderDurability {
  const failures = new Map<string, symbol>();
  let isFull = false;
  const sync: FolderSync = async (folder) => {
    const failure = failures.get(folder);
    try {
      await syncFolder(folder);
    } catch (error) {
      if (failures.size < failedFoldersMax) failures.set(folder, Symbol(folder));
      else isFull = true;
      throw error;
    }
    if (failures.get(folder) === failure) failures.delete(folder); // else another sync has failed since
  };
  return {
    sync,
    settle: async (folder) => {
      if (isFull || failures.has(folder)) await sync(folder);
    },
  };
}

/**
 * A folder may have been made by another process that has not synced its parents yet, so the first time that this process meets a
 * folder (known by inode and birth time) it syncs the ancestors too.
 */
export function createFolderSync(root: string): FolderSync {
  const durable = new Map<string, string>();

  const syncOne = createCoalescer(async (folder: string): Promise<string | undefined> => {
    try {
      await using handle = await open(folder, 'r');
      const { ino, birthtimeNs } = await handle.stat({ bigint: true });
      await handle.sync();
      return `${ino}:${birthtimeNs}`;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined; // removed since because it became empty: nothing to keep
      throw error;
    }
  });

  return async (folder) => {
    const identity = await syncOne(folder);
    if (identity === undefined || durable.get(folder) === identity) return;
    for (let path = folder; path !== root; ) {
      path = dirname(path);
      await syncOne(path);
    }
    if (durable.size >= knownFoldersMax) durable.clear();
    durable.set(folder, identity);
  };
}
