import { assert } from '@lagoon/base';
import type { IdColumn } from '@lagoon/format';
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

/** Requests for vectors to one for ids: what is read between two rows to save a request is that much more. */
const vectorWeight = 5;

/** Requests of one round over all segments. */
export const requestCountMax = 48;

/**
 * Vectors and ids of the candidates, all in one round. Each read gets a share of the requests by how many rows it is for, and one at
 * least.
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
  const weightOf = (position: number, { rows, distances }: PieceCandidates): number =>
    rows.length * ((blocks[position]?.hasIds === true ? 0 : 1) + (distances === undefined ? vectorWeight : 0));
  const total = reads.reduce((sum, { candidates, position }) => sum + weightOf(position, candidates), 0);
  const share = (weight: number): number => Math.max(1, Math.floor((requestCountMax * weight) / total));
  return await settleAll(
    reads.map(async ({ candidates: { rows, distances }, position }) => {
      const block = blocks[position];
      assert(block?.reader !== undefined, 'candidates are of segments that are read by parts');
      const { reader } = block;
      const column = reader.footer.columns.find(({ name }) => name === attribute);
      assert(column !== undefined, 'candidates have the vector');
      const [ids, vectors] = await settleAll([
        readIds(block, rows, share(rows.length), signal),
        distances === undefined
          ? reader.readVectors(column, rows, share(vectorWeight * rows.length), signal)
          : undefined,
      ] as const);
      const candidates = Array.from(rows, (row, i) => ({ block: position, row, ...ids(i) }));
      return { candidates, distances, vectors };
    }),
  );
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

/** Nothing is under way any more when it fails. */
async function settleAll<T extends readonly unknown[]>(
  promises: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const settled = await Promise.allSettled(promises);
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  }) as { -readonly [K in keyof T]: Awaited<T[K]> };
}
