import type { IdKind, ScalarType, VectorElement } from './schema.ts';

/** Constants of the columnar block v1; the byte tables with the reasons are in docs/formats/columns.v1.md. */
export const blockMagic = 0x424c474c; // "LGLB" read as little-endian u32
export const blockVersion = 1;
export const headerSize = 64;
export const sectionEntrySize = 16;
export const columnEntrySize = 16;
export const sectionAlignment = 16;
/** Offsets are u32 and sizes are multiples of 16. */
export const blockBytesMax = 0xffff_fff0;
/** The column of a section that belongs to no column. */
export const noColumn = 0xffff;

export const headerOffset = {
  magic: 0,
  version: 4,
  idKind: 6,
  crc: 8,
  size: 12,
  rowCount: 16,
  deleteCount: 20,
  columnCount: 24,
  sectionCount: 28,
  logicalBytes: 32,
  reserved: 40,
} as const;

/** The checksum covers [0, crcOffset) and [afterCrcOffset, size). */
export const crcOffset = headerOffset.crc;
export const afterCrcOffset = crcOffset + 4;

export const sectionKind = {
  idOffsets: 1,
  ids: 2,
  deleteOffsets: 3,
  deletes: 4,
  columnTable: 5,
  columnNames: 6,
  nulls: 16,
  rowOffsets: 17,
  valueOffsets: 18,
  values: 19,
  inverseNorms: 20,
} as const;

export type SectionName = keyof typeof sectionKind;

/** Position in the list = code in the block. Only ever appended to. */
export const idKindCodes: readonly IdKind[] = ['u64', 'uuid', 'string'];
export const columnKindCodes = ['scalar', 'array', 'vector'] as const;
export const scalarCodes: readonly ScalarType[] = [
  'string',
  'int',
  'uint',
  'float',
  'uuid',
  'datetime',
  'bool',
  'bytes',
  'entry',
];
export const vectorElementCodes: readonly VectorElement[] = ['f32', 'f16', 'i8'];

/** Bytes of one value of a scalar type of fixed width; undefined for string and bytes. */
export function scalarWidth(scalar: ScalarType): number | undefined {
  switch (scalar) {
    case 'string':
    case 'bytes':
      return undefined;
    case 'bool':
      return 1;
    case 'uuid':
      return 16;
    case 'int':
    case 'uint':
    case 'float':
    case 'datetime':
    case 'entry':
      return 8;
  }
}
