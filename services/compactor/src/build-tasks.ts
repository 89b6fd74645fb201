import { mergeBlocks, openBlock } from '@lagoon/format';
import {
  mergeSegments,
  openSegment,
  type Scratch,
  type ScratchFile,
  type SegmentToMerge,
  type WrittenSegment,
  writeSegment,
} from '@lagoon/segment';
import type { BlockTask, MergeResult, MergeTask, MergeTaskSegment, SegmentTask } from './build-pool.ts';

/** What a build pool does, on whichever thread. */
export function runBlockTask({ sources, schema }: BlockTask): Uint8Array {
  return mergeBlocks(
    sources.map(({ bytes, live }) => ({ block: openBlock(bytes, { verify: false }), live })),
    schema,
  );
}

export async function runSegmentTask(
  { block, schema, identity }: SegmentTask,
  breathe?: () => Promise<void>,
): Promise<WrittenSegment> {
  const opened = openBlock(block, { verify: false });
  return await writeSegment(opened, schema, identity, breathe === undefined ? {} : { breathe });
}

export async function runMergeTask(
  { segments, schema, identity, windowBytesMax }: MergeTask,
  scratch: Scratch,
  breathe?: () => Promise<void>,
  signal?: AbortSignal,
): Promise<{ readonly result: MergeResult; readonly file: ScratchFile } | undefined> {
  const sources: SegmentToMerge[] = [];
  for (const segment of segments) sources.push(await openTaskSegment(segment, signal));
  const options = { scratch, windowBytesMax, ...(breathe === undefined ? {} : { breathe }) };
  const merged = await mergeSegments(sources, schema, identity, options, signal);
  if (merged === undefined) return undefined;
  const { file, sha256, footer, attributeRanges, rowCount, logicalBytes, rows } = merged;
  return { file, result: { byteLength: file.size, sha256, footer, attributeRanges, rowCount, logicalBytes, rows } };
}

async function openTaskSegment(segment: MergeTaskSegment, signal?: AbortSignal): Promise<SegmentToMerge> {
  const { key, size, footer, read, dead } = segment;
  // Flat segments, of before, are small.
  if (footer === undefined) return { rows: openBlock(await read(0, size, signal)), dead };
  return { rows: await openSegment(read, { key, footer }, signal), dead };
}
