import { invalidArgument } from '@lagoon/base';
import type { ComputedAttribute } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { fragmentUnits, type HighlightSpec, offsetUnits } from '@lagoon/query';
import { readScore } from './read-score.ts';

const fragmentLimitDefault = 3;

/** A computed attribute as the engine's plain values; `invalid_argument` for units that do not exist. */
export function readComputed({ name, kind }: ComputedAttribute): HighlightSpec {
  if (kind.case === undefined) throw invalidArgument('a computed attribute says nothing', { name });
  const { attribute, fragmentBy, fragmentLimit, offsetUnit, wordsOf } = kind.value;
  return {
    ...{ name, attribute },
    fragmentBy: oneOf(fragmentUnits, fragmentBy === '' ? 'sentence' : fragmentBy, name),
    fragmentLimit: fragmentLimit === 0 ? fragmentLimitDefault : fragmentLimit,
    offsetUnit: offsetUnit === '' ? undefined : oneOf(offsetUnits, offsetUnit, name),
    wordsOf: wordsOf === undefined ? undefined : readScore(wordsOf),
  };
}

function oneOf<T extends string>(units: readonly T[], found: string, name: string): T {
  const unit = units.find((known) => known === found);
  if (unit === undefined) throw invalidArgument('unknown unit of a computed attribute', { name, found });
  return unit;
}
