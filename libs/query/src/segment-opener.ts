import { mapBounded } from '@lagoon/base';
import type { DiskCache } from '@lagoon/cache';
import type { SegmentReference } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import {
  createRangeReader,
  openSegment,
  readDeleteVector,
  readRequestCount,
  type SegmentReader,
  wholeIfSmall,
} from '@lagoon/segment';
import { waitFor } from './wait-for.ts';

/** What is read of a segment before it is known what a query needs of it. */
export interface OpenedSegment {
  /** Undefined: the segment is read whole. */
  readonly reader: SegmentReader | undefined;
  /** Its dead rows, as they lie in it; undefined: none. */
  readonly dead: Uint8Array | undefined;
}

/**
 * Opens segments, perhaps before it is certain that they are wanted. What a manifest names is immutable, so what was read ahead is
 * right for every manifest that names the same; what failed ahead is read again when it is wanted.
 */
export interface SegmentOpener {
  /** Begins to open segments, and ends when all have come or failed; never rejects. Each is taken once. */
  openAhead(segments: readonly SegmentReference[], signal: AbortSignal): Promise<void>;
  /** One read of the footer and one of dead rows that lie in an object, at once. Errors as `openSegment` and `readDeleteVector`. */
  open(segment: SegmentReference, signal?: AbortSignal): Promise<OpenedSegment>;
  /** The dead rows alone. */
  readDead(segment: SegmentReference, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** Lets go of what was opened ahead and not taken. */
  forget(): void;
}

export interface SegmentOpenerDeps {
  readonly store: ObjectStore;
  readonly diskCache?: DiskCache;
  /** Whether segments that have a footer are read by parts. */
  readonly byColumn?: boolean;
}

/** Segments that are opened at once: one round for the usual namespace. */
const concurrentSegmentCountMax = 48;

export function createSegmentOpener(
  { store, diskCache, byColumn = false }: SegmentOpenerDeps,
  onRead: (requestCount: number, byteCount: number) => void,
): SegmentOpener {
  const readers = createAhead<SegmentReader>();
  const deadRows = createAhead<Uint8Array | undefined>();

  const openReader = async (
    { object }: SegmentReference,
    footer: NonNullable<SegmentReference['footer']>,
    signal?: AbortSignal,
  ): Promise<SegmentReader> => {
    const stored = createRangeReader(store, object, (byteCount) => onRead(1, byteCount));
    const read = diskCache?.reader(object, stored) ?? stored;
    return await openSegment(wholeIfSmall(read, object), { key: object.key, footer }, signal);
  };
  const readDeadNow = async (segment: SegmentReference, signal?: AbortSignal): Promise<Uint8Array | undefined> => {
    const { deleteVector, rowCount } = segment;
    const dead = await readDeleteVector(store, deleteVector, rowCount, signal);
    if (deleteVector?.kind === 'object') {
      onRead(readRequestCount(deleteVector.object.size), deleteVector.object.size);
    }
    return dead;
  };

  const readDead: SegmentOpener['readDead'] = (segment, signal) =>
    deadRows.take(deadName(segment), () => readDeadNow(segment, signal), signal);

  return {
    openAhead: async (segments, signal) => {
      await mapBounded(segments, concurrentSegmentCountMax, async (segment) => {
        const { footer } = segment;
        const begun: Promise<unknown>[] = [];
        if (byColumn && footer !== undefined) {
          begun.push(readers.begin(footerName(segment), () => openReader(segment, footer, signal)));
        }
        const dead = deadName(segment);
        if (dead !== undefined) begun.push(deadRows.begin(dead, () => readDeadNow(segment, signal)));
        await Promise.allSettled(begun);
      });
    },
    open: async (segment, signal) => {
      const { footer } = segment;
      const openNow = async (): Promise<SegmentReader | undefined> =>
        byColumn && footer !== undefined
          ? await readers.take(footerName(segment), () => openReader(segment, footer, signal), signal)
          : undefined;
      const [reader, dead] = await Promise.all([openNow(), readDead(segment, signal)]);
      return { reader, dead };
    },
    readDead,
    forget: () => {
      readers.clear();
      deadRows.clear();
    },
  };
}

function footerName({ object: { key, size }, footer }: SegmentReference): string {
  return `${key} ${size} ${footer?.offset} ${footer?.size}`;
}

/** Undefined: the dead rows are in the manifest. */
function deadName({ deleteVector }: SegmentReference): string | undefined {
  return deleteVector?.kind === 'object' ? deleteVector.object.key : undefined;
}

/** Reads that were begun for somebody who may come. */
function createAhead<T>() {
  const begun = new Map<string, Promise<{ readonly value: T } | undefined>>();
  return {
    begin: (name: string, read: () => Promise<T>): Promise<unknown> => {
      const present = begun.get(name);
      if (present !== undefined) return present;
      const reading = read().then(
        (value) => ({ value }),
        () => undefined,
      );
      begun.set(name, reading);
      return reading;
    },
    take: async (name: string | undefined, read: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
      const present = name === undefined ? undefined : begun.get(name);
      if (name !== undefined) begun.delete(name);
      const ahead = present && (await waitFor(present, signal));
      return ahead === undefined ? await read() : ahead.value;
    },
    clear: () => begun.clear(),
  };
}
