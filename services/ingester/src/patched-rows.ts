import { LagoonError } from '@lagoon/base';
import { type Block, compareIds, encodePatched, forEachBit, openBlock, type Schema } from '@lagoon/format';
import type { Patch } from './patch.ts';
import type { RowDecisions } from './row-decisions.ts';
import type { RowSet } from './row-state.ts';

/** A present row, and the row of the patch that is laid over it. */
interface PatchTarget {
  readonly block: Block;
  readonly row: number;
  readonly patchRow: number;
}

/** The documents that a patch applies to, as whole rows; undefined where there are none. */
export function patchDecided(
  decisions: RowDecisions,
  patch: Patch,
  schema: Schema,
  bytesMax: number,
): Block | undefined {
  const targets: PatchTarget[] = [];
  for (const [index, block] of decisions.blocks.entries()) {
    if (block === undefined || decisions.applies[index] !== 1) continue;
    targets.push({ block, row: decisions.rows[index] as number, patchRow: index });
  }
  return patched(targets, patch, schema, bytesMax);
}

/** The same with one patch for all rows. */
export function patchFiltered(rows: RowSet, patch: Patch, schema: Schema, bytesMax: number): Block | undefined {
  const targets: PatchTarget[] = [];
  for (const [block, bits] of rows) forEachBit(bits, (row) => void targets.push({ block, row, patchRow: 0 }));
  if (rows.size > 1) targets.sort((a, b) => compareIds(a.block.ids, a.row, b.block.ids, b.row));
  return patched(targets, patch, schema, bytesMax);
}

function averageBytes(block: Block): number {
  return block.rowCount === 0 ? 0 : block.bytes.byteLength / block.rowCount;
}

function patched(targets: readonly PatchTarget[], patch: Patch, schema: Schema, bytesMax: number): Block | undefined {
  if (targets.length === 0) return undefined;
  checkBytes(targets, patch, bytesMax);
  const numbers = new Map<Block, number>();
  for (const { block } of targets) if (!numbers.has(block)) numbers.set(block, numbers.size);
  const input = {
    blocks: [...numbers.keys()],
    sources: Uint32Array.from(targets, ({ block }) => numbers.get(block) ?? 0),
    rows: Uint32Array.from(targets, ({ row }) => row),
    patchRows: Uint32Array.from(targets, ({ patchRow }) => patchRow),
    ...patch,
  };
  return openBlock(encodePatched(input, schema), { verify: false });
}

function checkBytes(targets: readonly PatchTarget[], patch: Patch, bytesMax: number): void {
  let bytes = targets.length * averageBytes(patch.values);
  for (const { block } of targets) bytes += averageBytes(block);
  if (bytes <= bytesMax) return;
  throw new LagoonError('invalid_argument', 'the patched documents are too large for one write', {
    reason: 'too_large',
    context: { rows: targets.length, bytes: Math.round(bytes), bytesMax },
  });
}
