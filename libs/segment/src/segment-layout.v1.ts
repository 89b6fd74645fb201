/** Constants of segment format v1; the byte tables with the reasons are in docs/formats/segment.v1.md. */
export const segmentMagic = 0x4753474c; // "LGSG" read as little-endian u32
export const footerMagic = 0x4653474c; // "LGSF"
export const flatMagic = 0x424c474c; // "LGLB": a columnar block, what segments were before
export const segmentVersion = 1;
export const segmentHeaderSize = 16;
export const trailerSize = 16;
/** Sections begin at multiples of it. */
export const sectionAlignment = 16;

/** Numbers are for ever. 18 is reserved: sparse. */
export const sectionKind = {
  ids: 1,
  idFilter: 2,
  idRanks: 3,
  column: 4,
  text: 5,
  documents: 6,
  valueIndex: 7,
  ngramIndex: 8,
  rowIds: 9,
  clusters: 16,
  codes: 17,
  listRows: 19,
} as const;

export type SectionKind = keyof typeof sectionKind;

/** Granules of vectors and ids: what one random read costs. */
export const smallGranuleBytes = 4096;
/** Granules of what is read as a whole. */
export const largeGranuleBytes = 64 << 10;
/** Most bytes before the footer that are read with it. */
export const footerLeadBytesMax = 4 << 20;
/** Aimed at: a granule of an attribute index, which is what looking up a value reads twice. */
export const indexGranuleBytes = 16 << 10;
/** Fewer rows are scanned sooner than an index is read. */
export const indexedRowCountMin = 1_024;
/** Aimed at: a block of documents before compression. One document may be larger. */
export const documentBlockBytes = 32 << 10;
export const documentBlockRowCountMax = 4096;
/** A block of documents never decompresses to more: one document of the largest size, and some. */
export const documentBlockBytesMax = 128 << 20;

/** Rows per block of ids; the first id of each is in the footer. */
export const idBlockRowCount = { u64: 512, uuid: 256, string: 128 } as const;
