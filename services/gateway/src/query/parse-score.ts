import type { MessageInitShape } from '@bufbuild/protobuf';
import { parseDatetime, queryLimits } from '@lagoon/format';
import type { ScoreExpressionSchema, TextRankSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { ValueSchema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import {
  asArray,
  asBoolean,
  asFiniteNumber,
  asObject,
  asString,
  clip,
  type JsonObject,
  refuseUnknownFields,
  wrongShape,
  wrongValue,
} from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';
import { isOperatorName, parseFilter } from './parse-filter.ts';

type ScoreInit = MessageInitShape<typeof ScoreExpressionSchema>;

const functionNames = ['Sum', 'Max', 'Product', 'Attribute', 'Saturate', 'Decay', 'Dist'] as const;
type FunctionName = (typeof functionNames)[number];

const connectives: ReadonlySet<unknown> = new Set(['And', 'Or', 'Not']);
const vectorOperators: ReadonlySet<unknown> = new Set(['ANN', 'kNN', 'SparseKNN', 'VectorDist']);

const grammar =
  '[attribute, "BM25", text], a filter, or one of Sum, Max, Product, Attribute, Saturate, Decay, Dist with its parts';

/** Whether an array is an expression of a score, and not a ranking by vector or order. Attributes may have any name. */
export function isScore(parts: readonly unknown[]): boolean {
  const [head, second] = parts;
  if (second === 'BM25' || isOperatorName(second)) return true;
  if (vectorOperators.has(second)) return false;
  return isFunctionName(head) || (connectives.has(head) && parts.length === 2);
}

/** Reads an expression of a score; whatever is wrong is named by its path inside the expression. */
export function parseScore(value: unknown, path: string): ScoreInit {
  return parseNode(value, path, { nodeCount: 0 }, 1);
}

function parseNode(value: unknown, path: string, budget: { nodeCount: number }, depth: number): ScoreInit {
  if (depth > queryLimits.scoreDepthMax)
    throw wrongValue(path, 'nested too deeply', { max: queryLimits.scoreDepthMax });
  if (++budget.nodeCount > queryLimits.scoreNodeCountMax) {
    throw wrongValue(path, 'the expression has too many parts', { max: queryLimits.scoreNodeCountMax });
  }
  const parts = asArray(value, path, grammar);
  const [head, second] = parts;
  if (vectorOperators.has(second)) throw wrongValue(`${path}[1]`, 'a vector cannot be part of a score');
  if (second === 'BM25') return { kind: { case: 'text', value: parseText(parts, path) } };
  if (isOperatorName(second) || (connectives.has(head) && parts.length === 2)) {
    return { kind: { case: 'filter', value: parseFilter(parts, path) } };
  }
  if (isFunctionName(head)) {
    return parseFunction(head, parts, path, (part, partPath) => parseNode(part, partPath, budget, depth + 1));
  }
  const name = asString(head, `${path}[0]`, grammar);
  const operator = second === undefined ? 'nothing' : typeof second === 'string' ? clip(second) : 'no operator';
  throw wrongValue(path, `expected ${grammar}`, { found: `${clip(name)}, ${operator}` });
}

function isFunctionName(value: unknown): value is FunctionName {
  return functionNames.some((name) => name === value);
}

function parseFunction(
  name: FunctionName,
  parts: readonly unknown[],
  path: string,
  parsePart: (part: unknown, path: string) => ScoreInit,
): ScoreInit {
  switch (name) {
    case 'Sum':
    case 'Max': {
      checkLength(parts, 2, path);
      const list = asArray(parts[1], `${path}[1]`, 'an array of expressions');
      if (list.length === 0) throw wrongValue(`${path}[1]`, `${name} of nothing`);
      const value = { parts: list.map((part, i) => parsePart(part, `${path}[1][${i}]`)) };
      return { kind: { case: name === 'Sum' ? 'sum' : 'max', value } };
    }
    case 'Product': {
      checkLength(parts, 3, path);
      const [at, of] = isNumber(parts[2]) && !isNumber(parts[1]) ? ([2, 1] as const) : ([1, 2] as const);
      const factor = asFiniteNumber(parts[at], `${path}[${at}]`);
      const part = parsePart(parts[of], `${path}[${of}]`);
      return { kind: { case: 'product', value: { factor, part, partFirst: of === 1 } } };
    }
    case 'Attribute': {
      checkLength(parts, 2, path);
      return { kind: { case: 'attribute', value: asString(parts[1], `${path}[1]`, 'the name of an attribute') } };
    }
    case 'Saturate':
    case 'Decay': {
      checkLength(parts, 3, path);
      const part = parsePart(parts[1], `${path}[1]`);
      const curve = parseCurve(asObject(parts[2], `${path}[2]`), `${path}[2]`);
      return { kind: { case: name === 'Saturate' ? 'saturate' : 'decay', value: { part, ...curve } } };
    }
    case 'Dist': {
      checkLength(parts, 3, path);
      const part = parsePart(parts[1], `${path}[1]`);
      return { kind: { case: 'dist', value: { part, origin: parseOrigin(parts[2], `${path}[2]`) } } };
    }
  }
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

const curveFields = new Set(['midpoint', 'exponent']);

function parseCurve(object: JsonObject, path: string): { readonly midpoint: number; readonly exponent: number } {
  refuseUnknownFields(object, path, curveFields);
  const { midpoint, exponent } = object;
  const at = `${path}.midpoint`;
  return {
    midpoint: checkAboveZero(
      typeof midpoint === 'string' ? parseDuration(midpoint, at) : asFiniteNumber(midpoint, at),
      at,
    ),
    exponent: isGiven(exponent) ? checkAboveZero(asFiniteNumber(exponent, `${path}.exponent`), `${path}.exponent`) : 1,
  };
}

function checkAboveZero(value: number, path: string): number {
  if (value > 0) return value;
  throw wrongValue(path, 'must be above 0', { found: value });
}

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** A number and a unit, as "6h" or "1.5d": in milliseconds, as distances of datetimes are. */
function parseDuration(text: string, path: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,9})?)\s?(ms|s|m|h|d|w)$/.exec(text);
  if (match === null) throw wrongValue(path, 'expected a number, or a duration as "6h"', { found: clip(text) });
  return Number(match[1]) * (unitMs[match[2] ?? ''] ?? Number.NaN);
}

