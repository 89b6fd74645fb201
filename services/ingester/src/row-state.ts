import {
  type Block,
  clearBit,
  countBits,
  createBitmap,
  forEachCommonId,
  getBit,
  type IdColumn,
  setBit,
} from '@lagoon/format';
import {
  createFilterContext,
  createRowMatcher,
  createTailIndex,
  type FilterPlan,
  type RowSnapshot,
} from '@lagoon/query';

/** Rows by the block that they lie in, one bit each. */
export type RowSet = ReadonlyMap<Block, Uint8Array>;

/** Rows of a generation, and blocks that were committed behind it. */
export interface RowBasis {
  /** Undefined: there are none. */
  readonly base: RowSnapshot | undefined;
  /** Oldest first. */
  readonly layers: readonly Block[];
}

/**
 * The rows that a member of a group sees: those of a generation, then the blocks that were committed behind it, then those of
 * the members before. Blocks are told apart by identity.
 */
export interface RowState extends RowBasis {
  push(layer: Block): void;
  find(ids: IdColumn, onFound: (index: number, block: Block, row: number) => void): void;
  match(filter: FilterPlan): Map<Block, Uint8Array>;
}

export function createRowState(base: RowSnapshot | undefined, below: readonly Block[]): RowState {
  const layers = [...below];
  /** Column 2i: what layer i deletes, 2i + 1: its rows. Filled when it is asked for. */
  const index = createTailIndex();
  let indexedCount = 0;

  const indexUp = (): void => {
    for (; indexedCount < layers.length; indexedCount++) {
      const { ids, deletes } = layers[indexedCount] as Block;
      index.upsert(2 * indexedCount, deletes, () => {});
      index.upsert(2 * indexedCount + 1, ids, () => {});
    }
  };
  const findInLayers = (ids: IdColumn, onFound: (layer: Block | undefined, row: number, at: number) => void): void => {
    if (layers.length === 0 || ids.count === 0) return;
    indexUp();
    index.find(ids, (column, row, at) => onFound(column % 2 === 1 ? layers[column >>> 1] : undefined, row, at));
  };

  return {
    base,
    layers,
    push: (layer) => void layers.push(layer),
    find: (ids, onFound) => {
      const isHidden = createBitmap(ids.count);
      findInLayers(ids, (layer, row, at) => {
        setBit(isHidden, at);
        if (layer !== undefined) onFound(at, layer, row);
      });
      base?.find(ids, (at, block, row) => {
        if (!getBit(isHidden, at)) onFound(at, block, row);
      });
    },
    match: (filter) => {
      const matched = base?.match(filter) ?? new Map<Block, Uint8Array>();
      for (const [block, rows] of matched) {
        for (const { ids, deletes } of layers) {
          for (const column of [ids, deletes]) forEachCommonId(block.ids, column, (row) => clearBit(rows, row));
        }
        if (countBits(rows) === 0) matched.delete(block);
      }
      for (const layer of layers) {
        const rows = matchLayer(layer, filter);
        findInLayers(layer.ids, (newest, _row, at) => {
          if (newest !== layer) clearBit(rows, at);
        });
        if (countBits(rows) > 0) matched.set(layer, rows);
      }
      return matched;
    },
  };
}

function matchLayer(layer: Block, filter: FilterPlan): Uint8Array {
  const rows = createBitmap(layer.rowCount);
  const matches = createRowMatcher(createFilterContext(), layer, filter);
  for (let row = 0; row < layer.rowCount; row++) if (matches(row)) setBit(rows, row);
  return rows;
}

/** What an earlier resolution saw. */
export type Seen = RowBasis;

export function seenOf(state: RowState): Seen {
  return { base: state.base, layers: [...state.layers] };
}

/** The ids whose rows may have changed since: those of the layers that came or went. Undefined: any. */
export function changedSince(seen: Seen, state: RowState): readonly IdColumn[] | undefined {
  if (seen.base !== state.base) return undefined;
  const before = new Set(seen.layers);
  const now = new Set(state.layers);
  const changed = [
    ...seen.layers.filter((layer) => !now.has(layer)),
    ...state.layers.filter((layer) => !before.has(layer)),
  ];
  return changed.flatMap(({ ids, deletes }) => [ids, deletes]);
}
