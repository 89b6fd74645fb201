import { assert } from '@lagoon/base';
import { getBit } from './bitmap.ts';
import { buildIds } from './build-ids.ts';
import type { Block, Column, NamedColumn } from './column.ts';
import { checkDocumentSizes } from './document-size.ts';
import { type GatherPlan, gatherColumn, gatherIds } from './gather.ts';
import type { AttributeType, Schema } from './schema.ts';
import { isNull } from './value-at.ts';
import { writeBlock } from './write-block.v1.ts';

/** Rows as they are, and what is laid over them. All blocks are of the schema's types. */
export interface PatchInput {
  /** Where the present rows lie: row i of the result is row `rows[i]` of `blocks[sources[i]]`. Ascending by id. */
  readonly blocks: readonly Block[];
  readonly sources: Uint32Array;
  readonly rows: Uint32Array;
  /** A present value replaces, a missing one leaves as it is: row i takes row `patchRows[i]`. */
  readonly values: Block;
  readonly patchRows: Uint32Array;
  /** Of the same rows as `values`; bool columns: true removes the value. Undefined: nothing is removed. */
  readonly cleared: Block | undefined;
}

/**
 * The whole rows after the patch, as a block. Copies column by column, so nothing is lost and no object is made per value.
 * `invalid_argument` for a document that the patch makes too large.
 */
export function encodePatched(input: PatchInput, schema: Schema): Uint8Array {
  const { blocks, sources, rows } = input;
  const rowCount = rows.length;
  const ones = new Uint32Array(rowCount).fill(1);
  const asIs: GatherPlan = { runCount: rowCount, source: sources, start: rows, length: ones, rowCount };
  const ids = gatherIds(
    schema.idKind,
    blocks.map((block) => block.ids),
    asIs,
  );
  const columns: NamedColumn[] = [];
  for (const [name, { type }] of schema.attributes) {
    const column = patchedColumn(input, name, type, asIs);
    if (column !== undefined) columns.push({ name, type, column });
  }
  checkDocumentSizes(ids, columns);
  return writeBlock({ ids, deletes: buildIds(schema.idKind, []), columns });
}

/** Undefined where no row has a value. */
function patchedColumn(input: PatchInput, name: string, type: AttributeType, asIs: GatherPlan): Column | undefined {
  const present = input.blocks.map((block) => block.columns.get(name)?.column);
  const value = input.values.columns.get(name)?.column;
  const cleared = input.cleared?.columns.get(name)?.column;
  if (value === undefined && cleared === undefined) {
    return present.every((column) => column === undefined) ? undefined : gatherColumn(type, present, asIs);
  }
  const patch = present.length;
  const nothing = patch + 1;
  const source = asIs.source.slice();
  const start = asIs.start.slice();
  for (let i = 0; i < asIs.rowCount; i++) {
    const patchRow = input.patchRows[i] as number;
    const isCleared = cleared !== undefined && isTrue(cleared, patchRow);
    const isGiven = value !== undefined && !isNull(value.nulls, patchRow);
    if (!isCleared && !isGiven) continue;
    source[i] = isGiven ? patch : nothing;
    start[i] = patchRow;
  }
  return gatherColumn(type, [...present, value, undefined], { ...asIs, source, start });
}

function isTrue(column: Column, row: number): boolean {
  assert(column.kind === 'scalar' && column.scalar === 'bool', 'what is cleared is said in bool columns');
  if (column.nulls !== undefined && getBit(column.nulls, row)) return false;
  return column.values[row] === 1;
}
