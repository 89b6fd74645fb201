import {
  type Block,
  type MergeSource as BlockToMerge,
  coerceBlock,
  type IdColumn,
  mergeBlocks,
  openBlock,
  type Schema,
  selectRows,
  writeBlock,
} from '@lagoon/format';
import type { RowChunk } from './merge-sources.ts';
import type { Scratch, ScratchFile } from './scratch.ts';

/**
 * Rows on their way from where they lay to where they will lie: a distribution sort over scratch files. The new rows are divided into windows
 * that fit into memory; each chunk of a source is dealt out to them; a window is put in order when its turn comes. So a source is read once
 * from front to back, whatever its order and that of the result.
 */
export interface RowWindows {
  readonly count: number;
  /** `newRows[i]`: the new row of row i of the chunk, `noRow` where it is dead. */
  scatter(chunk: RowChunk, newRows: Uint32Array): void;
  /** All rows of a window, in order; its file is removed. */
  gather(window: number): Block;
}

/** Of a row that is not taken over. */
export const noRow = 0xffff_ffff;

/** `starts`: the first new row of each window, ascending from 0. */
export function createRowWindows(scratch: Scratch, starts: Uint32Array, schema: Schema): RowWindows {
  const files: (ScratchFile | undefined)[] = [];
  // Rows have numbers instead of ids on the way.
  const numbered: Schema = { ...schema, idKind: 'u64' };

  return {
    count: starts.length,
    scatter: ({ columns }, newRows) => {
      const order = inNewOrder(newRows);
      for (let from = 0; from < order.length; ) {
        const window = windowOf(starts, newRows[order[from] as number] as number);
        const end = starts[window + 1] ?? noRow;
        let to = from + 1;
        while (to < order.length && (newRows[order[to] as number] as number) < end) to++;
        const picked = order.subarray(from, to);
        const ids = numbersOf(picked, newRows);
        const bytes = writeBlock({ ids, deletes: noNumbers, columns: selectRows(columns, picked) });
        const fit = coerceBlock(openBlock(bytes, { verify: false }), numbered);
        const file = files[window] ?? scratch.create();
        files[window] = file;
        appendBlock(file, fit instanceof Uint8Array ? fit : fit.bytes);
        from = to;
      }
    },
    gather: (window) => {
      const file = files[window];
      const blocks = file === undefined ? [] : readBlocks(file);
      file?.remove();
      files[window] = undefined;
      return openBlock(mergeBlocks(blocks, { idKind: 'u64', attributes: schema.attributes }), { verify: false });
    },
  };
}

/** The indexes of the rows that are taken over, by their new rows. */
function inNewOrder(newRows: Uint32Array): Uint32Array {
  const taken = new Uint32Array(newRows.length);
  let count = 0;
  let isSorted = true;
  for (let i = 0; i < newRows.length; i++) {
    if (newRows[i] === noRow) continue;
    isSorted &&= count === 0 || (newRows[taken[count - 1] as number] as number) < (newRows[i] as number);
    taken[count++] = i;
  }
  const order = taken.subarray(0, count);
  return isSorted ? order : order.sort((a, b) => (newRows[a] as number) - (newRows[b] as number));
}

function windowOf(starts: Uint32Array, row: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) <= row) low = middle;
    else high = middle;
  }
  return low;
}

function numbersOf(order: Uint32Array, newRows: Uint32Array): IdColumn {
  const values = new BigUint64Array(order.length);
  for (const [i, index] of order.entries()) values[i] = BigInt(newRows[index] as number);
  return { idKind: 'u64', count: order.length, values };
}

const noNumbers: IdColumn = { idKind: 'u64', count: 0, values: new BigUint64Array(0) };

/** Blocks lie at multiples of 16, each behind its size. */
const prefixBytes = 16;

function appendBlock(file: ScratchFile, bytes: Uint8Array): void {
  const prefix = new Uint8Array(prefixBytes);
  new DataView(prefix.buffer).setUint32(0, bytes.length, true);
  file.append(prefix);
  file.append(bytes);
}

function readBlocks(file: ScratchFile): BlockToMerge[] {
  const bytes = file.read(0, file.size);
  const view = new DataView(bytes.buffer);
  const blocks: BlockToMerge[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = view.getUint32(at, true);
    at += prefixBytes;
    blocks.push({ block: openBlock(bytes.subarray(at, at + size), { verify: false }) });
    at += size;
  }
  return blocks;
}
