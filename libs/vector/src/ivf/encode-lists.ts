import type { DistanceMetric } from '../metric.ts';
import { type BuildContext, readRows, runTasks, waveRows } from './build-context.ts';
import type { EncodeTask } from './build-tasks.ts';
import type { ListCode, ListCodec } from './contract.ts';
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

/** Codes of all lists in order; `alongside` sees each wave of lists while it is in memory. */
export async function encodeLists(
  context: BuildContext,
  layout: LeafLayout,
  code: ListCode,
  centroids: number,
  alongside: (lists: EncodedLists) => Promise<void>,
): Promise<Uint8Array> {
  if (code.codec === 'flat') return new Uint8Array(0);
  const { dims, memory, options, unit, plan } = context;
  const { codec, metric } = options;
  const mark = memory.mark();
  const waves = groupLists(layout, waveRows(context), codec, metric, dims);
  const target = {
    rows: memory.take(Math.max(...waves.map((wave) => wave.rowCount)) * dims * 4),
    lists: memory.take(Math.max(...waves.map((wave) => wave.listCount)) * 8),
    codes: memory.take(Math.max(...waves.map((wave) => wave.codeBytes))),
  };
  const common = {
    kind: 'encode',
    codec: code.codec,
    dims,
    unit,
    withTerms: hasTerms(codec, metric),
    centroids,
  } as const;
  const parameters = takeParameters(context, code);
  const all = new Uint8Array(waves.reduce((sum, wave) => sum + wave.codeBytes, 0));
  let written = 0;
  for (const wave of waves) {
    const sizes = readLists(context, layout, wave, target);
    const tasks = groupLists({ leafEnds: endsOf(sizes) }, plan.pieceRows, codec, metric, dims).map(
      (group): EncodeTask => ({
        ...{ ...common, ...parameters, listCount: group.listCount },
        rows: target.rows + group.firstPosition * dims * 4,
        lists: target.lists + group.firstLeaf * 8,
        codes: target.codes + group.firstCode,
      }),
    );
    await runTasks(context, tasks);
    all.set(memory.u8(target.codes, wave.codeBytes), written);
    written += wave.codeBytes;
    await alongside({ ...target, firstPosition: wave.firstPosition, listCount: wave.listCount });
  }
  memory.release(mark);
  return all;
}

/** Rows and table of a group of lists into memory; their lengths. */
function readLists(
  context: BuildContext,
  { order, leafEnds }: LeafLayout,
  { firstLeaf, listCount, firstPosition, rowCount }: ListGroup,
  target: { readonly rows: number; readonly lists: number },
): readonly number[] {
  readRows(context, order.subarray(firstPosition, firstPosition + rowCount), target.rows);
  const lists = context.memory.u32(target.lists, listCount * 2);
  return Array.from({ length: listCount }, (_, i) => {
    const leaf = firstLeaf + i;
    const size = (leafEnds[leaf] as number) - (leaf === 0 ? 0 : (leafEnds[leaf - 1] as number));
    lists.set([leaf, size], 2 * i);
    return size;
  });
}

function endsOf(sizes: readonly number[]): Uint32Array {
  let end = 0;
  return Uint32Array.from(sizes, (size) => {
    end += size;
    return end;
  });
}

interface ListGroup {
  readonly firstLeaf: number;
  readonly listCount: number;
  readonly firstPosition: number;
  readonly rowCount: number;
  readonly firstCode: number;
  readonly codeBytes: number;
}

/** Neighbouring lists of at most so many rows together, or one that has more. */
function groupLists(
  { leafEnds }: Pick<LeafLayout, 'leafEnds'>,
  rowMax: number,
  codec: ListCodec,
  metric: DistanceMetric,
  dims: number,
): readonly ListGroup[] {
  const groups: ListGroup[] = [];
  let group = { firstLeaf: 0, listCount: 0, firstPosition: 0, rowCount: 0, firstCode: 0, codeBytes: 0 };
  leafEnds.forEach((end, leaf) => {
    const start = leaf === 0 ? 0 : (leafEnds[leaf - 1] as number);
    if (group.listCount > 0 && group.rowCount + end - start > rowMax) {
      groups.push(group);
      const firstCode = group.firstCode + group.codeBytes;
      group = { firstLeaf: leaf, listCount: 0, firstPosition: start, rowCount: 0, firstCode, codeBytes: 0 };
    }
    group.listCount++;
    group.rowCount += end - start;
    group.codeBytes += listBytes(codec, metric, dims, end - start);
  });
  groups.push(group);
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
