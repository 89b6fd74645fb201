/**
 * A process that merges the segments of a directory and says what it took: `node merge-memory-process.ts <directory> <scratch> <lists|plain>`.
 * Its heap is limited by whoever starts it, that of its worker here; arrays of bytes and kernels' memory lie beside the heaps, so resident memory is
 * what is looked at.
 */
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLog } from '@lagoon/base';
import { createWorkerBuildPool, defaultCompactorConfig } from '@lagoon/compactor';
import { decodeClusters, openSegment } from '@lagoon/segment';
import { clusterRowCountMin, heapMebibytes, identity, type StoredSegment, schemaOf } from './merge-memory-data.ts';

export interface MergeMemory {
  readonly rowCount: number;
  readonly seconds: number;
  /** Largest resident memory after a merge of one segment, and after that of all. */
  readonly beforeBytes: number;
  readonly afterBytes: number;
  readonly objectBytes: number;
  /** Of the merged segment's vectors. */
  readonly lists: { readonly codec: string; readonly leafCount: number } | undefined;
}

const [directory, scratchDirectory, kind] = process.argv.slice(2) as [string, string, string];
const stored = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8')) as readonly StoredSegment[];
const pool = createWorkerBuildPool(silentLog, {
  workerCount: 1,
  scratchDirectory,
  scratchBytesMax: defaultCompactorConfig.scratchBytesMax,
  heapBytesMax: heapMebibytes << 20,
});
const residentBytesMax = () => process.resourceUsage().maxRSS * 1024;

async function merge(segments: readonly StoredSegment[]): Promise<Omit<MergeMemory, 'beforeBytes' | 'afterBytes'>> {
  const opened = await Promise.all(segments.map(({ name }) => open(join(directory, name))));
  const startedAt = performance.now();
  const task = {
    segments: segments.map(({ name, size, footer }, index) => ({
      ...{ key: name, size, footer, dead: undefined },
      read: async (start: number, end: number): Promise<Uint8Array> => {
        const bytes = new Uint8Array(end - start);
        await opened[index]?.read(bytes, 0, bytes.length, start);
        return bytes;
      },
    })),
    schema: schemaOf(kind === 'lists'),
    identity,
    windowBytesMax: defaultCompactorConfig.mergeWindowBytes,
    clusterRowCountMin,
  };
  await using merged = await pool.mergeSegments(task);
  if (merged === undefined) throw new Error('all rows are live');
  for (let at = 0; at < merged.byteLength; at += 1 << 20) {
    await merged.read(at, Math.min(at + (1 << 20), merged.byteLength));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  for (const handle of opened) await handle.close();
  const reader = await openSegment((start, end) => merged.read(start, end), { key: 'merged', footer: merged.footer });
  const column = reader.footer.columns.find(({ name }) => name === 'vector');
  const clusters = column && (await reader.lists(column)?.clusters.read());
  const lists = clusters && decodeClusters(new Uint8Array(clusters));
  return {
    ...{ rowCount: merged.rowCount, seconds, objectBytes: merged.byteLength },
    lists: lists && { codec: lists.code.codec, leafCount: lists.leafEnds.length },
  };
}

// The first, of one segment, loads all code: what grows after it grows with the data.
await merge(stored.slice(0, 1));
const beforeBytes = residentBytesMax();
const result: MergeMemory = { ...(await merge(stored)), beforeBytes, afterBytes: residentBytesMax() };
process.stdout.write(`${JSON.stringify(result)}\n`);
await pool.close();
