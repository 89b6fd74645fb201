import { inPlace, invalidAt } from '@lagoon/base';
import { type AttributeValue, queryLimits } from '@lagoon/format';
import type { ScoreCurve, ScoreExpression as ScoreMessage, TextRank } from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { Value } from '@lagoon/proto/lagoon/v1/value_pb.js';
import type { ScoreExpression } from '@lagoon/query';
import { readFilter, readValue } from '@lagoon/query-message';

/** The expression of a score as the engine's plain values; `invalid_argument` for messages that say nothing. */
export function readScore(message: ScoreMessage | undefined, path: string): ScoreExpression {
  return readNode(message, path, 1);
}

export function readText({ attribute, query, tokens, lastAsPrefix }: TextRank, path: string): ScoreExpression {
  if (tokens.length > 0 && query !== '') throw invalidAt(`${path}[2]`, 'a query is one text or tokens', { attribute });
  return { kind: 'bm25', attribute, query: tokens.length > 0 ? tokens : query, lastAsPrefix };
}

function readNode(message: ScoreMessage | undefined, path: string, depth: number): ScoreExpression {
  if (depth > queryLimits.scoreDepthMax) {
    throw invalidAt(path, 'the expression is nested too deeply', { depthMax: queryLimits.scoreDepthMax });
  }
  const readPart = (part: ScoreMessage | undefined, place: string): ScoreExpression =>
    readNode(part, `${path}${place}`, depth + 1);
  const kind = message?.kind;
  switch (kind?.case) {
    case 'text':
      return readText(kind.value, path);
    case 'sum':
    case 'max':
      return { kind: kind.case, parts: kind.value.parts.map((part, i) => readPart(part, `[1][${i}]`)) };
    case 'product':
      return {
        kind: 'product',
        factor: kind.value.factor,
        part: readPart(kind.value.part, kind.value.partFirst ? '[1]' : '[2]'),
        isPartFirst: kind.value.partFirst,
      };
    case 'filter':
      return { kind: 'filter', filter: readFilter(kind.value, path) };
    case 'attribute':
      return { kind: 'attribute', attribute: kind.value };
    case 'saturate':
    case 'decay':
      return { kind: kind.case, part: readPart(kind.value.part, '[1]'), ...readCurve(kind.value) };
    case 'dist': {
      const { part, origin } = kind.value;
      return { kind: 'dist', part: readPart(part, '[1]'), origin: readOrigin(origin, `${path}[2]`) };
    }
    default:
      throw invalidAt(path, 'expected a score, found nothing');
  }
}

function readOrigin(origin: Value | undefined, path: string): AttributeValue {
  return origin === undefined ? null : inPlace(`${path}: `, () => readValue(origin));
}

/** proto3 has no way to tell 0 from nothing. */
function readCurve({ midpoint, exponent }: ScoreCurve): { readonly midpoint: number; readonly exponent: number } {
  return { midpoint, exponent: exponent === 0 ? 1 : exponent };
}
