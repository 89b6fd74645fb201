import type { AttributeType, FullTextSearch, Schema } from '@lagoon/format';
import type { FilterPlan, QueryPlan, RankPlan, ScorePlan } from './query-plan.ts';

/** What of a segment must lie in the arena before a query runs. */
export interface QueryNeeds {
  /** live: only where rows died since the segment was made, which is told by their ids. */
  readonly ids: 'none' | 'live' | 'all';
  readonly columns: ReadonlySet<string>;
  /** Columns that are only needed where an attribute's values have no index. */
  readonly filtered: ReadonlyMap<string, AttributeType>;
  /** Attributes that are searched as text, with the settings that make their terms. */
  readonly texts: ReadonlyMap<string, FullTextSearch>;
  /** Vector attributes whose lists are searched, beside their columns. */
  readonly lists: ReadonlySet<string>;
  /** Vector attributes of which only the leaves are looked at. */
  readonly leaves: ReadonlySet<string>;
}

export const noNeeds: QueryNeeds = {
  ids: 'none',
  columns: new Set(),
  filtered: new Map(),
  texts: new Map(),
  lists: new Set(),
  leaves: new Set(),
};

/** Vectors that are answered too: other answered attributes are read from the documents. */
export function needsOf(
  schema: Schema,
  { rank, filter, projection, limitPer }: Pick<QueryPlan, 'rank' | 'filter' | 'projection' | 'limitPer'>,
): QueryNeeds {
  const columns = new Set<string>();
  const filtered = new Map<string, AttributeType>();
  const texts = new Map<string, FullTextSearch>();
  const lists = new Set<string>();
  addRanked({ columns, texts, lists }, rank);
  if (filter !== undefined) addFiltered({ columns, filtered, texts }, filter);
  for (const name of limitPer?.attributes ?? []) columns.add(name);
  for (const name of projection) if (schema.attributes.get(name)?.type.kind === 'vector') columns.add(name);
  return { ids: idNeedsOf(rank, filter), columns, filtered, texts, lists, leaves: new Set() };
}

function idNeedsOf(rank: RankPlan, filter: FilterPlan | undefined): QueryNeeds['ids'] {
  if (rank.kind === 'values') return rank.values.some(({ of }) => of.kind === 'text') ? 'all' : 'none';
  const countsOnly = rank.kind === 'aggregate' && (filter === undefined || !usesIds(filter));
  return countsOnly ? 'live' : 'all';
}

function addRanked(needs: Omit<Needs, 'filtered'> & { readonly lists: Set<string> }, rank: RankPlan): void {
  const { columns, lists } = needs;
  switch (rank.kind) {
    case 'vector':
      columns.add(rank.attribute);
      if (rank.recall !== undefined) lists.add(rank.attribute);
      break;
    case 'text':
      addScored(needs, rank.score);
      break;
    case 'sparse':
      columns.add(rank.attribute);
      break;
    case 'values':
      for (const { of } of rank.values) addRanked(needs, of);
      break;
    case 'order':
      for (const key of rank.keys) if (key.scalar !== undefined) columns.add(key.attribute);
      break;
    case 'aggregate':
      for (const { attribute } of [...rank.aggregates, ...rank.groupBy]) {
        if (attribute !== undefined) columns.add(attribute);
      }
  }
}

/** Everything that a query may need without another read of columns. */
export function allNeeds(schema: Schema): QueryNeeds {
  const columns = new Set<string>();
  const texts = new Map<string, FullTextSearch>();
  const lists = new Set<string>();
  for (const [name, { filterable, glob, regex, fuzzy, fullTextSearch, ann }] of schema.attributes) {
    if (ann !== undefined) lists.add(name);
    if (fullTextSearch !== undefined) texts.set(name, fullTextSearch);
    const isMatched = filterable || glob === true || regex === true || fuzzy === true;
    if (fullTextSearch === undefined || isMatched) columns.add(name);
  }
  return { ids: 'all', columns, filtered: new Map(), texts, lists, leaves: new Set() };
}

