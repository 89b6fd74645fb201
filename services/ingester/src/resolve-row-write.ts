import { invalidArgument } from '@lagoon/base';
import {
  type AttributeValue,
  type Block,
  clearBit,
  countBits,
  createBitmap,
  createFullBitmap,
  encodeDeletes,
  encodeIds,
  forEachCommonId,
  idAt,
  type MergeSource,
  mergeBlocks,
  openBlock,
  type Schema,
  setBit,
  valueAt,
} from '@lagoon/format';
import { planFilter } from '@lagoon/query';
import { type CompiledCondition, type Condition, compileCondition } from './condition.ts';
import { countRows, type FilteredRows, filterRows, takeRows } from './filtered-rows.ts';
import {
  coerceAnonymous,
  coercePatch,
  mergeAnonymousSchema,
  mergePatchSchema,
  type Patch,
  patchedValue,
} from './patch.ts';
import { patchDecided, patchFiltered } from './patched-rows.ts';
import { type DecideRow, decideRows, type RowDecisions } from './row-decisions.ts';
import type { RowSet, RowState } from './row-state.ts';
import { type FilterWork, filterPaths, type RowWork, type RowWorkLimits } from './row-work.ts';
import type { AffectedBlocks, ResolvedBlock, ResolvedWrite, WriteRequest } from './write-request.ts';

/** A write of the types of one schema: what is the same however often it is resolved on that. */
export interface TypedRowWork {
  readonly block: Block | undefined;
  readonly schema: Schema;
  readonly patch: Patch | undefined;
  readonly filterPatch: Patch | undefined;
  /** Whether it declares attributes, which it does whatever becomes of its rows. */
  readonly declares: boolean;
}

/** One resolution, kept so that the next one repeats only what may come out otherwise. */
export interface RowResolution {
  readonly typed: TypedRowWork;
  readonly filterDelete: FilteredRows | undefined;
  readonly filterDeleted: Block | undefined;
  readonly filterPatch: FilteredRows | undefined;
  readonly filterPatched: Block | undefined;
  readonly upserts: RowDecisions | undefined;
  readonly deletes: RowDecisions | undefined;
  readonly patches: RowDecisions | undefined;
  readonly resolved: ResolvedWrite;
}

/** `merged` is what the block makes of the schema. */
export function typeRowWork(write: WriteRequest, work: RowWork, merged: ResolvedBlock): TypedRowWork {
  let { schema } = merged;
  if (work.patch !== undefined) schema = mergePatchSchema(schema, work.patch, write.distanceMetric);
  if (work.patchByFilter !== undefined) {
    schema = mergeAnonymousSchema(schema, work.patchByFilter.patch, write.distanceMetric);
  }
  const patch = work.patch === undefined ? undefined : coercePatch(work.patch, schema);
  if (patch !== undefined && merged.block !== undefined) checkDistinct(patch.values, merged.block);
  const filterPatch = work.patchByFilter && coerceAnonymous(work.patchByFilter.patch, schema);
  return { block: merged.block, schema, patch, filterPatch, declares: write.declared.attributes.length > 0 };
}

export function checkDistinct(patched: Block, block: Block): void {
  for (const column of [block.ids, block.deletes]) {
    forEachCommonId(patched.ids, column, (index) => {
      throw invalidArgument('id appears twice in one write', { id: idAt(patched.ids, index) });
    });
  }
}

/**
 * What the write does to the rows of the state: delete_by_filter, then patch_by_filter, then the rest, each on what the one
 * before leaves. Its blocks are pushed on the state.
 */
