import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { LagoonError } from '@lagoon/base';

/**
 * Files for what does not fit into memory while a job runs, within a budget of bytes. All of them lie in pages of one file of the system, so
 * their number costs nothing but a page of memory each. Synchronous: whoever computes on them has a thread of its own.
 * Past the budget, and where the disk is full: `resource_exhausted`; where it fails: `unavailable`.
 */
export interface Scratch {
  create(): ScratchFile;
  readonly usedBytes: number;
  /** The most that was in use at one time. */
  readonly peakBytes: number;
  /** Removes everything. */
  close(): void;
}

/** Grows at its end; may be read anywhere. */
export interface ScratchFile {
  readonly size: number;
  append(bytes: Uint8Array): void;
  /** A copy of [start, end). */
  read(start: number, end: number): Uint8Array;
  remove(): void;
}

const pageBytes = 32 << 10;

/** Where pages lie. */
interface Device {
  write(page: number, bytes: Uint8Array): void;
  read(page: number, into: Uint8Array, offset: number): void;
  close(): void;
}

/** In memory: for tests and simulations. */
export function createMemoryScratch(bytesMax: number): Scratch {
  const pages: Uint8Array[] = [];
  return createScratch(bytesMax, {
    write: (page, bytes) => {
      pages[page] = bytes.slice();
    },
    read: (page, into, offset) => into.set((pages[page] as Uint8Array).subarray(offset, offset + into.length)),
    close: () => void pages.splice(0),
  });
}

/**
 * In a directory, which is made where it is missing. The file has no name once it is open, so nothing stays behind when the process dies.
 */
export function createFileScratch(directory: string, bytesMax: number): Scratch {
  let opened: number | undefined;
  const file = (): number => {
    opened ??= onDisk(() => openNameless(directory));
    return opened;
  };
  return createScratch(bytesMax, {
    write: (page, bytes) =>
      onDisk(() => {
        for (let done = 0; done < bytes.length; ) {
          done += writeSync(file(), bytes, done, bytes.length - done, page * pageBytes + done);
        }
      }),
    read: (page, into, offset) =>
      onDisk(() => {
        for (let done = 0; done < into.length; ) {
          const count = readSync(file(), into, done, into.length - done, page * pageBytes + offset + done);
          if (count === 0) throw new LagoonError('internal', 'scratch file is shorter than what was written to it');
          done += count;
        }
      }),
    close: () => {
      if (opened !== undefined) closeSync(opened);
      opened = undefined;
    },
  });
}

let scratchCount = 0;

function openNameless(directory: string): number {
  const path = join(directory, `lagoon-${process.pid}-${threadId}-${scratchCount++}.scratch`);
  mkdirSync(directory, { recursive: true });
  rmSync(path, { force: true }); // of a process that had this one's number and died two lines below
  const file = openSync(path, 'wx+');
  rmSync(path);
  return file;
}

function createScratch(bytesMax: number, device: Device): Scratch {
  const freePages: number[] = [];
  let pageCount = 0;
  let peakBytes = 0;
  const usedBytes = (): number => (pageCount - freePages.length) * pageBytes;

  const takePage = (): number => {
    if (usedBytes() + pageBytes > bytesMax) {
      const context = { usedBytes: usedBytes(), bytesMax };
      throw new LagoonError('resource_exhausted', 'scratch space is used up', { context });
    }
    const page = freePages.pop() ?? pageCount++;
    peakBytes = Math.max(peakBytes, usedBytes());
    return page;
  };

  return {
    create: () => {
      const pages: number[] = [];
      /** Of the last page, which is written when it is full. */
      let tail: Uint8Array | undefined;
      let size = 0;
      return {
        get size() {
          return size;
        },
        append: (bytes) => {
          for (let at = 0; at < bytes.length; ) {
            const inPage = size % pageBytes;
            if (inPage === 0) pages.push(takePage());
            tail ??= new Uint8Array(pageBytes);
            const part = bytes.subarray(at, at + pageBytes - inPage);
            tail.set(part, inPage);
            at += part.length;
            size += part.length;
            if (size % pageBytes === 0) device.write(pages.at(-1) as number, tail);
          }
        },
        read: (start, end) => {
          const bytes = new Uint8Array(end - start);
          for (let at = start; at < end; ) {
            const index = Math.floor(at / pageBytes);
            const offset = at % pageBytes;
            const into = bytes.subarray(at - start, Math.min(end, (index + 1) * pageBytes) - start);
            const isTail = size % pageBytes !== 0 && index === pages.length - 1;
            if (isTail) into.set((tail as Uint8Array).subarray(offset, offset + into.length));
            else device.read(pages[index] as number, into, offset);
            at += into.length;
          }
          return bytes;
        },
        remove: () => {
          freePages.push(...pages.splice(0));
          tail = undefined;
          size = 0;
        },
      };
    },
    get usedBytes() {
      return usedBytes();
    },
    get peakBytes() {
      return peakBytes;
    },
    close: () => device.close(),
  };
}

function onDisk<R>(run: () => R): R {
  try {
    return run();
  } catch (cause) {
    const code = (cause as { readonly code?: unknown }).code;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
      throw new LagoonError('resource_exhausted', 'scratch space is full', { cause });
    }
    if (cause instanceof LagoonError || typeof code !== 'string') throw cause;
    throw new LagoonError('unavailable', 'scratch space fails', { cause, context: { code } });
  }
}
