import { assert } from '@lagoon/base';
import { equalAttributeTypes } from './attribute-type.ts';
import { type Bitmap, nextBit } from './bitmap.ts';
import { buildIds } from './build-ids.ts';
import { coerceBlock } from './coerce-block.ts';
import type { Block, NamedColumn } from './column.ts';
import { type GatherPlan, gatherColumn, gatherIds } from './gather.ts';
import { compareIds } from './id-column.ts';
import { openBlock } from './open-block.v1.ts';
import type { AttributeType, Schema } from './schema.ts';
import { writeBlock } from './write-block.v1.ts';

export interface MergeSource {
  readonly block: Block;
  /** Rows to keep; undefined: all. */
  readonly live?: Bitmap | undefined;
}

/**
 * One block of the live rows of all sources, sorted by id, without deletes. No id may be live in two sources. Columns are
 * united by name in order of appearance, rows of blocks without one miss the value. With a schema, blocks are coerced to
 * it first; without, columns of one name must be of one type. Memory: about twice the result.
 */
export function mergeBlocks(sources: readonly MergeSource[], schema?: Schema): Uint8Array {
  const blocks = sources.map(({ block }) => (schema === undefined ? block : coerced(block, schema)));
  const idKind = schema?.idKind ?? blocks[0]?.idKind;
  assert(idKind !== undefined, 'a merge has a block or a schema');
  const plan = planMerge(
    blocks,
    sources.map((source) => source.live),
  );
  const ids = gatherIds(
    idKind,
    blocks.map((block) => block.ids),
    plan,
  );
  return writeBlock({ ids, deletes: buildIds(idKind, []), columns: gatherColumns(blocks, plan) });
}

function coerced(block: Block, schema: Schema): Block {
  const result = coerceBlock(block, schema);
  return result instanceof Uint8Array ? openBlock(result, { verify: false }) : result;
}

function gatherColumns(blocks: readonly Block[], plan: GatherPlan): NamedColumn[] {
  const types = new Map<string, AttributeType>();
  for (const block of blocks) {
    for (const { name, type } of block.columns.values()) {
      const known = types.get(name);
      assert(
        known === undefined || equalAttributeTypes(known, type),
        `attribute ${name} has one type in merged blocks`,
      );
      types.set(name, type);
    }
  }
  return [...types].map(([name, type]) => {
    const columns = blocks.map((block) => block.columns.get(name)?.column);
    return { name, type, column: gatherColumn(type, columns, plan) };
  });
}

/** Merges by id with a binary heap of sources, each at its next live row; neighbours of one source become one run. */
function planMerge(blocks: readonly Block[], live: readonly (Bitmap | undefined)[]): GatherPlan {
  const runs = createRuns();
  const rows = new Float64Array(blocks.length); // next live row per source
  const nextLive = (source: number, from: number): number => nextLiveRow(blocks[source] as Block, live[source], from);
  const compare = (a: number, rowA: number, b: number, rowB: number): number =>
    compareIds((blocks[a] as Block).ids, rowA, (blocks[b] as Block).ids, rowB);
  const heap: number[] = [];
  for (let source = 0; source < blocks.length; source++) {
    rows[source] = nextLive(source, 0);
    if ((rows[source] as number) >= 0) heap.push(source);
  }
  const isBefore = (a: number, b: number): boolean => compare(a, rows[a] as number, b, rows[b] as number) < 0;
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(heap, at, isBefore);
  let last: { source: number; row: number } | undefined;
  while (heap.length > 0) {
    const source = heap[0] as number;
    const start = rows[source] as number;
    assert(last === undefined || compare(last.source, last.row, source, start) < 0, 'an id is live in one block only');
    const other = secondOf(heap, isBefore);
    let end = start + 1;
    let next = nextLive(source, end);
    while (next === end && (other < 0 || compare(source, next, other, rows[other] as number) < 0)) {
      end++;
      next = nextLive(source, end);
    }
    runs.add(source, start, end - start);
    last = { source, row: end - 1 };
    rows[source] = next;
    if (next < 0) removeTop(heap);
    siftDown(heap, 0, isBefore);
  }
  return runs.plan();
}

function nextLiveRow(block: Block, live: Bitmap | undefined, from: number): number {
  const row = live === undefined ? from : nextBit(live, from);
  return row < block.rowCount ? row : -1;
}

function removeTop(heap: number[]): void {
  const lastSource = heap.pop() as number;
  if (heap.length > 0) heap[0] = lastSource;
}

function secondOf(heap: readonly number[], isBefore: (a: number, b: number) => boolean): number {
  if (heap.length < 2) return -1;
  const left = heap[1] as number;
  const right = heap[2];
  return right !== undefined && isBefore(right, left) ? right : left;
}

function siftDown(heap: number[], from: number, isBefore: (a: number, b: number) => boolean): void {
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) return;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as number, heap[child] as number)) child++;
    const source = heap[at] as number;
    if (!isBefore(heap[child] as number, source)) return;
    heap[at] = heap[child] as number;
    heap[child] = source;
    at = child;
  }
}

interface Runs {
  add(source: number, start: number, length: number): void;
  plan(): GatherPlan;
}

function createRuns(): Runs {
  let capacity = 64;
  let source = new Uint32Array(capacity);
  let start = new Uint32Array(capacity);
  let length = new Uint32Array(capacity);
  let runCount = 0;
  let rowCount = 0;
  const grow = (array: Uint32Array): Uint32Array<ArrayBuffer> => {
    const larger = new Uint32Array(capacity);
    larger.set(array);
    return larger;
  };
  return {
    add(runSource, runStart, runLength) {
      if (runCount === capacity) {
        capacity *= 2;
        source = grow(source);
        start = grow(start);
        length = grow(length);
      }
      source[runCount] = runSource;
      start[runCount] = runStart;
      length[runCount] = runLength;
      runCount++;
      rowCount += runLength;
    },
    plan: () => ({ runCount, source, start, length, rowCount }),
  };
}
