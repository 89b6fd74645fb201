import { invalidArgument } from '@lagoon/base';
import { rowOfElement } from './build-column.ts';
import type { Block, Column } from './column.ts';
import { idAt } from './id-column.ts';
import { type AttributeSchema, limits } from './schema.ts';

/** Throws `invalid_argument` naming the first text that is too long for its filterable attribute (array: an element). */
export function checkFilterableValues(block: Block, attributes: ReadonlyMap<string, AttributeSchema>): void {
  for (const { name, column } of block.columns.values()) {
    const attribute = attributes.get(name);
    if (attribute === undefined || !attribute.filterable || attribute.type.kind === 'vector') continue;
    const row = tooLongRow(column);
    if (row === undefined) continue;
    throw invalidArgument('value of a filterable attribute is too long', {
      attribute: name,
      id: idAt(block.ids, row),
      max: limits.filterableValueBytesMax,
    });
  }
}

function tooLongRow(column: Column): number | undefined {
  const scalars = column.kind === 'array' ? column.elements : column;
  if (!('offsets' in scalars) || scalars.bytes.length <= limits.filterableValueBytesMax) return undefined;
  const { offsets } = scalars;
  for (let i = 0; i + 1 < offsets.length; i++) {
    if ((offsets[i + 1] as number) - (offsets[i] as number) <= limits.filterableValueBytesMax) continue;
    return column.kind === 'array' ? rowOfElement(column.rowOffsets, i) : i;
  }
  return undefined;
}
