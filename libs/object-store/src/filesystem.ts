import { type FileHandle, link, mkdir, open, rename } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createRandomId, isLagoonError, LagoonError, type Log, mapBounded, type Random, silentLog } from '@lagoon/base';
import { piecesOf } from './byte-source.ts';
import { createFolderDurability, createFolderSync } from './fs-durability.ts';
import { fileSystemError, systemCode } from './fs-errors.ts';
import {
  makeRoot,
  openFileSystemClock,
  readFully,
  removeAbandoned,
  removeEmptyFolders,
  removeFile,
  writeFully,
} from './fs-files.ts';
import { listFiles } from './fs-list.ts';
import { pathOfKey, temporaryFolder } from './fs-paths.ts';
import { checkKey, checkRange, pageLimit, resolveRange } from './keys.ts';
import type { ByteRange, ByteSource, CreateResult, ObjectStore } from './object-store.ts';

export interface FileSystemStoreOptions {
  /** Made where it is missing. */
  readonly root: string;
  /** Names temporary files. */
  readonly random: Random;
  readonly log?: Log;
  /** Default true. With false an acknowledged write can be lost or torn when the machine (not the process) dies; a warning says so. */
  readonly fsync?: boolean;
}

/** A folder can be emptied and removed under a writer; past so many turns something else is wrong. */
const attemptCountMax = 20;
const deleteConcurrencyMax = 16;

/**
 * A store in a directory, safe for any number of processes on it.
 *
 * - An object is written to `.tmp`, synced, and then appears under its name whole: by `link` (fails when the name is there) for
 *   `create`, by `rename` for `put`; then the folder is synced, before the answer. Where that failed, `get` tries it again before it
 *   shows the object: who reads back an unclear create would else acknowledge what a power failure takes away.
 * - Keys become paths as `fs-paths.ts` says. Listings show only names that a key makes, so foreign files are ignored.
 * - `storeTimeMs` is the file system's own time; `get` looks at it only for `onStamp`.
 * - An abort is seen before the object appears; from then on a write runs to its end.
 *
 * Throws `permission_denied` for a root that cannot be written, `invalid_argument` for one that is not a directory.
 */
