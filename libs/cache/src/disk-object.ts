import { type FileHandle, open, rm } from 'node:fs/promises';
import { alignUp, assert, crc32, utf8DecodeLossy, utf8Encode } from '@lagoon/base';

/** Pages of an object, from the first on: [first, end). */
export interface PageRun {
  readonly first: number;
  readonly end: number;
}

/** Which pages of one immutable object lie on disk, and their bytes: README, On disk. One call at a time writes. */
export interface DiskObject {
  /** Of the pages that are there. */
  readonly pageCount: number;
  /** Runs of [first, end) that are not there, those with a small gap between them as one; ascending. */
  missing(first: number, end: number): readonly PageRun[];
  /** The bytes of pages that are there; undefined where one is not what was written: it is forgotten then. */
  read(first: number, end: number): Promise<Uint8Array | undefined>;
  /** Whole pages, or up to the object's end. */
  write(first: number, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export const pageBytes = 4096;
/** A gap that is read again rather than asked for apart: a request costs more than so many bytes. */
const gapPageCountMax = 4;
/** Checked, read and written at a time, so that no other work of the thread waits long. */
const sliceBytes = 1 << 20;

const magic = 0x4344474c; // "LGDC"
const version = 1;
const fixedHeaderBytes = 24;
const entryBytes = 12;
/** As object stores have it. */
const keyBytesMax = 1024;

/** About the bytes of an object's pages, by the length of its index alone. */
export function bytesOfIndex(indexLength: number): number {
  return Math.floor(Math.max(0, indexLength - fixedHeaderBytes) / entryBytes) * pageBytes;
}

export const dataSuffix = '.data';
export const indexSuffix = '.index';

/** Opens the files of an object, or makes them; what another object or version left there is begun anew. */
export async function openDiskObject(path: string, key: string, size: number): Promise<DiskObject> {
  const index = await open(`${path}${indexSuffix}`, 'a+');
  try {
    const data = await open(`${path}${dataSuffix}`, 'a').then(async (made) => {
      await made.close();
      return open(`${path}${dataSuffix}`, 'r+');
    });
    try {
      return await openPages({ index, data }, key, size);
    } catch (error) {
      await data.close();
      throw error;
    }
  } catch (error) {
    await index.close();
    throw error;
  }
}

export async function removeDiskObject(path: string): Promise<void> {
  await rm(`${path}${indexSuffix}`, { force: true }); // first: pages without an index are nothing
  await rm(`${path}${dataSuffix}`, { force: true });
}

async function openPages(
  { index, data }: { readonly index: FileHandle; readonly data: FileHandle },
  key: string,
  size: number,
): Promise<DiskObject> {
  const pages = Math.ceil(size / pageBytes);
  const checksums = new Uint32Array(pages);
  const present = new Uint8Array(pages);
  let pageCount = 0;
  const header = headerOf(key, size);

  const known = await readAll(index);
  if (Buffer.compare(known.subarray(0, header.length), header) === 0) {
    for (let at = header.length; at + entryBytes <= known.length; at += entryBytes) {
      const entry = new DataView(known.buffer, known.byteOffset + at, entryBytes);
      const page = entry.getUint32(0, true);
      if (entry.getUint32(8, true) !== crc32(known.subarray(at, at + 8)) || page >= pages) continue;
      checksums[page] = entry.getUint32(4, true);
      pageCount += 1 - (present[page] as number);
      present[page] = 1;
    }
    // A process that died may have left a part of an entry: what is appended must begin where one does.
    const torn = (known.length - header.length) % entryBytes;
    if (torn > 0) await index.truncate(known.length - torn);
  } else {
    await index.truncate(0);
    await index.appendFile(header);
  }

  const forget = (page: number): void => {
    pageCount -= present[page] as number;
    present[page] = 0;
  };
  /** Whether the pages are those that were written; those that are not are forgotten. */
  const verify = (first: number, bytes: Uint8Array): boolean => {
    let isWhole = true;
    for (let at = 0; at < bytes.length; at += pageBytes) {
      const page = first + at / pageBytes;
      if (crc32(bytes.subarray(at, at + pageBytes)) === checksums[page]) continue;
      forget(page);
      isWhole = false;
    }
    return isWhole;
  };

  return {
    get pageCount() {
      return pageCount;
    },
    missing: (first, end) => {
      const runs: PageRun[] = [];
      for (let page = first; page < end; page++) {
        if (present[page] === 1) continue;
        const last = runs.at(-1);
        if (last !== undefined && page - last.end <= gapPageCountMax)
          runs[runs.length - 1] = { ...last, end: page + 1 };
        else runs.push({ first: page, end: page + 1 });
      }
      return runs;
    },
    read: async (first, end) => {
      const bytes = new Uint8Array(Math.min(end * pageBytes, size) - first * pageBytes);
      let isWhole = true;
      for (let at = 0; at < bytes.length; at += sliceBytes) {
        const slice = bytes.subarray(at, at + sliceBytes);
        await fill(data, slice, first * pageBytes + at);
        isWhole = verify(first + at / pageBytes, slice) && isWhole;
      }
      return isWhole ? bytes : undefined;
    },
    write: async (first, bytes) => {
      assert(bytes.length % pageBytes === 0 || first * pageBytes + bytes.length === size, 'whole pages are written');
      for (let at = 0; at < bytes.length; at += sliceBytes) {
        const slice = bytes.subarray(at, at + sliceBytes);
        const from = first + at / pageBytes;
        await data.write(slice, 0, slice.length, from * pageBytes);
        const count = Math.ceil(slice.length / pageBytes);
        const entries = new Uint8Array(count * entryBytes);
        const view = new DataView(entries.buffer);
        for (let i = 0; i < count; i++) {
          const checksum = crc32(slice.subarray(i * pageBytes, (i + 1) * pageBytes));
          view.setUint32(i * entryBytes, from + i, true);
          view.setUint32(i * entryBytes + 4, checksum, true);
          view.setUint32(i * entryBytes + 8, crc32(entries.subarray(i * entryBytes, i * entryBytes + 8)), true);
        }
        await index.appendFile(entries);
        for (let i = 0; i < count; i++) {
          checksums[from + i] = view.getUint32(i * entryBytes + 4, true);
          pageCount += 1 - (present[from + i] as number);
          present[from + i] = 1;
        }
      }
    },
    close: async () => {
      await data.close();
      await index.close();
    },
  };
}

function headerOf(key: string, size: number): Uint8Array {
  const keyBytes = utf8Encode(key);
  const header = new Uint8Array(alignUp(fixedHeaderBytes + keyBytes.length, 4));
  const view = new DataView(header.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, version, true);
  view.setBigUint64(8, BigInt(size), true);
  view.setUint32(16, keyBytes.length, true);
  header.set(keyBytes, fixedHeaderBytes);
  view.setUint32(20, crc32(header), true); // over the header with 0 in its own place
  return header;
}

/** Of which object the files at a path hold pages; undefined where they do not say it. */
export async function readDiskKey(path: string): Promise<string | undefined> {
  const index = await open(`${path}${indexSuffix}`, 'r');
  try {
    const start = new Uint8Array(fixedHeaderBytes + keyBytesMax);
    await fill(index, start, 0);
    const view = new DataView(start.buffer);
    const [size, keyLength] = [view.getBigUint64(8, true), view.getUint32(16, true)];
    if (keyLength > keyBytesMax || size > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    const key = utf8DecodeLossy(start.subarray(fixedHeaderBytes, fixedHeaderBytes + keyLength));
    const header = headerOf(key, Number(size));
    return Buffer.compare(start.subarray(0, header.length), header) === 0 ? key : undefined;
  } finally {
    await index.close();
  }
}

async function readAll(handle: FileHandle): Promise<Uint8Array> {
  const { size } = await handle.stat();
  const bytes = new Uint8Array(size);
  await fill(handle, bytes, 0);
  return bytes;
}

/** What the file does not have stays zero. */
async function fill(handle: FileHandle, target: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await handle.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) return;
    done += bytesRead;
  }
}
