/** One bit per row, least significant bit first, ⌈rowCount / 8⌉ bytes; bits past the last row are 0. */

export function rowBitmapSize(rowCount: number): number {
  return (rowCount + 7) >>> 3;
}

export function hasRow(bitmap: Uint8Array, row: number): boolean {
  return ((bitmap[row >>> 3] as number) & (1 << (row & 7))) !== 0;
}

export function addRow(bitmap: Uint8Array, row: number): void {
  bitmap[row >>> 3] = (bitmap[row >>> 3] as number) | (1 << (row & 7));
}

export function removeRow(bitmap: Uint8Array, row: number): void {
  bitmap[row >>> 3] = (bitmap[row >>> 3] as number) & ~(1 << (row & 7));
}

export function countRows(bitmap: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bitmap.length; i++) count += bitCounts[bitmap[i] as number] as number;
  return count;
}

/** Whether a bit past the last row is set, which no writer does. */
export function hasRowsBeyond(bitmap: Uint8Array, rowCount: number): boolean {
  const used = rowCount & 7;
  return used !== 0 && bitmap.length > 0 && (bitmap[bitmap.length - 1] as number) >>> used !== 0;
}

const bitCounts = new Uint8Array(256);
for (let value = 1; value < 256; value++) bitCounts[value] = (value & 1) + (bitCounts[value >>> 1] as number);
