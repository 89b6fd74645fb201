import { corrupt } from '@lagoon/base';
import { type Block, bitmapBytes, type FullTextSearch, type NullBitmap } from '@lagoon/format';
import { openTextIndex, type TextIndex } from '@lagoon/text';
import type { BlockLocation } from './job-block.ts';
import type { SearchContext } from './search-context.ts';
import type { StoredText } from './stored-segment.ts';

/** The text index of an attribute over the rows of one block, and the rows that miss the attribute. */
export interface BlockText {
  /** That nothing else has, ever. */
  readonly name: string;
  readonly index: TextIndex;
  readonly nulls: NullBitmap;
}

/** Stored with the segment, or built of the column at its first use; undefined where no row of the block has the attribute. */
export function textOfBlock(
  context: SearchContext,
  location: BlockLocation,
  block: Block,
  attribute: string,
  settings: FullTextSearch,
): BlockText | undefined {
  const stored = location.segment?.texts.find((text) => text.attribute === attribute);
  const { termsKeyOf } = context.textIndexes;
  if (stored !== undefined && termsKeyOf(stored.settings) === termsKeyOf(settings)) {
    return context.openText(location, stored);
  }
  const column = block.columns.get(attribute)?.column;
  if (column === undefined) return undefined;
  if (column.kind === 'vector') throw corrupt('column with full_text_search is a vector', { attribute });
  const index = context.textIndexes.indexOf(location.contentId, attribute, settings, block.rowCount, column);
  return { name: `${location.blockId} ${termsKeyOf(settings)} ${attribute}`, index, nulls: column.nulls };
}

/** An index that was stored with its segment, and the rows that miss the attribute. */
export function openStoredText({ blockId }: BlockLocation, text: StoredText, bytes: Uint8Array): BlockText {
  const { attribute, indexSize, hasNulls } = text;
  const index = openTextIndex(bytes.subarray(0, indexSize));
  const nulls = hasNulls ? bytes.subarray(indexSize, indexSize + bitmapBytes(index.rowCount)) : undefined;
  return { name: `${blockId} stored ${attribute}`, index, nulls };
}
