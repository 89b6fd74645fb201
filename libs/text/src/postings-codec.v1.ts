import { type ByteWriter, corrupt, createByteReader } from '@lagoon/base';
import { bitWidth, packBits, packedSize, unpackBits } from './packed-bits.ts';
import type { Postings } from './text-index.ts';

/**
 * The rows of one term (docs/formats/segment.v1.md, text): blocks of 128 rows; a table of the blocks comes first, so that a
 * reader can skip by row or by what a block can score at most, whatever k1, b and the average length are.
 */
const blockRowCount = 128;

/** What a block can score at most: no row of it has a higher frequency in a shorter text than one of these. */
export interface Impact {
  readonly frequency: number;
  readonly length: number;
}

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
    writer.bytes(Uint8Array.of(rowBits, frequencyBits, impacts.length));
    for (const impact of impacts) {
      writer.varint(impact.frequency);
      writer.varint(impact.length);
    }
  }
  for (const { from, to, rowBits, frequencyBits } of blocks) {
    packBits(gaps, from, to, rowBits, writer.reserve(packedSize(to - from, rowBits)), 0);
    packBits(extra, from, to, frequencyBits, writer.reserve(packedSize(to - from, frequencyBits)), 0);
  }
}

interface BlockEntry {
  readonly count: number;
  readonly lastRow: number;
  readonly rowBits: number;
  readonly frequencyBits: number;
  readonly impacts: readonly Impact[];
}

/** The table of `count` postings that begin at `from`: what each block holds, and where the packed rows begin. */
export function readPostingsTable(
  bytes: Uint8Array,
  from: number,
  to: number,
  count: number,
): { readonly blocks: readonly BlockEntry[]; readonly offset: number } {
  const reader = createByteReader(bytes, from, to);
  const blocks: BlockEntry[] = [];
  let lastRow = -1;
  for (let left = count; left > 0; left -= blockRowCount) {
    lastRow += reader.varint();
    const [rowBits, frequencyBits, impactCount] = [reader.u8(), reader.u8(), reader.u8()];
    if (rowBits > 32 || frequencyBits > 32) throw corrupt('postings have numbers that are too wide', { rowBits });
    const impacts = Array.from({ length: impactCount }, () => ({
      frequency: reader.varint(),
      length: reader.varint(),
    }));
    blocks.push({ count: Math.min(left, blockRowCount), lastRow, rowBits, frequencyBits, impacts });
  }
  return { blocks, offset: reader.offset };
}

/** Rows and frequencies of a term, copied; `corrupt` for rows that are not there or bytes that are too few or too many. */
export function decodePostings(bytes: Uint8Array, from: number, to: number, count: number, rowCount: number): Postings {
  const { blocks, offset } = readPostingsTable(bytes, from, to, count);
  const rows = new Uint32Array(count);
  const frequencies = new Uint32Array(count);
  let at = offset;
  let index = 0;
  let row = -1;
  for (const block of blocks) {
    const rowBytes = packedSize(block.count, block.rowBits);
    const frequencyBytes = packedSize(block.count, block.frequencyBits);
    if (at + rowBytes + frequencyBytes > to) throw corrupt('postings end early', { offset: at });
    unpackBits(bytes, at, block.count, block.rowBits, rows, index);
    unpackBits(bytes, at + rowBytes, block.count, block.frequencyBits, frequencies, index);
    at += rowBytes + frequencyBytes;
    for (const end = index + block.count; index < end; index++) {
      row += (rows[index] as number) + 1;
      rows[index] = row;
      (frequencies[index] as number)++;
    }
    if (row !== block.lastRow || row >= rowCount) throw corrupt('postings name a wrong row', { row, rowCount });
  }
  if (at !== to) throw corrupt('postings have bytes too many', { offset: at, end: to });
  return { rows, frequencies };
}

/** Of the block's (frequency, length) pairs those that no other one beats in both: by ascending length. */
function impactsOf({ rows, frequencies }: Postings, lengths: Uint32Array, from: number, to: number): Impact[] {
  const pairs: Impact[] = [];
  for (let i = from; i < to; i++) {
    pairs.push({ frequency: frequencies[i] as number, length: lengths[rows[i] as number] as number });
  }
  pairs.sort((a, b) => a.length - b.length || b.frequency - a.frequency);
  const best: Impact[] = [];
  for (const pair of pairs) if (pair.frequency > (best.at(-1)?.frequency ?? 0)) best.push(pair);
  return best;
}
