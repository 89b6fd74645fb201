import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { corrupt, LagoonError } from '@lagoon/base';
import {
  type Block,
  type IdColumn,
  type NamedColumn,
  openBlock,
  rowNumbers,
  sliceColumns,
  writeBlock,
} from '@lagoon/format';
import { documentBlockBytes, documentBlockBytesMax, documentBlockRowCountMax } from './segment-layout.v1.ts';

/**
 * Stored attributes in blocks (docs/formats/segment.v1.md, documents): each block holds all attributes of some neighbouring
 * rows as one columnar block whose ids are row numbers, compressed by zstd. So a document costs one read, and a merge copies
 * columns.
 */
export interface DocumentBlock {
  readonly rowCount: number;
  readonly rawSize: number;
  readonly compressed: Uint8Array;
}

/** The numbers of the rows where blocks of documents begin, and the count of rows: blocks aim at 32 KiB, and hold a row at least. */
export function cutDocuments(columns: readonly NamedColumn[], rowCount: number): number[] {
  const sizeOf = createRowSize(columns);
  const starts: number[] = [];
  let bytes = 0;
  for (let row = 0; row < rowCount; row++) {
    const size = sizeOf(row);
    const start = starts.at(-1);
    if (start === undefined || bytes + size > documentBlockBytes || row - start === documentBlockRowCountMax) {
      starts.push(row);
      bytes = 0;
    }
    bytes += size;
  }
  return [...starts, rowCount];
}

/** The rows [from, to), numbered from `firstNumber`. */
export function encodeDocuments(
  columns: readonly NamedColumn[],
  from: number,
  to: number,
  firstNumber: number,
): DocumentBlock {
  const raw = writeBlock({
    ids: rowNumbers(firstNumber, to - from),
    deletes: noDeletes,
    columns: sliceColumns(columns, from, to),
  });
  if (raw.length > documentBlockBytesMax) {
    throw new LagoonError('invalid_argument', 'document is too large', { context: { bytes: raw.length } });
  }
  const compressed = zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  return { rowCount: to - from, rawSize: raw.length, compressed };
}

/** Throws `corrupt` unless the bytes hold exactly the rows [firstNumber, firstNumber + rowCount). */
export function decodeDocuments(compressed: Uint8Array, firstNumber: number, rowCount: number, rawSize: number): Block {
  let raw: Uint8Array;
  try {
    // One byte more than is right, so that too much is seen and never allocated.
    raw = zstdDecompressSync(compressed, { maxOutputLength: rawSize + 1 });
  } catch (cause) {
    throw new LagoonError('corrupt', 'documents do not decompress', { cause });
  }
  if (raw.length !== rawSize) throw corrupt('documents have another size', { expected: rawSize, found: raw.length });
  const block = openBlock(raw);
  const { ids } = block;
  if (ids.idKind !== 'u64' || ids.count !== rowCount || (rowCount > 0 && ids.values[0] !== BigInt(firstNumber))) {
    throw corrupt('documents are of other rows', { firstNumber, rowCount });
  }
  return block;
}

const noDeletes: IdColumn = { idKind: 'u64', count: 0, values: new BigUint64Array(0) };

/** About the bytes of a row over all columns. */
function createRowSize(columns: readonly NamedColumn[]): (row: number) => number {
  const parts = columns.map(({ column }) => {
    const elements = column.kind === 'array' ? column.elements : column;
    const rowOffsets = column.kind === 'array' ? column.rowOffsets : undefined;
    return (row: number): number => {
      const from = rowOffsets === undefined ? row : (rowOffsets[row] as number);
      const to = rowOffsets === undefined ? row + 1 : (rowOffsets[row + 1] as number);
      const fixed = 8 * (to - from);
      if (!('offsets' in elements)) return fixed;
      return fixed + (elements.offsets[to] as number) - (elements.offsets[from] as number);
    };
  });
  return (row) => parts.reduce((sum, sizeOf) => sum + sizeOf(row), 8);
}