export function resolveRowWork(
  work: RowWork,
  typed: TypedRowWork,
  current: Schema | undefined,
  state: RowState,
  limits: RowWorkLimits,
  earlier: RowResolution | undefined,
): RowResolution {
  const { schema, block } = typed;
  const before = earlier?.typed === typed ? earlier : undefined;
  const filterDelete =
    work.deleteByFilter &&
    filterRows(state, planFilter(schema, work.deleteByFilter.filter, filterPaths.deleteByFilter), before?.filterDelete);
  const deleteCut = cut(filterDelete, work.deleteByFilter, limits.filterDeleteRowCountMax, 'delete_by_filter');
  const filterDeleted = keep(
    filterDelete !== undefined && filterDelete === before?.filterDelete,
    before?.filterDeleted,
    () => deletesOf(schema, deleteCut.rows),
  );
  if (filterDeleted !== undefined) state.push(filterDeleted);

  const filterPatch =
    work.patchByFilter &&
    filterRows(state, planFilter(schema, work.patchByFilter.filter, filterPaths.patchByFilter), before?.filterPatch);
  const patchCut = cut(filterPatch, work.patchByFilter, limits.filterPatchRowCountMax, 'patch_by_filter');
  const filterPatched = keep(
    filterPatch !== undefined && filterPatch === before?.filterPatch,
    before?.filterPatched,
    () => typed.filterPatch && patchFiltered(patchCut.rows, typed.filterPatch, schema, limits.patchedBytesMax),
  );
  if (filterPatched !== undefined) state.push(filterPatched);

  const upserts = block && decideUpserts(work, block, schema, state, before?.upserts);
  const deletes = block && decideDeletes(work, block, schema, state, before?.deletes);
  const patches = typed.patch && decidePatches(work, typed.patch, schema, state, before?.patches);
  const isSame =
    before !== undefined &&
    filterDeleted === before.filterDeleted &&
    filterPatched === before.filterPatched &&
    upserts === before.upserts &&
    deletes === before.deletes &&
    patches === before.patches;
  const stages = { typed, filterDelete, filterDeleted, filterPatch, filterPatched, upserts, deletes, patches };
  if (isSame) {
    for (const part of before.resolved.parts) {
      if (part !== filterDeleted && part !== filterPatched) state.push(part);
    }
    return { ...stages, resolved: { ...before.resolved, schema: schemaAfter(before.resolved.parts, typed, current) } };
  }
  const upserted = block && upsertedPart(block, upserts);
  const deleted = deletes && deletesOf(schema, rowsOf(deletes));
  const patched = patches && typed.patch && patchDecided(patches, typed.patch, schema, limits.patchedBytesMax);
  const rest = [upserted, deleted, patched].filter((part) => part !== undefined);
  for (const part of rest) state.push(part);
  const parts = [filterDeleted, filterPatched].filter((part) => part !== undefined).concat(rest);
  const affected = {
    upserted: distinctRows([upserted]),
    patched: distinctRows([filterPatched, patched]),
    deleted: distinctRows([filterDeleted, deleted]),
  };
  const counts = {
    rowsUpserted: countSources(affected.upserted),
    rowsPatched: countSources(affected.patched),
    rowsDeleted: countSources(affected.deleted),
    rowsRemaining: deleteCut.isCut || patchCut.isCut,
    logicalBytesWritten: parts.reduce((sum, part) => sum + part.logicalBytes, 0),
  };
  return {
    ...stages,
    resolved: {
      parts,
      schema: schemaAfter(parts, typed, current),
      counts,
      affected: work.returnsAffectedIds ? affectedBlocks(affected, limits.affectedIdCountMax) : undefined,
    },
  };
}

/** A write that changes no row brings no attribute in by the way, only those that it declares. */
function schemaAfter(parts: readonly Block[], typed: TypedRowWork, current: Schema | undefined): Schema {
  return parts.length > 0 || current === undefined || typed.declares ? typed.schema : current;
}

function keep<T>(isKept: boolean, earlier: T | undefined, make: () => T | undefined): T | undefined {
  return isKept ? earlier : make();
}

/** The rows that the write may change; too many are an error unless it takes a part of them. */
function cut(
  filtered: FilteredRows | undefined,
  work: FilterWork | undefined,
  countMax: number,
  field: string,
): { readonly rows: RowSet; readonly isCut: boolean } {
  if (filtered === undefined || work === undefined) return { rows: new Map(), isCut: false };
  if (filtered.count <= countMax) return { rows: filtered.rows, isCut: false };
  if (work.allowPartial) return { rows: takeRows(filtered.rows, countMax), isCut: true };
  throw invalidArgument(`${field} matches more rows than one write may change: see ${field}_allow_partial`, {
    rows: filtered.count,
    rowCountMax: countMax,
  });
}

function decideUpserts(
  work: RowWork,
  block: Block,
  schema: Schema,
  state: RowState,
  earlier: RowDecisions | undefined,
): RowDecisions | undefined {
  if (work.upsertCondition === undefined) return undefined;
  const condition = compileCondition(work.upsertCondition, schema, 'upsert_condition');
  const decide: DecideRow = (index, present, row) =>
    present === undefined || condition.matches(present, row, (name) => presentValue(block, index, name));
  return decideRows(block.ids, state, decide, earlier);
}

