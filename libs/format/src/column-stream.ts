import { assert } from '@lagoon/base';
import { getBit } from './bitmap.ts';
import type { Column, IdColumn, NamedColumn } from './column.ts';
import { type ColumnShape, columnParts, type PartName } from './column-layout.ts';
import { type GatherPlan, gatherColumn, gatherIds } from './gather.ts';
import type { AttributeType } from './schema.ts';

/** Takes the bytes of one array of a column, in order. */
export interface PartSink {
  append(bytes: Uint8Array): void;
}

/** Lays out a column that comes in pieces: the arrays of `layOutColumn`, each in a sink of its own. */
export interface ColumnStream {
  append(column: Column, rowCount: number): void;
  /** What the column is, and where its arrays lie in it; those that it does not have are left out. */
  finish(): {
    readonly shape: ColumnShape;
    readonly parts: ReadonlyMap<PartName, { readonly offset: number; readonly length: number }>;
    readonly size: number;
  };
}

export function createColumnStream(type: AttributeType, sinkOf: (part: PartName) => PartSink): ColumnStream {
  const sinks = new Map<PartName, PartSink>();
  const sink = (part: PartName): PartSink => {
    const made = sinks.get(part) ?? sinkOf(part);
    sinks.set(part, made);
    return made;
  };
  const nulls = createBitStream((bytes) => sink('nulls').append(bytes));
  let rowCount = 0;
  let elementCount = 0;
  let valueBytes = 0;
  let hasNulls = false;

  const appendOffsets = (part: PartName, offsets: Uint32Array, count: number, base: number): void => {
    if (base === 0 && !sinks.has(part)) sink(part).append(bytesOf(Uint32Array.of(0)));
    const moved = new Uint32Array(count);
    for (let i = 0; i < count; i++) moved[i] = base + (offsets[i + 1] as number);
    sink(part).append(bytesOf(moved));
  };
  const appendScalars = (scalars: Exclude<Column, { kind: 'vector' | 'array' }>, count: number): void => {
    if (!('offsets' in scalars)) {
      sink('values').append('values' in scalars ? bytesOf(scalars.values) : scalars.bytes);
      return;
    }
    appendOffsets('valueOffsets', scalars.offsets, count, valueBytes);
    sink('values').append(scalars.bytes);
    valueBytes += scalars.bytes.length;
  };

  return {
    append: (column, count) => {
      hasNulls ||= column.nulls !== undefined;
      nulls.append(column.nulls, count);
      switch (column.kind) {
        case 'vector':
          sink('values').append(bytesOf(column.values));
          sink('inverseNorms').append(bytesOf(column.inverseNorms));
          break;
        case 'array': {
          const elements = column.rowOffsets[count] as number;
          appendOffsets('rowOffsets', column.rowOffsets, count, elementCount);
          appendScalars(column.elements, elements);
          elementCount += elements;
          break;
        }
        case 'scalar':
          appendScalars(column, count);
      }
      rowCount += count;
    },
    finish: () => {
      nulls.finish();
      const shape: ColumnShape = { type, rowCount, hasNulls, elementCount, valueBytes };
      return { shape, ...columnParts(shape) };
    },
  };
}

/** Bitmaps one behind the other, whatever their lengths. */
function createBitStream(write: (bytes: Uint8Array) => void) {
  let byte = 0;
  let bitCount = 0;
  return {
    append: (bitmap: Uint8Array | undefined, count: number): void => {
      const out = new Uint8Array((bitCount + count) >>> 3);
      let at = 0;
      for (let bit = 0; bit < count; bit++) {
        if (bitmap !== undefined && getBit(bitmap, bit)) byte |= 1 << bitCount;
        if (++bitCount < 8) continue;
        out[at++] = byte;
        byte = 0;
        bitCount = 0;
      }
      if (at > 0) write(out);
    },
    finish: (): void => {
      if (bitCount > 0) write(Uint8Array.of(byte));
      bitCount = 0;
    },
  };
}

/** Copies of some rows of columns, in the order given; neighbours are copied together. */
export function selectRows(columns: Iterable<NamedColumn>, rows: Uint32Array): NamedColumn[] {
  const plan = planOfRuns(rows);
  return [...columns].map(({ name, type, column }) => ({ name, type, column: gatherColumn(type, [column], plan) }));
}

/** The ids of rows of several sources: id i is row `rows[i]` of source `sources[i]`. */
export function gatherIdsOf(columns: readonly IdColumn[], sources: Uint8Array, rows: Uint32Array): IdColumn {
  const [first] = columns;
  assert(first !== undefined, 'ids come from somewhere');
  const plan: GatherPlan = {
    runCount: rows.length,
    source: Uint32Array.from(sources),
    start: rows,
    length: new Uint32Array(rows.length).fill(1),
    rowCount: rows.length,
  };
  return gatherIds(first.idKind, columns, plan);
}

function planOfRuns(rows: Uint32Array): GatherPlan {
  const start = new Uint32Array(rows.length);
  const length = new Uint32Array(rows.length);
  let runCount = 0;
  for (const row of rows) {
    const last = runCount - 1;
    if (runCount > 0 && (start[last] as number) + (length[last] as number) === row) (length[last] as number)++;
    else {
      start[runCount] = row;
      length[runCount++] = 1;
    }
  }
  return { runCount, source: new Uint32Array(runCount), start, length, rowCount: rows.length };
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
