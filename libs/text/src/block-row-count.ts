/** Rows of a block of postings, the last one of a term has the rest. Part of the stored format. */
export const blockRowCount = 128;
