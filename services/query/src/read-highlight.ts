import { invalidAt } from '@lagoon/base';
import type { Highlight } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { fragmentUnits, type HighlightSpec, offsetUnits } from '@lagoon/query';
import { readScore } from './read-score.ts';

const fragmentLimitDefault = 3;

/** Highlights as the engine's plain values; `invalid_argument` for units that do not exist. */
export function readHighlight(name: string, message: Highlight, path: string): HighlightSpec {
  const { attribute, fragmentBy, fragmentLimit, offsetUnit, wordsOf } = message;
  return {
    ...{ name, attribute },
    fragmentBy: oneOf(fragmentUnits, fragmentBy === '' ? 'sentence' : fragmentBy, `${path}[2].fragment_by`),
    fragmentLimit: fragmentLimit === 0 ? fragmentLimitDefault : fragmentLimit,
    offsetUnit: offsetUnit === '' ? undefined : oneOf(offsetUnits, offsetUnit, `${path}[2].include_offsets`),
    wordsOf: wordsOf === undefined ? undefined : readScore(wordsOf, `${path}[2].rank_fragments_by`),
  };
}

function oneOf<T extends string>(units: readonly T[], found: string, path: string): T {
  const unit = units.find((known) => known === found);
  if (unit === undefined) throw invalidAt(path, `expected one of ${units.join(', ')}`, { found });
  return unit;
}