function parseOrigin(value: unknown, path: string): MessageInitShape<typeof ValueSchema> {
  if (typeof value === 'string') {
    if (parseDatetime(value) === undefined) throw wrongValue(path, 'is no datetime', { found: clip(value) });
    return { kind: { case: 'stringValue', value } };
  }
  if (isNumber(value)) return { kind: { case: 'floatValue', value: asFiniteNumber(value, path) } };
  throw wrongShape(path, 'a number or a datetime', value);
}

const textParameters = new Set(['last_as_prefix']);

export function parseText(parts: readonly unknown[], path: string): MessageInitShape<typeof TextRankSchema> {
  if (parts.length !== 4) checkLength(parts, 3, path);
  const attribute = asString(parts[0], `${path}[0]`, 'the name of an attribute');
  const parameters = parts.length === 4 ? asObject(parts[3], `${path}[3]`) : {};
  refuseUnknownFields(parameters, `${path}[3]`, textParameters);
  const lastAsPrefix =
    isGiven(parameters.last_as_prefix) && asBoolean(parameters.last_as_prefix, `${path}[3].last_as_prefix`);
  const at = `${path}[2]`;
  if (!Array.isArray(parts[2])) {
    const query = asString(parts[2], at, 'a query text or an array of tokens');
    checkTextSize([query], at);
    return { attribute, query, lastAsPrefix };
  }
  const tokens = parts[2].map((token, i) => asString(token, `${at}[${i}]`, 'a token'));
  checkTextSize(tokens, at);
  return { attribute, tokens, lastAsPrefix };
}

function checkTextSize(texts: readonly string[], path: string): void {
  const { queryTextBytesMax: bytesMax, queryTermCountMax: countMax } = queryLimits;
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes <= bytesMax && texts.length <= countMax) return;
  throw wrongValue(path, 'the query text is too long', { bytes, bytesMax, countMax });
}

function checkLength(parts: readonly unknown[], length: number, path: string): void {
  if (parts.length !== length) throw wrongValue(path, `expected ${length} parts`, { found: parts.length });
}
