import { invalidAt } from '@lagoon/base';
import type { ComputedAttribute } from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { QuerySpec, ValueSpec } from '@lagoon/query';
import { readHighlight } from './read-highlight.ts';
import { readSparseRank, readVectorRank } from './read-rank.ts';
import { readScore } from './read-score.ts';

/** Computed attributes as the engine's plain values; `invalid_argument` for messages that say nothing. */
export function readComputed(messages: readonly ComputedAttribute[]): Pick<QuerySpec, 'highlights' | 'values'> {
  return {
    highlights: messages.flatMap(({ name, kind }) =>
      kind.case === 'highlight' ? readHighlight(name, kind.value, pathOf(name)) : [],
    ),
    values: messages.flatMap((message) => (message.kind.case === 'highlight' ? [] : readValue(message))),
  };
}

function readValue({ name, kind }: ComputedAttribute): ValueSpec {
  const path = pathOf(name);
  switch (kind.case) {
    case 'score':
      return { name, of: { kind: 'text', expression: readScore(kind.value, path) } };
    case 'distance':
      return { name, of: readVectorRank(kind.value, path) };
    case 'product':
      return { name, of: readSparseRank(kind.value, path) };
    default:
      throw invalidAt(path, 'expected Highlight, a distance or a score, found nothing');
  }
}

function pathOf(name: string): string {
  return `compute_attributes.${name}`;
}
