import { assert, settleAll } from '@lagoon/base';
import { type IdColumn, vectorElementBytes } from '@lagoon/format';
import type { SegmentReader } from '@lagoon/segment';
import type { PieceCandidates } from './piece-step.ts';
import type { ResidentBlock } from './resident-block.ts';
import { rankOfRow } from './row-ranks.ts';

/** A row that may be answered. */
export interface Candidate {
  /** In the job's list of blocks. */
  readonly block: number;
  readonly row: number;
  /** Number `index` of `ids`. */
  readonly ids: IdColumn;
  readonly index: number;
}

export interface ReadCandidates {
  readonly candidates: readonly Candidate[];
  /** Exact, per candidate; undefined: to be computed from the vectors. */
  readonly distances: Float32Array | undefined;
  /** One behind the other. */
  readonly vectors: Uint8Array | undefined;
}

/** Requests of one round over all segments. */
export const requestCountMax = 48;

/**
 * Vectors and ids of the candidates, all in one round. Each segment gets a share of the requests by how many rows it is read for, and
 * one of each kind at least.
 */
export async function readCandidates(
  blocks: readonly ResidentBlock[],
  attribute: string,
  found: readonly (PieceCandidates | undefined)[],
  signal?: AbortSignal,
): Promise<readonly ReadCandidates[]> {
  const reads = found.flatMap((candidates, position) =>
    candidates === undefined || candidates.rows.length === 0 ? [] : [{ candidates, position }],
  );
  const total = reads.reduce((sum, { candidates }) => sum + candidates.rows.length, 0);
  return await settleAll(
    reads.map(async ({ candidates: { rows, distances }, position }) => {
      const block = blocks[position];
      assert(block?.reader !== undefined, 'candidates are of segments that are read by parts');
      const { reader } = block;
      const column = reader.footer.columns.find(({ name }) => name === attribute);
      assert(column?.type.kind === 'vector', 'candidates have the vector');
      const share = Math.max(2, Math.floor((requestCountMax * rows.length) / total));
      const vectorBytes = vectorElementBytes(column.type.element) * column.type.dims;
      const both = splitRequests(rows, share, idBytesOf(reader), vectorBytes);
      const [ids, vectors] = await settleAll([
        readIds(block, rows, distances === undefined ? both.ids : share, signal),
        distances === undefined
          ? reader.readVectors(column, rows, block.hasIds ? share : both.vectors, signal)
          : undefined,
      ] as const);
      const candidates = Array.from(rows, (row, i) => ({ block: position, row, ...ids(i) }));
      return { candidates, distances, vectors };
    }),
  );
}

function idBytesOf({ footer: { idKind, rowCount }, idBytes }: SegmentReader): number {
  if (idKind === 'string') return idBytes / rowCount;
  return idKind === 'u64' ? 8 : 16;
}

/** Each further request leaves out the largest gap between rows that is still read: it goes where that is more bytes. */
function splitRequests(
  rows: Uint32Array,
  count: number,
  idBytes: number,
  vectorBytes: number,
): { readonly ids: number; readonly vectors: number } {
  const sorted = rows.toSorted();
  const gaps = Uint32Array.from({ length: rows.length - 1 }, (_, i) => {
    return (sorted[i + 1] as number) - (sorted[i] as number);
  });
  gaps.sort().reverse();
  let [ids, vectors] = [1, 1];
  while (ids + vectors < count) {
    if ((gaps[vectors - 1] ?? 0) * vectorBytes >= (gaps[ids - 1] ?? 0) * idBytes) vectors++;
    else ids++;
  }
  return { ids, vectors };
}

async function readIds(
  { block, hasIds, reader }: ResidentBlock,
  rows: Uint32Array,
  countMax: number,
  signal?: AbortSignal,
): Promise<(index: number) => Pick<Candidate, 'ids' | 'index'>> {
  if (hasIds || reader === undefined) {
    return (i) => ({ ids: block.ids, index: rankOfRow(block, rows[i] as number) });
  }
  const ids = await reader.readRowIds(rows, countMax, signal);
  return (index) => ({ ids, index });
}