/** Asked once per query and block, so that nothing is copied. */
export function coversNeeds(a: QueryNeeds, b: QueryNeeds): boolean {
  if (a.ids !== b.ids && a.ids !== 'all' && b.ids !== 'none') return false;
  for (const name of b.columns) if (!a.columns.has(name)) return false;
  for (const name of b.lists) if (!a.lists.has(name)) return false;
  for (const name of b.leaves) if (!a.leaves.has(name)) return false;
  for (const name of b.filtered.keys()) if (!a.filtered.has(name)) return false;
  for (const [name, settings] of b.texts) if (a.texts.get(name) !== settings) return false;
  return true;
}

export function uniteNeeds(a: QueryNeeds, b: QueryNeeds): QueryNeeds {
  if (coversNeeds(a, b)) return a;
  const ids = a.ids === 'all' || b.ids === 'none' ? a.ids : b.ids;
  return {
    ids,
    columns: new Set([...a.columns, ...b.columns]),
    filtered: new Map([...a.filtered, ...b.filtered]),
    texts: new Map([...a.texts, ...b.texts]),
    lists: new Set([...a.lists, ...b.lists]),
    leaves: new Set([...a.leaves, ...b.leaves]),
  };
}

interface Needs {
  readonly columns: Set<string>;
  readonly filtered: Map<string, AttributeType>;
  readonly texts: Map<string, FullTextSearch>;
}

function addScored(needs: Omit<Needs, 'filtered'>, score: ScorePlan): void {
  switch (score.kind) {
    case 'bm25':
      needs.texts.set(score.attribute, score.settings);
      return;
    case 'sum':
    case 'max':
      for (const part of score.parts) addScored(needs, part);
      return;
    case 'filter':
      addColumns(needs, score.filter);
      return;
    case 'attribute':
      needs.columns.add(score.attribute);
      return;
    case 'product':
    case 'saturate':
    case 'decay':
    case 'dist':
      addScored(needs, score.part);
  }
}

/** Of a filter that is evaluated over columns alone. */
function addColumns({ columns, texts }: Omit<Needs, 'filtered'>, filter: FilterPlan): void {
  const filtered = new Map<string, AttributeType>();
  addFiltered({ columns, filtered, texts }, filter);
  for (const name of filtered.keys()) columns.add(name);
}

function addFiltered(needs: Needs, filter: FilterPlan): void {
  switch (filter.kind) {
    case 'all':
    case 'none':
    case 'idAny':
    case 'idRange':
      return;
    case 'and':
    case 'or':
      for (const inner of filter.filters) addFiltered(needs, inner);
      return;
    case 'not':
      addFiltered(needs, filter.filter);
      return;
    case 'tokens':
      needs.texts.set(filter.attribute, filter.settings);
      if (filter.operator === 'sequence') needs.columns.add(filter.attribute); // the index has no positions
      return;
    case 'missing':
    case 'any':
    case 'range':
    case 'elementRange':
      needs.filtered.set(filter.attribute, filter.type);
      return;
    default:
      if (filter.attribute !== 'id') needs.columns.add(filter.attribute);
  }
}

/** Whether the filter asks for ids. */
export function usesIds(filter: FilterPlan): boolean {
  switch (filter.kind) {
    case 'all':
    case 'none':
      return false;
    case 'and':
    case 'or':
      return filter.filters.some(usesIds);
    case 'not':
      return usesIds(filter.filter);
    default:
      return !('attribute' in filter) || filter.attribute === 'id';
  }
}

/** Whether the filter asks for terms of texts. */
export function hasTokens(filter: FilterPlan): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.some(hasTokens);
    case 'not':
      return hasTokens(filter.filter);
    default:
      return filter.kind === 'tokens';
  }
}
