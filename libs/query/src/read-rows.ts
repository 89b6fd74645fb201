import { assert, mapBounded } from '@lagoon/base';
import { type AttributeValue, type Block, type Column, valueAt } from '@lagoon/format';
import type { SegmentReader } from '@lagoon/segment';
import type { DocumentCache } from './document-cache.ts';
import { createHighlightBudget, createHighlighter } from './highlighter.ts';
import type { ComputedValues, SearchOutcome } from './job-block.ts';
import { idOfRow, type KnownIds } from './known-ids.ts';
import type { QueryPlan } from './query-plan.ts';
import type { ComputedValue, ResultRow } from './query-result.ts';
import type { ResidentBlock } from './resident-block.ts';
import type { Snapshot } from './snapshot.ts';
import type { RankedRows } from './top-rows.ts';

/** Blocks of documents that one query reads at once. */
const concurrentReadCountMax = 8;

/**
 * The answered rows as values: the only place where a query makes objects per row. Attributes whose columns are not in the
 * arena are read from the documents of their segments.
 */
export async function readRows(
  snapshot: Snapshot,
  plan: QueryPlan,
  { top, known, values = [] }: Pick<SearchOutcome, 'top' | 'known' | 'values'>,
  documents: DocumentCache,
  signal?: AbortSignal,
): Promise<ResultRow[]> {
  const places: Place[] = [];
  for (let i = 0; i < top.rows.length; i++) {
    const ids = known?.[top.blocks[i] as number];
    places.push({ resident: residentOf(snapshot, top, i), known: ids, row: top.rows[i] as number });
  }
  const names = [...new Set([...plan.projection, ...plan.highlights.map(({ attribute }) => attribute)])];
  const stored = await readDocuments(places, names, documents, signal);
  const budget = createHighlightBudget();
  const highlighters = plan.highlights.map((highlight) => createHighlighter(highlight, budget));
  return places.map(({ resident, known: ids, row }, i) => {
    const id = idOfRow(resident, ids, row);
    const attributes = plan.projection.map((name) => {
      const type = snapshot.schema.attributes.get(name)?.type;
      assert(type !== undefined, 'a projected attribute is in the schema');
      return { name, type, value: storedValue(resident, row, name, stored) };
    });
    const read = (name: string): AttributeValue => storedValue(resident, row, name, stored);
    const highlights =
      highlighters.length === 0 ? undefined : { highlights: highlighters.map((highlight) => highlight(read)) };
    const computed = values.length === 0 ? undefined : { values: valuesOf(plan, values, i) };
    if (plan.rank.kind === 'order') return { id, attributes, ...highlights, ...computed };
    return { id, dist: top.scores[i] as number, attributes, ...highlights, ...computed };
  });
}

function valuesOf(plan: QueryPlan, values: readonly ComputedValues[], i: number): ComputedValue[] {
  return plan.values.map(({ name }, number) => {
    const value = values[number]?.[i] ?? Number.NaN;
    return { name, value: Number.isNaN(value) ? null : value };
  });
}

interface Place {
  readonly resident: ResidentBlock;
  readonly known: KnownIds | undefined;
  readonly row: number;
}

/** Columns of blocks of documents by key, and the first row of each block. */
type StoredDocuments = ReadonlyMap<string, { readonly firstRow: number; columnOf(name: string): Column | undefined }>;

async function readDocuments(
  places: readonly Place[],
  projection: readonly string[],
  documents: DocumentCache,
  signal?: AbortSignal,
): Promise<StoredDocuments> {
  if (projection.length === 0) return noDocuments;
  const wanted = new Map<
    string,
    { readonly reader: SegmentReader; readonly index: number; readonly firstRow: number }
  >();
  for (const { resident, row } of places) {
    const { reader, block } = resident;
    if (reader === undefined || !needsDocuments(reader, block, projection)) continue;
    wanted.set(documentKey(reader, row), { reader, ...reader.documentBlockOf(row) });
  }
  const stored = new Map<string, { readonly firstRow: number; columnOf(name: string): Column | undefined }>();
  await mapBounded(
    [...wanted],
    concurrentReadCountMax,
    async ([key, { reader, index, firstRow }], _index, inner) => {
      const block = await documents.read(key, () => reader.readDocumentBlock({ index, firstRow }), inner);
      stored.set(key, { firstRow, columnOf: (name) => block.columns.get(name)?.column });
    },
    signal,
  );
  return stored;
}

const noDocuments: StoredDocuments = new Map();

/** A column that comes while this runs is no harm: the documents say the same. */
function needsDocuments({ footer }: SegmentReader, { columns }: Block, projection: readonly string[]): boolean {
  return footer.columns.some(({ name }) => projection.includes(name) && !columns.has(name));
}

function storedValue(
  { block, reader }: ResidentBlock,
  row: number,
  name: string,
  stored: StoredDocuments,
): AttributeValue {
  const column = block.columns.get(name)?.column;
  if (column !== undefined) return valueAt(column, row);
  const documents = reader === undefined ? undefined : stored.get(documentKey(reader, row));
  const documentColumn = documents?.columnOf(name);
  return documents === undefined || documentColumn === undefined
    ? null
    : valueAt(documentColumn, row - documents.firstRow);
}

function documentKey(reader: SegmentReader, row: number): string {
  return `${reader.key}#${reader.documentBlockOf(row).index}`;
}

function residentOf(snapshot: Snapshot, top: RankedRows, index: number): ResidentBlock {
  const resident = snapshot.blocks[top.blocks[index] as number];
  assert(resident !== undefined, 'a ranked row is of a block of its snapshot');
  return resident;
}
