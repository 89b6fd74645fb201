import { invalidArgument } from '@lagoon/base';
import type { ScoreCurve, ScoreExpression as ScoreMessage, TextRank } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { queryLimits, type ScoreExpression } from '@lagoon/query';
import { readFilter, readValue } from '@lagoon/query-message';

/** The expression of a score as the engine's plain values; `invalid_argument` for messages that say nothing. */
export function readScore(message: ScoreMessage | undefined): ScoreExpression {
  return readNode(message, 'rank_by', 1);
}

export function readText({ attribute, query, tokens, lastAsPrefix }: TextRank): ScoreExpression {
  if (tokens.length > 0 && query !== '') throw invalidArgument('a query is one text or tokens', { attribute });
  return { kind: 'bm25', attribute, query: tokens.length > 0 ? tokens : query, lastAsPrefix };
}

function readNode(message: ScoreMessage | undefined, path: string, depth: number): ScoreExpression {
  if (depth > queryLimits.scoreDepthMax) {
    throw invalidArgument('rank_by is nested too deeply', { depthMax: queryLimits.scoreDepthMax });
  }
  const readPart = (part: ScoreMessage | undefined, place: string): ScoreExpression =>
    readNode(part, `${path}${place}`, depth + 1);
  const kind = message?.kind;
  switch (kind?.case) {
    case 'text':
      return readText(kind.value);
    case 'sum':
    case 'max':
      return { kind: kind.case, parts: kind.value.parts.map((part, i) => readPart(part, `[1][${i}]`)) };
    case 'product':
      return { kind: 'product', factor: kind.value.factor, part: readPart(kind.value.part, '[2]') };
    case 'filter':
      return { kind: 'filter', filter: readFilter(kind.value, path) };
    case 'attribute':
      return { kind: 'attribute', attribute: kind.value };
    case 'saturate':
    case 'decay':
      return { kind: kind.case, part: readPart(kind.value.part, '[1]'), ...readCurve(kind.value) };
    case 'dist': {
      const { part, origin } = kind.value;
      return { kind: 'dist', part: readPart(part, '[1]'), origin: origin === undefined ? null : readValue(origin) };
    }
    default:
      throw invalidArgument('a part of rank_by says nothing');
  }
}

/** proto3 has no way to tell 0 from nothing. */
function readCurve({ midpoint, exponent }: ScoreCurve): { readonly midpoint: number; readonly exponent: number } {
  return { midpoint, exponent: exponent === 0 ? 1 : exponent };
}
