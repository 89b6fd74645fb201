import { type BuildContext, readRows, runTasks } from './build-context.ts';
import type { EncodeTask } from './build-tasks.ts';
import type { ListCode } from './contract.ts';
import type { LeafLayout } from './lay-out-leaves.ts';
import { writeBooks } from './learn-code.ts';
import { hasTerms, listBytes } from './list-layout.ts';

/** Lists whose codes are in memory, one behind the other. */
export interface EncodedLists {
  readonly firstPosition: number;
  readonly listCount: number;
  /** u32 per list: leaf, rows. */
  readonly lists: number;
  readonly codes: number;
}

/** Codes of all lists in order; `alongside` sees each group of lists while it is in memory. */
export async function encodeLists(
  context: BuildContext,
  layout: LeafLayout,
  code: ListCode,
  centroids: number,
  alongside: (lists: readonly EncodedLists[]) => Promise<void>,
): Promise<Uint8Array> {
  if (code.codec === 'flat') return new Uint8Array(0);
  const { dims, memory, options, executor, unit } = context;
  const { codec } = code;
  const mark = memory.mark();
  const groups = groupLists(context, layout, codec);
  const rowsMax = Math.max(...groups.map((group) => group.rowCount));
  const codesMax = Math.max(...groups.map((group) => group.codeBytes));
  const listsMax = Math.max(...groups.map((group) => group.listCount));
  const parameters = takeParameters(context, code);
  const slots = Array.from({ length: executor.threadCount }, () => ({
    rows: memory.take(rowsMax * dims * 4),
    lists: memory.take(listsMax * 8),
    codes: memory.take(codesMax),
  }));
  const all = new Uint8Array(groups.reduce((sum, group) => sum + group.codeBytes, 0));
  let written = 0;
  for (let next = 0; next < groups.length; next += slots.length) {
    const wave = groups.slice(next, next + slots.length);
    const tasks = wave.map((group, i): EncodeTask => {
      const slot = slots[i] as (typeof slots)[number];
      readLists(context, layout, group, slot);
      return {
        ...{ kind: 'encode', codec, dims, unit, withTerms: hasTerms(codec, options.metric), centroids },
        ...{ ...parameters, ...slot, listCount: group.listCount },
      };
    });
    await runTasks(context, tasks);
    wave.forEach((group, i) => {
      all.set(memory.u8((tasks[i] as EncodeTask).codes, group.codeBytes), written);
      written += group.codeBytes;
    });
    await alongside(
      wave.map(({ firstPosition, listCount }, i) => {
        const { lists, codes } = tasks[i] as EncodeTask;
        return { firstPosition, listCount, lists, codes };
      }),
    );
  }
  memory.release(mark);
  return all;
}

/** Rows and table of a group of lists into a slot. */
function readLists(
  context: BuildContext,
  { order, leafEnds }: LeafLayout,
  group: ListGroup,
  slot: { readonly rows: number; readonly lists: number },
): void {
  readRows(context, order.subarray(group.firstPosition, group.firstPosition + group.rowCount), slot.rows);
  const lists = context.memory.u32(slot.lists, group.listCount * 2);
  for (let i = 0; i < group.listCount; i++) {
    const leaf = group.firstLeaf + i;
    lists[2 * i] = leaf;
    lists[2 * i + 1] = (leafEnds[leaf] as number) - (leaf === 0 ? 0 : (leafEnds[leaf - 1] as number));
  }
}

interface ListGroup {
  readonly firstLeaf: number;
  readonly listCount: number;
  readonly firstPosition: number;
  readonly rowCount: number;
  readonly codeBytes: number;
}

/** Neighbouring lists of about a piece's rows. */
function groupLists(
  { plan, options, dims }: BuildContext,
  { leafEnds }: LeafLayout,
  codec: 'int8' | 'pq4',
): ListGroup[] {
  const groups: ListGroup[] = [];
  let group: ListGroup | undefined;
  leafEnds.forEach((end, leaf) => {
    const start = leaf === 0 ? 0 : (leafEnds[leaf - 1] as number);
    const bytes = listBytes(codec, options.metric, dims, end - start);
    if (group !== undefined && group.rowCount + end - start > plan.pieceRows) {
      groups.push(group);
      group = undefined;
    }
    const before = group ?? { firstLeaf: leaf, listCount: 0, firstPosition: start, rowCount: 0, codeBytes: 0 };
    group = {
      ...before,
      listCount: before.listCount + 1,
      rowCount: before.rowCount + end - start,
      codeBytes: before.codeBytes + bytes,
    };
  });
  if (group !== undefined) groups.push(group);
  return groups;
}

function takeParameters({ memory, dims }: BuildContext, code: Exclude<ListCode, { readonly codec: 'flat' }>) {
  const scales = memory.take(dims * 4);
  const inverseScales = memory.take(dims * 4);
  if (code.codec === 'int8') {
    memory.f32(scales, dims).set(code.scales);
    memory.f32(inverseScales, dims).set(code.scales.map((scale) => (scale > 0 ? Math.min(3e38, 1 / scale) : 0)));
    return { scales, inverseScales, books: 0 };
  }
  const words = (code.codebook.length / 2) * 3;
  const books = memory.take(words * 4);
  writeBooks(memory.f32(books, words), code.codebook);
  return { scales, inverseScales, books };
}
