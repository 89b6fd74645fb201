import { mapBounded } from '@lagoon/base';
import type { IdKind } from '@lagoon/format';
import { idOf } from './id-rows.ts';
import { type FoundId, gatherIds, isSuperseded, type KnownIds } from './known-ids.ts';
import type { FilterPlan, Operand, QueryPlan } from './query-plan.ts';
import type { ResidentBlock } from './resident-block.ts';
import type { Snapshot } from './snapshot.ts';

/** Ids that are looked up one by one: each costs a read per segment. */
const namedCountMax = 8;

/** Segments that are read at once. */
const concurrentBlockCountMax = 8;

/** The ids that any answer of the query has, where its filter names few; undefined: it does not, or ids are needed for more than that. */
export function namedIds({ rank, filter, limitPer }: QueryPlan): readonly Operand[] | undefined {
  if (filter === undefined || limitPer !== undefined || rank.kind === 'text' || rank.kind === 'sparse')
    return undefined;
  if (matchesIdTexts(filter)) return undefined;
  const named = namedBy(filter);
  return named !== undefined && named.length <= namedCountMax ? named : undefined;
}

function namedBy(filter: FilterPlan): readonly Operand[] | undefined {
  if (filter.kind === 'idAny') return filter.operands;
  if (filter.kind !== 'and') return undefined;
  const named = filter.filters.map(namedBy).filter((operands) => operands !== undefined);
  return named.toSorted((a, b) => a.length - b.length)[0];
}

function matchesIdTexts(filter: FilterPlan): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.some(matchesIdTexts);
    case 'not':
      return matchesIdTexts(filter.filter);
    default:
      return 'attribute' in filter && filter.attribute === 'id';
  }
}

/**
 * The live rows with these ids of every segment whose ids are not in memory, by a read of one block of ids for each; undefined
 * where they are.
 */
export async function findNamed(
  { blocks, killers, schema }: Pick<Snapshot, 'blocks' | 'killers' | 'schema'>,
  operands: readonly Operand[],
  signal?: AbortSignal,
): Promise<readonly (KnownIds | undefined)[]> {
  return await mapBounded(
    blocks,
    concurrentBlockCountMax,
    async (block, _index, inner) => {
      if (block.hasIds) return undefined;
      const found = await findIn(block, schema.idKind, operands, inner);
      return gatherIds(
        schema.idKind,
        found.filter(({ ids, index }) => !isSuperseded(killers, ids, index)),
      );
    },
    signal,
  );
}

async function findIn(
  { reader }: ResidentBlock,
  idKind: IdKind,
  operands: readonly Operand[],
  signal?: AbortSignal,
): Promise<readonly FoundId[]> {
  if (reader === undefined) return [];
  const found = await mapBounded(
    operands,
    namedCountMax,
    async (operand, _index, inner): Promise<FoundId> => {
      const ids = idOf(idKind, operand);
      return { ids, index: 0, row: await reader.findRow(ids, 0, inner) };
    },
    signal,
  );
  const rows = new Set<number>();
  return found.filter(({ row }) => row >= 0 && !rows.has(row) && rows.add(row));
}
