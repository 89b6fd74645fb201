import { isLagoonError, type LagoonError } from '@lagoon/base';
import { andInPlace, type Block, countBits, createBitmap, forEachBit, setBit } from '@lagoon/format';
import { evaluateFilter } from './evaluate-filter.ts';
import { createFilterContext, type FilterContext } from './filter-context.ts';
import type { FilterPlan } from './query-plan.ts';
import { createRowMatcher } from './row-matcher.ts';

/** A block of a snapshot with its live rows; undefined: all. */
export interface MatchedPart {
  readonly block: Block;
  readonly live: Uint8Array | undefined;
}

/** Rows by block; blocks without any are left out. */
export type MatchedRows = Map<Block, Uint8Array>;

/** Answers of filters over parts that do not change, found a few rows at a time where one takes long. */
export interface PreparedMatches {
  match(filter: FilterPlan): MatchedRows;
  /** So that `match` need not search: for filters that read texts. Their failures are kept, too. */
  prepare(filter: FilterPlan, breathe: () => Promise<void>): Promise<void>;
}

/** Filters that are remembered; those of one group of writes are few. */
const preparedCountMax = 64;
/** Texts that are tested between two breaths. */
const rowsPerBreath = 16;

export function createPreparedMatches(parts: readonly MatchedPart[]): PreparedMatches {
  const prepared = new Map<string, { readonly rows: MatchedRows } | { readonly error: LagoonError }>();
  return {
    match: (filter) => {
      const known = readsTexts(filter) ? prepared.get(keyOf(filter)) : undefined;
      if (known === undefined) return matchParts(parts, filter);
      if ('error' in known) throw known.error;
      return new Map([...known.rows].map(([block, rows]) => [block, rows.slice()]));
    },
    prepare: async (filter, breathe) => {
      if (!readsTexts(filter) || prepared.size >= preparedCountMax) return;
      const key = keyOf(filter);
      if (prepared.has(key)) return;
      const context = createFilterContext();
      const rows: MatchedRows = new Map();
      for (const part of parts) {
        await breathe();
        const found = await matchSlowly(context, part, filter, breathe).catch(refused);
        if ('error' in found) {
          prepared.set(key, found);
          return;
        }
        if (countBits(found) > 0) rows.set(part.block, found);
      }
      prepared.set(key, { rows });
    },
  };
}

/** What is wrong with the filter is for whoever asks; an abort is for the caller. */
function refused(error: unknown): { readonly error: LagoonError } {
  if (isLagoonError(error, 'invalid_argument')) return { error };
  throw error;
}

function matchParts(parts: readonly MatchedPart[], filter: FilterPlan): MatchedRows {
  const matched: MatchedRows = new Map();
  const context = createFilterContext();
  for (const { block, live } of parts) {
    const rows = evaluateFilter(context, { block }, filter, live);
    if (live !== undefined) andInPlace(rows, live);
    if (countBits(rows) > 0) matched.set(block, rows);
  }
  return matched;
}

/** Of the rows that the quick parts leave, one after the other. */
async function matchSlowly(
  context: FilterContext,
  { block, live }: MatchedPart,
  filter: FilterPlan,
  breathe: () => Promise<void>,
): Promise<Uint8Array> {
  const parts = filter.kind === 'and' ? filter.filters : [filter];
  const quick: FilterPlan = { kind: 'and', filters: parts.filter((part) => !readsTexts(part)) };
  const candidates = evaluateFilter(context, { block }, quick, live);
  if (live !== undefined) andInPlace(candidates, live);
  const asked: number[] = [];
  forEachBit(candidates, (row) => void asked.push(row));
  const matches = createRowMatcher(context, block, { kind: 'and', filters: parts.filter(readsTexts) });
  const rows = createBitmap(block.rowCount);
  for (const [i, row] of asked.entries()) {
    if (i % rowsPerBreath === 0) await breathe();
    if (matches(row)) setBit(rows, row);
  }
  return rows;
}

function readsTexts(filter: FilterPlan): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.some(readsTexts);
    case 'not':
      return readsTexts(filter.filter);
    default:
      return filter.kind === 'text' || filter.kind === 'tokens';
  }
}

function keyOf(filter: FilterPlan): string {
  return JSON.stringify(filter, (_name, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Uint8Array ? [...value] : value;
  });
}
