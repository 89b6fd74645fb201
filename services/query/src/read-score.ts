import { invalidArgument } from '@lagoon/base';
import type {
  Filter as FilterMessage,
  ScoreCurve,
  ScoreExpression as ScoreMessage,
  TextRank,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import { type Filter, queryLimits, type ScoreExpression } from '@lagoon/query';
import { readValue } from './read-value.ts';

/** The expression of a score as the engine's plain values; `invalid_argument` for messages that say nothing. */
export function readScore(
  message: ScoreMessage | undefined,
  readFilter: (filter: FilterMessage) => Filter,
): ScoreExpression {
  return readNode(message, readFilter, 1);
}

export function readText({ attribute, query, tokens, lastAsPrefix }: TextRank): ScoreExpression {
  if (tokens.length > 0 && query !== '') throw invalidArgument('a query is one text or tokens', { attribute });
  return { kind: 'bm25', attribute, query: tokens.length > 0 ? tokens : query, lastAsPrefix };
}

function readNode(
  message: ScoreMessage | undefined,
  readFilter: (filter: FilterMessage) => Filter,
  depth: number,
): ScoreExpression {
  if (depth > queryLimits.scoreDepthMax) {
    throw invalidArgument('rank_by is nested too deeply', { depthMax: queryLimits.scoreDepthMax });
  }
  const readPart = (part: ScoreMessage | undefined): ScoreExpression => readNode(part, readFilter, depth + 1);
  const kind = message?.kind;
  switch (kind?.case) {
    case 'text':
      return readText(kind.value);
    case 'sum':
    case 'max':
      return { kind: kind.case, parts: kind.value.parts.map(readPart) };
    case 'product':
      return { kind: 'product', factor: kind.value.factor, part: readPart(kind.value.part) };
    case 'filter':
      return { kind: 'filter', filter: readFilter(kind.value) };
    case 'attribute':
      return { kind: 'attribute', attribute: kind.value };
    case 'saturate':
    case 'decay':
      return { kind: kind.case, part: readPart(kind.value.part), ...readCurve(kind.value) };
    case 'dist': {
      const { part, origin } = kind.value;
      return { kind: 'dist', part: readPart(part), origin: origin === undefined ? null : readValue(origin) };
    }
    default:
      throw invalidArgument('a part of rank_by says nothing');
  }
}

/** proto3 has no way to tell 0 from nothing. */
function readCurve({ midpoint, exponent }: ScoreCurve): { readonly midpoint: number; readonly exponent: number } {
  return { midpoint, exponent: exponent === 0 ? 1 : exponent };
}
