import { mergeBlocks, openBlock } from '@lagoon/format';
import {
  type ClusterOptions,
  clusterPieces,
  clusterRows,
  mergeSegments,
  openSegment,
  type RowOrderer,
  type Scratch,
  type ScratchFile,
  type SegmentToMerge,
  writeSegment,
} from '@lagoon/segment';
import { type BuildExecutor, buildIvf, createInlineExecutor, loadKernelModule } from '@lagoon/vector';
import type { BlockTask, BuiltSegment, MergeResult, MergeTask, MergeTaskSegment, SegmentTask } from './build-pool.ts';

/** What a build pool does, on whichever thread. */
export function runBlockTask({ sources, schema }: BlockTask): Uint8Array {
  return mergeBlocks(
    sources.map(({ bytes, live }) => ({ block: openBlock(bytes, { verify: false }), live })),
    schema,
  );
}

export async function runSegmentTask(
  { block, schema, identity, clusterRowCountMin }: SegmentTask,
  breathe?: () => Promise<void>,
): Promise<BuiltSegment> {
  const opened = openBlock(block, { verify: false });
  const clustered = await clusterRows(opened, schema, identity, clusterOptions(clusterRowCountMin, breathe));
  const options = { ...clustered, ...(breathe === undefined ? {} : { breathe }) };
  const written = await writeSegment(opened, schema, identity, options);
  return { ...written, rows: clustered && inverseOf(clustered.order) };
}

function clusterOptions(rowCountMin: number, breathe: (() => Promise<void>) | undefined): ClusterOptions {
  return {
    rowCountMin,
    build: (rows, options) => {
      const module = loadKernelModule();
      return buildIvf(rows, options, module, breathing(createInlineExecutor(module), breathe));
    },
  };
}

/** One task at a time, with a look at the clock between two. */
function breathing(inner: BuildExecutor, breathe: (() => Promise<void>) | undefined): BuildExecutor {
  if (breathe === undefined) return inner;
  return {
    ...inner,
    run: async (memory, tasks) => {
      for (const task of tasks) {
        await inner.run(memory, [task]);
        await breathe();
      }
    },
  };
}

function inverseOf(order: Uint32Array): Uint32Array {
  const rows = new Uint32Array(order.length);
  for (let row = 0; row < order.length; row++) rows[order[row] as number] = row;
  return rows;
}

export async function runMergeTask(
  { segments, schema, identity, windowBytesMax, clusterRowCountMin }: MergeTask,
  scratch: Scratch,
  breathe?: () => Promise<void>,
  signal?: AbortSignal,
): Promise<{ readonly result: MergeResult; readonly file: ScratchFile } | undefined> {
  const sources: SegmentToMerge[] = [];
  for (const segment of segments) sources.push(await openTaskSegment(segment, signal));
  const cluster = { ...clusterOptions(clusterRowCountMin, breathe), scratch };
  const orderRows: RowOrderer = (rows, inner) =>
    clusterPieces(rows.read(inner), rows.rowCount, schema, identity, cluster);
  const options = { scratch, windowBytesMax, orderRows, ...(breathe === undefined ? {} : { breathe }) };
  const merged = await mergeSegments(sources, schema, identity, options, signal);
  if (merged === undefined) return undefined;
  const { file, sha256, footer, attributeRanges, rowCount, logicalBytes, rows } = merged;
  return { file, result: { byteLength: file.size, sha256, footer, attributeRanges, rowCount, logicalBytes, rows } };
}

async function openTaskSegment(segment: MergeTaskSegment, signal?: AbortSignal): Promise<SegmentToMerge> {
  const { key, size, footer, read, dead } = segment;
  // Flat segments, of before, are small.
  if (footer === undefined) return { rows: openBlock(await read(0, size, signal)), dead };
  // Without the lead: a merge makes lists anew.
  const place = { key, footer: { offset: footer.offset, size: footer.size } };
  return { rows: await openSegment(read, place, signal), dead };
}
