import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  assert,
  LagoonError,
  type Log,
  type Metrics,
  noMetrics,
  settleAll,
  sha256,
  silentLog,
  toHex,
  utf8Encode,
} from '@lagoon/base';
import { createDiskMeter, type DiskCacheStatistics } from './disk-meter.ts';
import {
  bytesOfIndex,
  type DiskObject,
  dataSuffix,
  indexSuffix,
  openDiskObject,
  type PageRun,
  pageBytes,
  readDiskKey,
  removeDiskObject,
} from './disk-object.ts';

/** The bytes [start, end) of one immutable object. */
export type ReadBytes = (start: number, end: number, signal?: AbortSignal) => Promise<Uint8Array>;

/**
 * Ranges of immutable objects on the local disk, in front of a store: README, On disk. It never fails a read: where the disk
 * fails, the store is read.
 */
export interface DiskCache {
  /** `read` of the object, through the disk. Ranges are rounded out to pages of 4 KiB, up to the object's end. */
  reader(object: { readonly key: string; readonly size: number }, read: ReadBytes): ReadBytes;
  /** Forgets these objects, but for those that somebody reads just now. */
  purge(isMeant: (key: string) => boolean): Promise<void>;
  readonly statistics: DiskCacheStatistics;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

export interface DiskCacheDeps {
  readonly log?: Log;
  readonly metrics?: Metrics;
}

export interface DiskCacheOptions {
  readonly folder: string;
  readonly bytesMax: number;
  /** Objects whose files are open at once; each takes two. */
  readonly openObjectCountMax?: number;
  /** Bytes that wait to be written at once; what is read beyond is not kept. */
  readonly waitingBytesMax?: number;
}

interface Entry {
  /** Of its files. */
  readonly name: string;
  /** Undefined: of an object that nobody asked for since the start. */
  key: string | undefined;
  bytes: number;
  opened: Promise<DiskObject> | undefined;
  userCount: number;
  /** Writes of one object follow each other. */
  writing: Promise<void>;
  gone: boolean;
}

/** Runs that one read asks the store for; with more it asks for the whole range. */
const runCountMax = 8;

/**
 * Invariants:
 * - `entries` is in the order of last use, oldest first;
 * - an entry's files are open while it has users, and afterwards until they are closed for others;
 * - files go only when nobody uses them, and an entry that is `gone` is in `entries` no more.
 */
export async function openDiskCache(deps: DiskCacheDeps, options: DiskCacheOptions): Promise<DiskCache> {
  const { log = silentLog, metrics = noMetrics } = deps;
  const { folder, bytesMax, openObjectCountMax = 256, waitingBytesMax = 256 << 20 } = options;
  const meter = createDiskMeter(metrics);
  const entries = new Map<string, Entry>();
  const removals = new Map<string, Promise<void>>();
  let waitingBytes = 0;
  let isClosed = false;

  const pathOf = (name: string): string => join(folder, name);
  const account = (entry: Entry, bytes: number): void => {
    meter.changed(bytes - entry.bytes);
    entry.bytes = bytes;
  };
  const failed = (what: string, error: unknown): void => {
    meter.failed();
    log.warn(`disk cache: ${what} failed`, { folder, error: error instanceof Error ? error.message : String(error) });
  };

  await mkdir(folder, { recursive: true });
  for (const entry of await scan(folder)) {
    entries.set(entry.name, entry);
    meter.changed(entry.bytes);
  }

  const closeFiles = async (entry: Entry): Promise<void> => {
    const { opened } = entry;
    entry.opened = undefined;
    await (await opened?.catch(() => undefined))?.close();
  };
  const remove = async (entry: Entry): Promise<void> => {
    assert(entry.userCount === 0, 'files in use stay');
    entry.gone = true;
    if (entries.get(entry.name) === entry) entries.delete(entry.name);
    account(entry, 0);
    const removal = closeFiles(entry)
      .then(() => removeDiskObject(pathOf(entry.name)))
      .finally(() => removals.delete(entry.name));
    removals.set(entry.name, removal);
    await removal;
  };
  /** Not before the files that an entry of this name had before are gone. */
  const openFiles = async (entry: Entry, key: string, size: number): Promise<DiskObject> => {
    await removals.get(entry.name)?.catch(() => undefined);
    return await openDiskObject(pathOf(entry.name), key, size);
  };
  /** Objects go as a whole, the one that was used longest ago first. */
  const makeRoom = async (): Promise<void> => {
    for (const entry of entries.values()) {
      if (meter.statistics.bytes <= bytesMax) return;
      if (entry.userCount > 0) continue;
      meter.evicted();
      await remove(entry);
    }
  };
  const closeIdleFiles = async (): Promise<void> => {
    let openCount = 0;
    for (const { opened } of entries.values()) if (opened !== undefined) openCount++;
    for (const entry of entries.values()) {
      if (openCount <= openObjectCountMax) return;
      if (entry.opened === undefined || entry.userCount > 0) continue;
      openCount--;
      await closeFiles(entry);
    }
  };

  const enter = (key: string): Entry => {
    const name = toHex(sha256(utf8Encode(key))).slice(0, 40);
    const entry = entries.get(name) ?? newEntry(name, 0);
    entry.key = key;
    entries.delete(name);
    entries.set(name, entry);
    entry.userCount++;
    return entry;
  };
  const leave = async (entry: Entry): Promise<void> => {
    entry.userCount--;
    try {
      await makeRoom();
      await closeIdleFiles();
    } catch (error) {
      failed('making room', error);
    }
  };

  const keep = (entry: Entry, disk: DiskObject, first: number, bytes: Uint8Array): void => {
    if (isClosed || waitingBytes + bytes.length > waitingBytesMax || bytes.length > bytesMax) {
      meter.passed();
      return;
    }
    waitingBytes += bytes.length;
    entry.userCount++;
    const write = async (): Promise<void> => {
      try {
        await disk.write(first, bytes);
        account(entry, bytesOnDisk(disk));
      } catch (error) {
        failed('writing', error);
      } finally {
        waitingBytes -= bytes.length;
        await leave(entry);
      }
    };
    entry.writing = entry.writing.then(write);
  };

  /** Pages [first, end) of an object: from disk where they are, else from the store. */
  const readPages = async (
    entry: Entry,
    disk: DiskObject,
    size: number,
    { first, end }: PageRun,
    read: ReadBytes,
    signal?: AbortSignal,
  ): Promise<Uint8Array> => {
    const found = disk.missing(first, end);
    if (found.length === 0) {
      const bytes = await disk.read(first, end);
      if (bytes !== undefined) {
        meter.hit();
        return bytes;
      }
      meter.damaged();
      log.warn('disk cache: damaged pages are read again', { folder, key: entry.key });
      return await readPages(entry, disk, size, { first, end }, read, signal);
    }
    meter.missed();
    const runs = found.length > runCountMax ? [{ first, end }] : found;
    const bytes = new Uint8Array(Math.min(end * pageBytes, size) - first * pageBytes);
    const put = (page: number, part: Uint8Array): void => bytes.set(part, (page - first) * pageBytes);
    const fetch = async (run: PageRun): Promise<void> => {
      const part = await read(run.first * pageBytes, Math.min(run.end * pageBytes, size), signal);
      put(run.first, part);
      keep(entry, disk, run.first, part);
    };
    const present = async (run: PageRun): Promise<void> => {
      put(run.first, await readPages(entry, disk, size, run, read, signal));
    };
    // files are not closed under a read
    await settleAll([...runs.map(fetch), ...gapsBetween(runs, first, end).map(present)]);
    return bytes;
  };

  const readRange = async (
    { key, size }: { readonly key: string; readonly size: number },
    read: ReadBytes,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array> => {
    const entry = enter(key);
    try {
      entry.opened ??= openFiles(entry, key, size);
      const disk = await entry.opened;
      account(entry, bytesOnDisk(disk));
      const run = { first: Math.floor(start / pageBytes), end: Math.ceil(end / pageBytes) };
      const bytes = await readPages(entry, disk, size, run, read, signal);
      return bytes.subarray(start - run.first * pageBytes, end - run.first * pageBytes);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof LagoonError) throw error; // of the store: it is what the caller must see
      entry.opened = undefined;
      failed('reading', error);
      return await read(start, end, signal);
    } finally {
      await leave(entry);
    }
  };

  return {
    reader: (object, read) => async (start, end, signal) => {
      if (isClosed || start >= end || end > object.size) return await read(start, end, signal);
      return await readRange(object, read, start, end, signal);
    },
    purge: async (isMeant) => {
      for (const entry of [...entries.values()]) {
        entry.key ??= await readDiskKey(pathOf(entry.name)).catch(() => undefined);
        if (entry.key === undefined || !isMeant(entry.key)) continue;
        await entry.writing;
        if (entry.userCount === 0 && !entry.gone) await remove(entry);
      }
    },
    get statistics() {
      return meter.statistics;
    },
    close: async () => {
      isClosed = true;
      for (const entry of entries.values()) {
        await entry.writing;
        await closeFiles(entry);
      }
    },
  };
}

function newEntry(name: string, bytes: number): Entry {
  return { name, key: undefined, bytes, opened: undefined, userCount: 0, writing: Promise.resolve(), gone: false };
}

function bytesOnDisk(disk: DiskObject): number {
  return disk.pageCount * pageBytes;
}

function gapsBetween(runs: readonly PageRun[], first: number, end: number): readonly PageRun[] {
  const gaps: PageRun[] = [];
  let at = first;
  for (const run of runs) {
    if (run.first > at) gaps.push({ first: at, end: run.first });
    at = run.end;
  }
  if (at < end) gaps.push({ first: at, end });
  return gaps;
}

/** What earlier processes left, oldest first; files of other names are not ours. */
async function scan(folder: string): Promise<readonly Entry[]> {
  const found: { readonly entry: Entry; readonly usedMs: number }[] = [];
  const names = await readdir(folder);
  const indexed = new Set(names.filter((name) => /^[0-9a-f]{40}\.index$/.test(name)));
  for (const name of names) {
    const base = name.slice(0, 40);
    if (name === `${base}${dataSuffix}` && /^[0-9a-f]{40}$/.test(base) && !indexed.has(`${base}${indexSuffix}`)) {
      await removeDiskObject(join(folder, base));
    }
  }
  for (const name of indexed) {
    const { size, mtimeMs } = await stat(join(folder, name));
    found.push({ entry: newEntry(name.slice(0, 40), bytesOfIndex(size)), usedMs: mtimeMs });
  }
  return found.sort((a, b) => a.usedMs - b.usedMs).map(({ entry }) => entry);
}
