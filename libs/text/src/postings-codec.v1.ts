import { type ByteWriter, corrupt, createByteReader } from '@lagoon/base';
import { blockRowCount } from './block-row-count.ts';
import { bitWidth, packBits, packedSize, unpackBits } from './packed-bits.ts';
import { impactsOf, type PostingsBlocks } from './postings-blocks.ts';
import type { Postings } from './text-index.ts';

/**
 * The rows of one term (docs/formats/segment.v1.md, text): blocks of 128 rows; a table of the blocks comes first, so that a
 * reader can skip by row or by what a block can score at most, whatever k1, b and the average length are.
 */
export function encodePostings(writer: ByteWriter, { rows, frequencies }: Postings, lengths: Uint32Array): void {
  const gaps = new Uint32Array(rows.length);
  const extra = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    gaps[i] = (rows[i] as number) - (i === 0 ? -1 : (rows[i - 1] as number)) - 1;
    extra[i] = (frequencies[i] as number) - 1;
  }
  const blocks = [];
  for (let from = 0; from < rows.length; from += blockRowCount) {
    const to = Math.min(from + blockRowCount, rows.length);
    blocks.push({
      ...{ from, to, lastRow: rows[to - 1] as number },
      ...{ rowBits: bitWidth(gaps, from, to), frequencyBits: bitWidth(extra, from, to) },
      impacts: impactsOf({ rows, frequencies }, lengths, from, to),
    });
  }
  let before = -1;
  for (const { lastRow, rowBits, frequencyBits, impacts } of blocks) {
    writer.varint(lastRow - before);
    before = lastRow;
    writer.bytes(Uint8Array.of(rowBits, frequencyBits, impacts.lengths.length));
    for (const [i, frequency] of impacts.frequencies.entries()) {
      writer.varint(frequency);
      writer.varint(impacts.lengths[i] as number);
    }
  }
  for (const { from, to, rowBits, frequencyBits } of blocks) {
    packBits(gaps, from, to, rowBits, writer.reserve(packedSize(to - from, rowBits)), 0);
    packBits(extra, from, to, frequencyBits, writer.reserve(packedSize(to - from, frequencyBits)), 0);
  }
}

/**
 * Opens the `count` postings in bytes[from, to); they are read in place, so the bytes must not change. `corrupt` here or when a
 * block is unpacked: for rows that are not there, bytes that are too few or too many.
 */
export function openPostings(
  bytes: Uint8Array,
  from: number,
  to: number,
  count: number,
  rowCount: number,
): PostingsBlocks {
  const reader = createByteReader(bytes, from, to);
  const blockCount = Math.ceil(count / blockRowCount);
  if (blockCount * entrySizeMin > to - from) throw corrupt('postings end early', { count, bytes: to - from });
  const lastRows = new Uint32Array(blockCount);
  const widths = new Uint8Array(2 * blockCount);
  const impactStarts = new Uint32Array(blockCount + 1);
  const impactFrequencies: number[] = [];
  const impactLengths: number[] = [];
  let lastRow = -1;
  for (let block = 0; block < blockCount; block++) {
    lastRow += reader.varint();
    if (lastRow >= rowCount) throw corrupt('postings name a wrong row', { row: lastRow, rowCount });
    lastRows[block] = lastRow;
    const [rowBits, frequencyBits, impactCount] = [reader.u8(), reader.u8(), reader.u8()];
    if (rowBits > 32 || frequencyBits > 32) throw corrupt('postings have numbers that are too wide', { rowBits });
    widths[2 * block] = rowBits;
    widths[2 * block + 1] = frequencyBits;
    for (let i = 0; i < impactCount; i++) {
      impactFrequencies.push(reader.varint());
      impactLengths.push(reader.varint());
    }
    impactStarts[block + 1] = impactLengths.length;
  }
  const offsets = blockOffsets(reader.offset, to, count, widths);
  return {
    ...{ count, lastRows, impactStarts },
    impactFrequencies: Uint32Array.from(impactFrequencies),
    impactLengths: Uint32Array.from(impactLengths),
    unpack: (block, rows, frequencies) => {
      const first = block * blockRowCount;
      const size = Math.min(blockRowCount, count - first);
      const [rowBits, frequencyBits] = [widths[2 * block] as number, widths[2 * block + 1] as number];
      const offset = offsets[block] as number;
      unpackBits(bytes, offset, size, rowBits, rows, first);
      unpackBits(bytes, offset + packedSize(size, rowBits), size, frequencyBits, frequencies, 0);
      let row = block === 0 ? -1 : (lastRows[block - 1] as number);
      for (let i = 0; i < size; i++) {
        row += (rows[first + i] as number) + 1;
        rows[first + i] = row;
        (frequencies[i] as number)++;
      }
      if (row !== lastRows[block]) throw corrupt('postings name a wrong row', { row, rowCount });
    },
  };
}

/** A block's last row, two widths and the count of its impacts. */
const entrySizeMin = 4;

/** Where the packed rows of each block begin; they fill the bytes up to `to`. */
function blockOffsets(from: number, to: number, count: number, widths: Uint8Array): Uint32Array {
  const offsets = new Uint32Array(widths.length / 2);
  let at = from;
  for (let block = 0; block < offsets.length; block++) {
    offsets[block] = at;
    const size = Math.min(blockRowCount, count - block * blockRowCount);
    at += packedSize(size, widths[2 * block] as number) + packedSize(size, widths[2 * block + 1] as number);
  }
  if (at !== to) throw corrupt('postings end early, or have bytes too many', { offset: at, end: to });
  return offsets;
}
