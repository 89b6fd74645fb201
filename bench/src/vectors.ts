/** Vectors in memory; row r is the document with id r. */
export interface Vectors {
  readonly rowCount: number;
  readonly dims: number;
  /** rowCount × dims, row-major. */
  readonly values: Float32Array;
}

export function rowOf({ values, dims }: Vectors, row: number): Float32Array {
  return values.subarray(row * dims, (row + 1) * dims);
}

/** Rows at equal distances are taken out and ask; the others keep their order and get new numbers. */
export function holdOut(
  all: Vectors,
  queryCount: number,
): { readonly rows: Vectors; readonly queries: Float32Array[] } {
  const { rowCount, dims } = all;
  const isQuery = new Set(
    Array.from({ length: queryCount }, (_, i) => Math.floor(((i + 0.5) * rowCount) / queryCount)),
  );
  const kept = new Float32Array((rowCount - isQuery.size) * dims);
  const queries: Float32Array[] = [];
  let next = 0;
  for (let row = 0; row < rowCount; row++) {
    if (isQuery.has(row)) queries.push(rowOf(all, row).slice());
    else kept.set(rowOf(all, row), next++ * dims);
  }
  return { rows: { rowCount: next, dims, values: kept }, queries };
}
