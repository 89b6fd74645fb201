import { invalidArgument } from '@lagoon/base';
import { createBitmap, getBit, setBit, setBitRange } from './bitmap.ts';
import type { Column, IdColumn, NullBitmap, ScalarColumn } from './column.ts';
import { scalarWidth } from './layout.v1.ts';
import { scalarColumnOf } from './scalar-column.ts';
import type { AttributeType, IdKind, ScalarType } from './schema.ts';
import { vectorElementBytes, vectorValuesOf } from './vector-element.ts';

/** Rows to take, in order, as runs of neighbours: run i is the rows [start[i], start[i] + length[i]) of source[i]. */
export interface GatherPlan {
  readonly runCount: number;
  readonly source: Uint32Array;
  readonly start: Uint32Array;
  readonly length: Uint32Array;
  /** Sum of the lengths. */
  readonly rowCount: number;
}

/** One row per run, all of source 0. */
export function planOfOrder(order: Uint32Array): GatherPlan {
  const rowCount = order.length;
  return {
    runCount: rowCount,
    source: new Uint32Array(rowCount),
    start: order,
    length: new Uint32Array(rowCount).fill(1),
    rowCount,
  };
}

/** `rowCount` rows, all missing. */
export function missingColumn(type: AttributeType, rowCount: number): Column {
  return gatherColumn(type, [undefined], {
    runCount: 1,
    source: Uint32Array.of(0),
    start: Uint32Array.of(0),
    length: Uint32Array.of(rowCount),
    rowCount,
  });
}

/** Copies the planned rows of columns of one type; a source without the column (undefined) gives missing values. */
export function gatherColumn(type: AttributeType, sources: readonly (Column | undefined)[], plan: GatherPlan): Column {
  const nulls = gatherNulls(sources, plan);
  switch (type.kind) {
    case 'scalar':
      return gatherScalar(type.scalar, sources as readonly (ScalarColumn | undefined)[], plan, nulls);
    case 'array':
      return gatherArray(type.scalar, sources, plan, nulls);
    case 'vector': {
      const { element, dims } = type;
      const vectors = sources.map((source) => (source?.kind === 'vector' ? source : undefined));
      const rowBytes = vectorElementBytes(element) * dims;
      const bytes = new Uint8Array(plan.rowCount * rowBytes);
      const views = vectors.map((vector) => vector && bytesOf(vector.values));
      copyRows(bytes, views, plan, rowBytes);
      const inverseNorms = new Float32Array(plan.rowCount);
      copyWords(
        words(inverseNorms),
        vectors.map((vector) => vector && words(vector.inverseNorms)),
        plan,
        1,
      );
      return { kind: 'vector', element, dims, nulls, values: vectorValuesOf(element, bytes), inverseNorms };
    }
  }
}

export function gatherIds(idKind: IdKind, sources: readonly IdColumn[], plan: GatherPlan): IdColumn {
  const count = plan.rowCount;
  if (idKind === 'u64') {
    const values = new BigUint64Array(count);
    copyWords(
      words(values),
      sources.map((source) => (source.idKind === 'u64' ? words(source.values) : undefined)),
      plan,
      2,
    );
    return { idKind, count, values };
  }
  if (idKind === 'uuid') {
    const bytes = new Uint8Array(16 * count);
    copyWords(
      words(bytes),
      sources.map((source) => (source.idKind === 'uuid' ? words(source.bytes) : undefined)),
      plan,
      4,
    );
    return { idKind, count, bytes };
  }
  const texts = sources.map((source) => (source.idKind === 'string' ? source : undefined));
  return { idKind, count, ...gatherVariable(texts, plan) };
}

function gatherScalar(
  scalar: ScalarType,
  sources: readonly (ScalarColumn | undefined)[],
  plan: GatherPlan,
  nulls: NullBitmap,
): ScalarColumn {
  const width = scalarWidth(scalar);
  if (width === undefined) {
    const texts = sources.map((source) => (source !== undefined && 'offsets' in source ? source : undefined));
    const { offsets, bytes } = gatherVariable(texts, plan);
    return scalarColumnOf(scalar, nulls, plan.rowCount, bytes, offsets);
  }
  const bytes = new Uint8Array(width * plan.rowCount);
  const views = sources.map((source) => source && rawBytes(source));
  copyRows(bytes, views, plan, width);
  return scalarColumnOf(scalar, nulls, plan.rowCount, bytes);
}

function gatherArray(
  scalar: ScalarType,
  sources: readonly (Column | undefined)[],
  plan: GatherPlan,
  nulls: NullBitmap,
): Column {
  const arrays = sources.map((source) => (source?.kind === 'array' ? source : undefined));
  const rowOffsets = gatherOffsets(
    arrays.map((array) => array?.rowOffsets),
    plan,
  );
  const elementPlan = planOfRanges(
    arrays.map((array) => array?.rowOffsets),
    plan,
    rowOffsets[plan.rowCount] as number,
  );
  const elements = gatherScalar(
    scalar,
    arrays.map((array) => array?.elements),
    elementPlan,
    undefined,
  );
  return { kind: 'array', scalar, nulls, rowOffsets, elements };
}

