import { mapBounded } from '@lagoon/base';
import type { PinnedBlock } from '@lagoon/cache';
import { findKeyRange, findKeys, nullPostings, type PostingsRange, type ReadIndexGranules } from '@lagoon/segment';
import type { AcquireDeps, PinList } from './acquire-parts.ts';
import { acquireGranules } from './index-granules.ts';
import type { IndexedFilter, IndexedRows, RowSetsPlace } from './indexed-filter.ts';
import type { FilterLookup, IndexName, RowsLookup } from './plan-lookup.ts';

/** Lookups of one filter in one segment that are under way at once. */
const concurrentLookupCountMax = 8;

/**
 * Looks up what was planned: blocks of dictionaries, then the sets of rows that they name, all of which come into the arena and
 * are the pin list's. `key`: of the segment.
 */
export async function lookUpFilter(
  deps: AcquireDeps,
  key: string,
  lookup: FilterLookup,
  pins: PinList,
  signal?: AbortSignal,
): Promise<IndexedFilter> {
  const walk = async (node: FilterLookup, inner?: AbortSignal): Promise<IndexedFilter> => {
    switch (node.kind) {
      case 'column':
        return node;
      case 'not':
        return { kind: 'not', filter: await walk(node.filter, inner) };
      case 'and':
      case 'or':
        return { kind: node.kind, filters: await each(node.filters, walk, inner) };
      case 'rows':
        return { kind: 'rows', rows: await lookUpRows(deps, key, node.rows, pins, inner) };
      case 'candidates': {
        const rows = await lookUpRows(deps, key, node.rows, pins, inner);
        return { kind: 'candidates', rows, filter: node.filter };
      }
    }
  };
  return walk(lookup, signal);
}

function each<T, R>(
  items: readonly T[],
  task: (item: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  return mapBounded(items, concurrentLookupCountMax, (item, _index, inner) => task(item, inner), signal);
}

async function lookUpRows(
  deps: AcquireDeps,
  key: string,
  lookup: RowsLookup,
  pins: PinList,
  signal?: AbortSignal,
): Promise<IndexedRows> {
  if ('of' in lookup) {
    const of = await each(lookup.of, (inner, innerSignal) => lookUpRows(deps, key, inner, pins, innerSignal), signal);
    return { kind: lookup.kind, of };
  }
  const { name, index } = lookup.index;
  const { root } = index;
  const prefix = `${key}#${name}`;
  const acquire = (granules: readonly number[]): Promise<readonly PinnedBlock[]> =>
    acquireGranules(deps, prefix, index, granules, pins, signal);
  const read: ReadIndexGranules = async (granules) => (await acquire(granules)).map(({ block }) => block.bytes);
  const sets = async (ranges: readonly PostingsRange[]): Promise<IndexedRows> => ({
    kind: 'sets',
    sets: await placesOf(lookup.index, ranges, acquire),
  });
  switch (lookup.kind) {
    case 'nulls':
      return sets([nullPostings(root)]);
    case 'keys':
      return sets(await findKeys(root, lookup.keys, read));
    case 'range': {
      const found = await findKeyRange(root, lookup.range, read);
      const isWide = 2 * (found.to - found.from) > root.postingsBytes;
      if (!lookup.isSingle || !isWide) return sets([found]);
      const others = [
        nullPostings(root),
        { from: root.nullBytes, to: found.from },
        { from: found.to, to: root.postingsBytes },
      ];
      return { kind: 'not', of: await sets(others) };
    }
  }
}

/** Where the postings lie in the arena; neighbouring ranges become one. */
async function placesOf(
  { index: { root } }: IndexName,
  ranges: readonly PostingsRange[],
  acquire: (granules: readonly number[]) => Promise<readonly PinnedBlock[]>,
): Promise<readonly RowSetsPlace[]> {
  const wanted = ranges.filter(({ from, to }) => from < to);
  const granules = [...new Set(wanted.flatMap((range) => granulesOf(root, range)))];
  const blocks = await acquire(granules);
  const blockOf = new Map(granules.map((granule, i) => [granule, blocks[i] as PinnedBlock]));
  return wanted.flatMap((range) =>
    granulesOf(root, range).map((granule): RowSetsPlace => {
      const { memoryIndex, offset, size } = (blockOf.get(granule) as PinnedBlock).block;
      const start = root.granuleOffset(granule);
      const from = Math.max(0, range.from - start);
      return { place: { memoryIndex, offset, size }, from, to: Math.min(size, range.to - start) };
    }),
  );
}

function granulesOf(root: IndexName['index']['root'], { from, to }: PostingsRange): number[] {
  const granules = root.granulesOf(from, to);
  return Array.from({ length: granules.to - granules.from }, (_, i) => granules.from + i);
}