export async function createFileSystemStore(options: FileSystemStoreOptions): Promise<ObjectStore> {
  const { random, log = silentLog, fsync = true } = options;
  const root = resolve(options.root);
  const temporary = join(root, temporaryFolder);
  const fileSystemClock = await openRoot(root, temporary, random, log);
  const { sync: syncFolder, settle } = createFolderDurability(fsync ? createFolderSync(root) : async () => {});
  if (!fsync) log.warn('fsync is off: acknowledged writes can be lost when this machine loses power', { root });

  /** Writes and syncs a temporary file, hands it to `publish`, and removes it unless it was renamed away. */
  const withTemporary = async <R>(
    bytes: Uint8Array | ByteSource,
    signal: AbortSignal | undefined,
    publish: (temporaryPath: string, handle: FileHandle, storeTimeMs: number) => Promise<R>,
  ): Promise<R> => {
    const path = join(temporary, createRandomId(random));
    try {
      await using handle = await open(path, 'wx');
      if (bytes instanceof Uint8Array) await writeFully(handle, bytes);
      else for await (const piece of piecesOf(bytes)) await handle.appendFile(piece);
      if (fsync) await handle.datasync();
      const storeTimeMs = Math.floor((await handle.stat()).mtimeMs);
      signal?.throwIfAborted();
      return await publish(path, handle, storeTimeMs);
    } finally {
      await removeFile(path).catch(() => {}); // a later start of the store removes it
    }
  };

  const create = async (key: string, bytes: Uint8Array | ByteSource, signal?: AbortSignal): Promise<CreateResult> => {
    signal?.throwIfAborted();
    checkKey(key);
    const path = join(root, pathOfKey(key));
    let appearsAtMs: number | undefined;
    let isVisible = false;
    try {
      return await withTemporary(bytes, signal, async (temporaryPath, handle, storeTimeMs) => {
        appearsAtMs = storeTimeMs;
        const outcome = await linkIfAbsent(temporaryPath, path, handle);
        isVisible = true;
        // Also for a lost race: the caller may act on the winner, which its own writer may not have synced yet.
        await syncFolder(dirname(path));
        return { outcome, storeTimeMs };
      });
    } catch (error) {
      const cause = fileSystemError(error, path);
      // Once others can see it, no failure makes it undone, a full disk as little as any other.
      if (appearsAtMs === undefined || !(isVisible || isLagoonError(cause, 'unavailable'))) throw cause;
      return { outcome: 'unknown', cause, storeTimeMs: appearsAtMs };
    }
  };

  return {
    url: pathToFileURL(root).href,
    get: async (key, getOptions, signal) => {
      signal?.throwIfAborted();
      checkKey(key);
      if (getOptions?.range) checkRange(getOptions.range);
      const path = join(root, pathOfKey(key));
      return translated(path, async () => {
        const object = await readObject(path, getOptions?.range);
        if (object !== undefined) await settle(dirname(path));
        const storeTimeMs = getOptions?.onStamp === undefined ? undefined : await fileSystemClock.nowMs();
        getOptions?.onStamp?.({ storeTimeMs });
        signal?.throwIfAborted();
        return object === undefined ? undefined : { ...object, storeTimeMs };
      });
    },
    put: async (key, bytes, signal) => {
      signal?.throwIfAborted();
      checkKey(key);
      const path = join(root, pathOfKey(key));
      return translated(path, () =>
        withTemporary(bytes, signal, async (temporaryPath, _handle, storeTimeMs) => {
          await intoFolder(path, () => rename(temporaryPath, path));
          await syncFolder(dirname(path));
          return { storeTimeMs };
        }),
      );
    },
    create,
    createStreamed: create,
    list: async (listOptions, signal) => {
      signal?.throwIfAborted();
      const limit = pageLimit(listOptions);
      return translated(root, async () => {
        const storeTimeMs = await fileSystemClock.nowMs();
        const page = await listFiles(root, listOptions.prefix, listOptions.startAfter, limit, signal);
        return { ...page, storeTimeMs };
      });
    },
    delete: async (keys, signal) => {
      signal?.throwIfAborted();
      for (const key of keys) checkKey(key);
      return translated(root, async () => {
        const folders = new Set<string>();
        const remove = async (key: string): Promise<void> => {
          const path = join(root, pathOfKey(key));
          if (await removeFile(path)) folders.add(dirname(path));
        };
        await mapBounded(keys, deleteConcurrencyMax, remove, signal);
        await mapBounded([...folders], deleteConcurrencyMax, syncFolder, signal);
        for (const folder of folders) await removeEmptyFolders(root, folder);
        return { storeTimeMs: await fileSystemClock.nowMs() };
      });
    },
    close: () => fileSystemClock.close(),
  };
}

async function openRoot(root: string, temporary: string, random: Random, log: Log) {
  try {
    await makeRoot(root);
    await makeRoot(temporary);
    const fileSystemClock = await openFileSystemClock(temporary, random);
    const removedCount = await removeAbandoned(temporary, await fileSystemClock.nowMs());
    if (removedCount > 0) log.info('removed temporary files of processes that died', { root, count: removedCount });
    return fileSystemClock;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOTDIR' || code === 'EEXIST') {
      throw new LagoonError('invalid_argument', 'the root is not a directory', { cause: error, context: { root } });
    }
    const translatedError = fileSystemError(error, root);
    if (!isLagoonError(translatedError, 'permission_denied')) throw translatedError;
    throw new LagoonError('permission_denied', 'the directory cannot be written', { cause: error, context: { root } });
  }
}

async function readObject(path: string, range: ByteRange | undefined) {
  await using handle = await openIfPresent(path);
  if (handle === undefined) return undefined;
  const { size: objectSize } = await handle.stat();
  const { offset, length } = resolveRange(range, objectSize);
  return { bytes: await readFully(handle, offset, length), objectSize };
}

async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}

/** Atomic create-if-absent, across processes and, by the link count, also where a network file system repeats a request. */
async function linkIfAbsent(source: string, target: string, handle: FileHandle): Promise<'created' | 'exists'> {
  try {
    await intoFolder(target, () => link(source, target));
    return 'created';
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    return (await handle.stat()).nlink > 1 ? 'created' : 'exists';
  }
}

/** Runs `publish`, making the folders of `path` as often as they are missing: a deleter may remove them when they are empty. */
async function intoFolder(path: string, publish: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await publish();
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || attempt === attemptCountMax) throw error;
      await mkdir(dirname(path), { recursive: true });
    }
  }
}

async function translated<R>(path: string, run: () => Promise<R>): Promise<R> {
  try {
    return await run();
  } catch (error) {
    throw fileSystemError(error, path);
  }
}