/** The plan of what the offsets of the planned rows enclose: the elements of their arrays, the bytes of their strings. */
function planOfRanges(offsets: readonly (Uint32Array | undefined)[], plan: GatherPlan, total: number): GatherPlan {
  const start = new Uint32Array(plan.runCount);
  const length = new Uint32Array(plan.runCount);
  for (let run = 0; run < plan.runCount; run++) {
    const source = offsets[plan.source[run] as number];
    if (source === undefined) continue;
    const from = plan.start[run] as number;
    start[run] = source[from] as number;
    length[run] = (source[from + (plan.length[run] as number)] as number) - (source[from] as number);
  }
  return { runCount: plan.runCount, source: plan.source, start, length, rowCount: total };
}

function gatherVariable(
  sources: readonly ({ readonly offsets: Uint32Array; readonly bytes: Uint8Array } | undefined)[],
  plan: GatherPlan,
): { offsets: Uint32Array; bytes: Uint8Array } {
  const sourceOffsets = sources.map((source) => source?.offsets);
  const offsets = gatherOffsets(sourceOffsets, plan);
  const total = offsets[plan.rowCount] as number;
  const bytes = new Uint8Array(total);
  copyBytes(
    bytes,
    sources.map((source) => source?.bytes),
    planOfRanges(sourceOffsets, plan, total),
    1,
  );
  return { offsets, bytes };
}

function gatherOffsets(sources: readonly (Uint32Array | undefined)[], plan: GatherPlan): Uint32Array {
  const out = new Uint32Array(plan.rowCount + 1);
  let row = 0;
  let end = 0;
  for (let run = 0; run < plan.runCount; run++) {
    const source = sources[plan.source[run] as number];
    const from = plan.start[run] as number;
    const length = plan.length[run] as number;
    for (let i = from; i < from + length; i++) {
      if (source !== undefined) end += (source[i + 1] as number) - (source[i] as number);
      out[++row] = end;
    }
  }
  if (end > 0xffff_ffff) throw invalidArgument('values of one attribute are too large', { bytes: end });
  return out;
}

function gatherNulls(sources: readonly (Column | undefined)[], plan: GatherPlan): NullBitmap {
  if (sources.every((source) => source !== undefined && source.nulls === undefined)) return undefined;
  const out = createBitmap(plan.rowCount);
  let any = false;
  let row = 0;
  for (let run = 0; run < plan.runCount; run++) {
    const source = sources[plan.source[run] as number];
    const length = plan.length[run] as number;
    if (source === undefined) {
      setBitRange(out, row, row + length);
      any ||= length > 0;
    } else if (source.nulls !== undefined) {
      const from = plan.start[run] as number;
      for (let i = 0; i < length; i++) {
        if (!getBit(source.nulls, from + i)) continue;
        setBit(out, row + i);
        any = true;
      }
    }
    row += length;
  }
  return any ? out : undefined;
}

/** A run below this many elements is copied by hand: a view and a call cost more. */
const bulkCopyMin = 64;

/** Rows of a fixed width in bytes, by words where they are made of them; rows without a source stay 0. */
function copyRows(
  out: Uint8Array,
  sources: readonly (Uint8Array | undefined)[],
  plan: GatherPlan,
  rowBytes: number,
): void {
  if (rowBytes % 4 !== 0) {
    copyBytes(out, sources, plan, rowBytes);
    return;
  }
  const views = sources.map((source) => source && words(source));
  copyWords(words(out), views, plan, rowBytes / 4);
}

/** `stride` words per row. */
function copyWords(
  out: Uint32Array,
  sources: readonly (Uint32Array | undefined)[],
  plan: GatherPlan,
  stride: number,
): void {
  let to = 0;
  for (let run = 0; run < plan.runCount; run++) {
    const source = sources[plan.source[run] as number];
    const from = (plan.start[run] as number) * stride;
    const length = (plan.length[run] as number) * stride;
    if (source !== undefined) {
      if (length >= bulkCopyMin) out.set(source.subarray(from, from + length), to);
      else for (let i = 0; i < length; i++) out[to + i] = source[from + i] as number;
    }
    to += length;
  }
}

function copyBytes(
  out: Uint8Array,
  sources: readonly (Uint8Array | undefined)[],
  plan: GatherPlan,
  stride: number,
): void {
  let to = 0;
  for (let run = 0; run < plan.runCount; run++) {
    const source = sources[plan.source[run] as number];
    const from = (plan.start[run] as number) * stride;
    const length = (plan.length[run] as number) * stride;
    if (source !== undefined) {
      if (length >= bulkCopyMin) out.set(source.subarray(from, from + length), to);
      else for (let i = 0; i < length; i++) out[to + i] = source[from + i] as number;
    }
    to += length;
  }
}

function rawBytes(column: ScalarColumn): Uint8Array {
  return 'bytes' in column ? column.bytes : bytesOf(column.values);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Most fixed widths are multiples of 4 bytes, so one kind of array copies them all (and keeps NaN bits as they are). */
function words(view: ArrayBufferView): Uint32Array {
  return new Uint32Array(view.buffer, view.byteOffset, view.byteLength / 4);
}
