import { compareBytes, saturated, utf8Encode } from '@lagoon/base';
import type { DocumentId } from '@lagoon/format';
import type { OracleRow } from '../../libs/query/src/oracle.ts';

/** What one list of several must be. */
export type FusionSpec =
  | { readonly kind: 'rrf'; readonly rankConstant: number; readonly weights: readonly number[] }
  | { readonly kind: 'minMax'; readonly weights: readonly number[] };

export interface FusedList {
  readonly rows: readonly OracleRow[];
  /** Its numbers are distances: lower is better. */
  readonly isDistance: boolean;
}

export function fusionToJson(fusion: FusionSpec): unknown {
  const { weights } = fusion;
  if (fusion.kind === 'minMax') return ['WeightedSum', { weights }];
  return ['RRF', { rank_constant: fusion.rankConstant, weights }];
}

export function fuseLists(lists: readonly FusedList[], fusion: FusionSpec): OracleRow[] {
  const scores = new Map<DocumentId, number>();
  for (const [i, list] of lists.entries()) {
    const weight = fusion.weights[i] ?? 1;
    for (const [rank, { id, dist = 0 }] of list.rows.entries()) {
      const score =
        fusion.kind === 'rrf' ? weight / (fusion.rankConstant + rank + 1) : saturated(weight * normalized(list, dist));
      scores.set(id, scores.has(id) ? saturated((scores.get(id) ?? 0) + score) : score);
    }
  }
  return [...scores].map(([id, dist]) => ({ id, dist })).sort((a, b) => b.dist - a.dist || compareIds(a.id, b.id));
}

function normalized({ rows, isDistance }: FusedList, dist: number): number {
  const signed = (one: number): number => (isDistance ? -one : one);
  const all = rows.map((row) => signed(row.dist ?? 0));
  const [worst, best] = [Math.min(...all), Math.max(...all)];
  return best === worst ? 1 : (signed(dist) - worst) / (best - worst);
}

function compareIds(a: DocumentId, b: DocumentId): number {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : Number(a > b);
  return compareBytes(utf8Encode(String(a)), utf8Encode(String(b)));
}
