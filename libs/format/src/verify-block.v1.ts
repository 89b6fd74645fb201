import { isUtf8 } from 'node:buffer';
import { corrupt } from '@lagoon/base';
import { isBitmapOf } from './bitmap.ts';
import type { ArrayColumn, Block, Column, IdColumn, NamedColumn, ScalarColumn } from './column.ts';
import { compareIds, forEachCommonId } from './id-column.ts';
import { logicalBytesOf } from './logical-bytes.ts';
import { limits } from './schema.ts';
import { sparseProblem } from './sparse-entry.ts';

/** What the structure alone does not guarantee: order, offsets of values, nulls, UTF-8, sums. Throws `corrupt`. */
export function verifyContents(block: Block): void {
  verifyIds(block.ids, 'ids');
  verifyIds(block.deletes, 'deletes');
  forEachCommonId(block.ids, block.deletes, (row) => {
    throw corrupt('block upserts and deletes one id', { row });
  });
  for (const named of block.columns.values()) verifyColumn(named, block.rowCount);
  const logicalBytes = logicalBytesOf(block.ids, block.deletes, block.columns.values());
  if (logicalBytes !== block.logicalBytes) throw corrupt('block says another count of logical bytes');
}

export function verifyIds(ids: IdColumn, part: string): void {
  verifyIdTexts(ids, part);
  for (let row = 1; row < ids.count; row++) {
    if (compareIds(ids, row - 1, ids, row) >= 0) throw corrupt('ids are not in ascending order', { part, row });
  }
}

/** Of ids in any order: strings are UTF-8 of an allowed length. */
export function verifyIdTexts(ids: IdColumn, part: string): void {
  if (ids.idKind !== 'string') return;
  verifyStrings(ids.offsets, ids.bytes, ids.count, part);
  for (let row = 0; row < ids.count; row++) {
    const length = (ids.offsets[row + 1] as number) - (ids.offsets[row] as number);
    if (length === 0 || length > limits.idBytesMax) throw corrupt('id has a wrong length', { part, row, length });
  }
}

export function verifyColumn({ name, column }: NamedColumn, rowCount: number): void {
  if (column.nulls !== undefined && !isBitmapOf(column.nulls, rowCount)) {
    throw corrupt('null bitmap has bits past its rows', { part: name });
  }
  switch (column.kind) {
    case 'scalar':
      verifyScalar(column, rowCount, name);
      return;
    case 'array':
      verifyOffsets(column.rowOffsets, rowCount, name);
      verifyScalar(column.elements, column.rowOffsets[rowCount] as number, name);
      verifyEntries(column, rowCount, name);
      return;
    case 'vector':
      verifyNorms(column, name);
      if (column.values instanceof Float16Array) verifyHalves(column.values, name);
  }
}

function verifyEntries({ rowOffsets, elements }: ArrayColumn, rowCount: number, part: string): void {
  if (elements.scalar !== 'entry') return;
  for (let row = 0; row < rowCount; row++) {
    const problem = sparseProblem(elements.values, rowOffsets[row] as number, rowOffsets[row + 1] as number);
    if (problem !== undefined) throw corrupt(problem, { part, row });
  }
}

function verifyScalar(column: ScalarColumn, count: number, part: string): void {
  if (column.scalar === 'bool') {
    for (const value of column.values) if (value > 1) throw corrupt('bool is neither 0 nor 1', { part, value });
  }
  if (column.scalar === 'bytes') verifyOffsets(column.offsets, count, part);
  if (column.scalar === 'string') verifyStrings(column.offsets, column.bytes, count, part);
}

/** The last offset is the length of the bytes already: the reader took it from there. */
function verifyOffsets(offsets: Uint32Array, count: number, part: string): void {
  if (offsets[0] !== 0) throw corrupt('offsets do not start at 0', { part });
  for (let i = 0; i < count; i++) {
    if ((offsets[i] as number) > (offsets[i + 1] as number)) throw corrupt('offsets descend', { part, index: i });
  }
}

/** All bytes are UTF-8 and no value starts inside a character, hence every value is UTF-8. */
function verifyStrings(offsets: Uint32Array, bytes: Uint8Array, count: number, part: string): void {
  verifyOffsets(offsets, count, part);
  if (!isUtf8(bytes)) throw corrupt('strings are not utf-8', { part });
  for (let i = 0; i < count; i++) {
    const offset = offsets[i] as number;
    if (offset < bytes.length && ((bytes[offset] as number) & 0xc0) === 0x80) {
      throw corrupt('string starts inside a character', { part, index: i });
    }
  }
}

/** Kernels widen without a look at what is no number. */
function verifyHalves(values: Float16Array, part: string): void {
  const bits = new Uint16Array(values.buffer, values.byteOffset, values.length);
  for (let index = 0; index < bits.length; index++) {
    if (((bits[index] as number) & 0x7c00) === 0x7c00)
      throw corrupt('component of a vector is not finite', { part, index });
  }
}

/** A NaN among a row's values would have made its norm NaN when it was encoded; the checksum covers what came later. */
function verifyNorms(column: Extract<Column, { kind: 'vector' }>, part: string): void {
  for (let row = 0; row < column.inverseNorms.length; row++) {
    const norm = column.inverseNorms[row] as number;
    if (!(norm >= 0 && norm < Infinity)) throw corrupt('inverse norm is not a finite number', { part, row });
  }
}
