import { invalidArgument } from '@lagoon/base';
import { equalAttributeTypes, formatAttributeType } from './attribute-type.ts';
import type { RejectValue } from './build-column.ts';
import { buildIds, duplicateId, sortedOrder } from './build-ids.ts';
import type { Block, Column, IdColumn, NamedColumn } from './column.ts';
import { canConvertColumn, convertColumn, isAllNull } from './convert-column.ts';
import { gatherColumn, gatherIds, missingColumn, planOfOrder } from './gather.ts';
import { forEachCommonId, idAt } from './id-column.ts';
import type { AttributeType, IdKind, Schema } from './schema.ts';
import { isNull } from './value-at.ts';
import { writeBlock } from './write-block.v1.ts';

/**
 * The block with every column of the schema's type: itself when nothing has to change, else a new block's bytes.
 *
 * Converted are the types that JSON cannot tell apart (`canConvertColumn`), string ids for uuid ids, and a column without any
 * value, which takes the schema's type, or goes where the schema does not have the attribute. What does not fit is
 * `invalid_argument` naming attribute, id and both types. `schema` comes from `mergeSchema` of this very block.
 */
export function coerceBlock(block: Block, schema: Schema): Uint8Array | Block {
  const columns: NamedColumn[] = [];
  let changed = false;
  for (const named of block.columns.values()) {
    const coerced = coerceColumn(named, block, schema);
    changed ||= coerced !== named;
    if (coerced !== undefined) columns.push(coerced);
  }
  if (block.idKind !== schema.idKind) return coerceIds(block, schema.idKind, columns);
  return changed ? writeBlock({ ids: block.ids, deletes: block.deletes, columns }) : block;
}

function coerceColumn(named: NamedColumn, block: Block, schema: Schema): NamedColumn | undefined {
  const { name, type, column } = named;
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) {
    if (isAllNull(column, block.rowCount)) return undefined;
    throw invalidArgument('attribute is not in the schema', { attribute: name });
  }
  if (equalAttributeTypes(type, attribute.type)) return named;
  return { name, type: attribute.type, column: convert(named, attribute.type, block) };
}

function convert({ name, type, column }: NamedColumn, to: AttributeType, block: Block): Column {
  if (isAllNull(column, block.rowCount)) return missingColumn(to, block.rowCount);
  const reject: RejectValue = (row, problem, facts) => {
    throw invalidArgument(problem, {
      attribute: name,
      id: idAt(block.ids, row),
      type: formatAttributeType(type),
      expected: formatAttributeType(to),
      ...facts,
    });
  };
  if (!canConvertColumn(column, type, to)) reject(firstPresent(column, block.rowCount), 'attribute is of another type');
  return convertColumn(column, to, block.rowCount, reject);
}

function firstPresent(column: Column, rowCount: number): number {
  for (let row = 0; row < rowCount; row++) if (!isNull(column.nulls, row)) return row;
  return 0;
}

function coerceIds(block: Block, idKind: IdKind, columns: readonly NamedColumn[]): Uint8Array {
  const unsorted = convertIds(block.ids, idKind);
  const unsortedDeletes = convertIds(block.deletes, idKind);
  const order = sortedOrder(unsorted);
  const ids = order === undefined ? unsorted : gatherIds(idKind, [unsorted], planOfOrder(order));
  const deleteOrder = sortedOrder(unsortedDeletes);
  const deletes =
    deleteOrder === undefined ? unsortedDeletes : gatherIds(idKind, [unsortedDeletes], planOfOrder(deleteOrder));
  forEachCommonId(ids, deletes, (row) => {
    throw duplicateId(idAt(ids, row));
  });
  const sorted = order === undefined ? columns : columns.map((named) => reorder(named, order));
  return writeBlock({ ids, deletes, columns: sorted });
}

function reorder({ name, type, column }: NamedColumn, order: Uint32Array): NamedColumn {
  return { name, type, column: gatherColumn(type, [column], planOfOrder(order)) };
}

function convertIds(ids: IdColumn, idKind: IdKind): IdColumn {
  if (ids.count === 0) return buildIds(idKind, []);
  if (ids.idKind === 'string' && idKind === 'uuid') {
    return buildIds(
      idKind,
      Array.from({ length: ids.count }, (_, row) => idAt(ids, row)),
    );
  }
  throw invalidArgument('ids are of another type than the namespace has', {
    id: idAt(ids, 0),
    type: ids.idKind,
    expected: idKind,
  });
}
