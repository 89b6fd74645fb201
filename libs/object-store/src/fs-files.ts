import { type FileHandle, mkdir, open, readdir, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createRandomId, LagoonError, type Random } from '@lagoon/base';
import { createCoalescer } from './coalesce.ts';
import { systemCode } from './fs-errors.ts';

/** A temporary file that nobody has touched for so long was left by a process that died. */
const abandonedAfterMs = 3_600_000;

/** Largest read handed to the system at once: above 2 GiB it refuses. */
const readBytesMax = 1 << 30;

/** Reads exactly `length` bytes from `offset` on, or throws `corrupt` when the file ends before. */
export async function readFully(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, readBytesMax), offset + done);
    if (bytesRead === 0) throw new LagoonError('corrupt', 'a file is shorter than its size');
    done += bytesRead;
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
}

/** Writes all of the bytes, uncopied, from the start of the file. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.byteLength - done, readBytesMax), done);
    done += bytesWritten;
  }
}

/** Removes a file; whether it was there. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}

/** Removes a folder and its parents up to the root as long as they are empty; a writer that needs one makes it again. */
export async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  for (let path = folder; path !== root; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return; // not empty, already gone, or not ours to remove: it costs nothing to leave it
    }
  }
}

/**
 * Makes a folder and those above it where they are missing, and makes their entries durable. Not by the recursive `mkdir` of Node, which
 * never ends where a parent is there but takes no entries, such as in `/proc`.
 */
export async function makeRoot(root: string): Promise<void> {
  try {
    await mkdir(root);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST' && (await stat(root)).isDirectory()) return;
    const parent = dirname(root);
    if (code !== 'ENOENT' || parent === root || (await isFolder(parent))) throw error;
    await makeRoot(parent);
    return makeRoot(root);
  }
  await using handle = await open(dirname(root), 'r');
  await handle.sync();
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Removes what processes that died left in the folder of temporary files. Ages are by the file system's own time. */
export async function removeAbandoned(folder: string, nowMs: number): Promise<number> {
  let removedCount = 0;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: nowMs }));
    if (nowMs - mtimeMs > abandonedAfterMs && (await removeFile(path))) removedCount++;
  }
  return removedCount;
}

/** The file system's own clock, read by touching a file of this process: on a network mount it is the server's. */
export interface FileSystemClock {
  /** Milliseconds since the Unix epoch, at some instant after the call. Concurrent calls share a touch. */
  nowMs(): Promise<number>;
  close(): Promise<void>;
}

export async function openFileSystemClock(folder: string, random: Random): Promise<FileSystemClock> {
  const path = join(folder, `clock-${createRandomId(random)}`);
  const handle = await open(path, 'wx');
  const mark = new Uint8Array(1);
  const touch = createCoalescer(async () => {
    await handle.write(mark, 0, 1, 0);
    return Math.floor((await handle.stat()).mtimeMs);
  });
  let closed = false;
  return {
    nowMs: () => touch(''),
    close: async () => {
      if (closed) return;
      closed = true;
      await handle.close();
      await removeFile(path);
    },
  };
}
