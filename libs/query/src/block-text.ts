import { corrupt } from '@lagoon/base';
import { type Block, bitmapBytes, type FullTextSearch, type NullBitmap } from '@lagoon/format';
import type { TextIndex } from '@lagoon/text';
import type { BlockLocation } from './job-block.ts';
import type { SearchContext } from './search-context.ts';
import type { StoredText } from './stored-segment.ts';
import { termsKey } from './text-index-cache.ts';

/** The text index of an attribute over the rows of one block, and the rows that miss the attribute. */
export interface BlockText {
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
  if (stored !== undefined && termsKey(stored.settings) === termsKey(settings)) {
    return openStored(context, location, stored);
  }
  const column = block.columns.get(attribute)?.column;
  if (column === undefined) return undefined;
  if (column.kind === 'vector') throw corrupt('column with full_text_search is a vector', { attribute });
  const index = context.textIndexes.indexOf(location.contentId, attribute, settings, block.rowCount, column);
  return { index, nulls: column.nulls };
}

/** An index that was stored with its segment, and the rows that miss the attribute. */
function openStored(context: SearchContext, location: BlockLocation, text: StoredText): BlockText {
  const index = context.openText(location, text);
  if (!text.hasNulls) return { index, nulls: undefined };
  return { index, nulls: context.bytesAt(text).subarray(text.indexSize, text.indexSize + bitmapBytes(index.rowCount)) };
}