function decideDeletes(
  work: RowWork,
  block: Block,
  schema: Schema,
  state: RowState,
  earlier: RowDecisions | undefined,
): RowDecisions | undefined {
  if (block.deletes.count === 0) {
    if (work.deleteCondition !== undefined) compileCondition(work.deleteCondition, schema, 'delete_condition');
    return undefined;
  }
  const condition = compiled(work.deleteCondition, schema, 'delete_condition');
  const decide: DecideRow = (index, present, row) => {
    if (present === undefined) return false;
    const newValues = (name: string) => (name === 'id' ? idAt(block.deletes, index) : null);
    return condition === undefined || condition.matches(present, row, newValues);
  };
  return decideRows(block.deletes, state, decide, earlier);
}

function decidePatches(
  work: RowWork,
  patch: Patch,
  schema: Schema,
  state: RowState,
  earlier: RowDecisions | undefined,
): RowDecisions {
  const condition = compiled(work.patchCondition, schema, 'patch_condition');
  const decide: DecideRow = (index, present, row) => {
    if (present === undefined) return false;
    const newValues = (name: string) => patchedValue(patch, index, name, () => presentValue(present, row, name));
    return condition === undefined || condition.matches(present, row, newValues);
  };
  return decideRows(patch.values.ids, state, decide, earlier);
}

function compiled(condition: Condition | undefined, schema: Schema, path: string): CompiledCondition | undefined {
  return condition === undefined ? undefined : compileCondition(condition, schema, path);
}

function presentValue(block: Block, row: number, attribute: string): AttributeValue {
  if (attribute === 'id') return idAt(block.ids, row);
  const column = block.columns.get(attribute)?.column;
  return column === undefined ? null : valueAt(column, row);
}

/** The rows that are upserted, without the block's deletes. */
function upsertedPart(block: Block, decisions: RowDecisions | undefined): Block | undefined {
  const count = decisions?.appliedCount ?? block.rowCount;
  if (count === 0) return undefined;
  if (count === block.rowCount && block.deletes.count === 0) return block;
  const live = createBitmap(block.rowCount);
  for (let row = 0; row < block.rowCount; row++) if (decisions?.applies[row] !== 0) setBit(live, row);
  return opened(mergeBlocks([{ block, live }]));
}

/** The present rows that the decisions apply to. */
function rowsOf(decisions: RowDecisions): RowSet {
  const rows = new Map<Block, Uint8Array>();
  for (const [index, block] of decisions.blocks.entries()) {
    if (block === undefined || decisions.applies[index] !== 1) continue;
    let bits = rows.get(block);
    if (bits === undefined) {
      bits = createBitmap(block.rowCount);
      rows.set(block, bits);
    }
    setBit(bits, decisions.rows[index] as number);
  }
  return rows;
}

function deletesOf(schema: Schema, rows: RowSet): Block | undefined {
  if (countRows(rows) === 0) return undefined;
  return opened(encodeDeletes(schema.idKind, sourcesOf(rows)));
}

function sourcesOf(rows: RowSet): MergeSource[] {
  return [...rows].map(([block, live]) => ({ block, live }));
}

function opened(bytes: Uint8Array): Block {
  return openBlock(bytes, { verify: false });
}

/** Rows and deletes of the blocks, an id that is in several only once. */
function distinctRows(blocks: readonly (Block | undefined)[]): MergeSource[] {
  const present = blocks.filter((block) => block !== undefined).map(asRows);
  return present.map((block, index) => {
    const live = createFullBitmap(block.rowCount);
    for (const other of present.slice(0, index)) {
      forEachCommonId(block.ids, other.ids, (row) => clearBit(live, row));
    }
    return { block, live };
  });
}

/** What a block deletes, as if it were its rows. */
function asRows(block: Block): Block {
  return block.rowCount > 0 ? block : { ...block, ids: block.deletes, rowCount: block.deletes.count };
}

function countSources(sources: readonly MergeSource[]): number {
  let count = 0;
  for (const { live } of sources) count += live === undefined ? 0 : countBits(live);
  return count;
}

function affectedBlocks(
  affected: Readonly<Record<keyof AffectedBlocks, readonly MergeSource[]>>,
  countMax: number,
): AffectedBlocks {
  const count = countSources([...affected.upserted, ...affected.patched, ...affected.deleted]);
  if (count > countMax) {
    throw invalidArgument('the write affects more ids than one answer may hold', { ids: count, idCountMax: countMax });
  }
  const idsOf = (sources: readonly MergeSource[]): Uint8Array => {
    const [first] = sources;
    return first === undefined ? new Uint8Array(0) : encodeIds(first.block.idKind, sources);
  };
  return {
    upserted: idsOf(affected.upserted),
    patched: idsOf(affected.patched),
    deleted: idsOf(affected.deleted),
  };
}
