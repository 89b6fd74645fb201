import type { MessageInitShape } from '@bufbuild/protobuf';
import { unimplemented } from '@lagoon/base';
import { queryLimits } from '@lagoon/format';
import type { ComputedAttributeSchema, HighlightSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import {
  asArray,
  asInteger,
  asObject,
  asOneOf,
  asString,
  at,
  clip,
  refuseUnknownFields,
  wrongValue,
} from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';
import { checkAttributeName } from '../write/names.ts';
import { parseSparseRank, parseVectorRank } from './parse-rank-by.ts';
import { isScore, parseScore } from './parse-score.ts';

type ComputedInit = MessageInitShape<typeof ComputedAttributeSchema>;

/** Reads `{name: ["Highlight", attribute, config?]}`, a distance as `{name: [attribute, "VectorDist", vector]}`, or a score. */
export function parseComputed(value: unknown, path: string): ComputedInit[] {
  const object = asObject(value, path);
  const names = Object.keys(object);
  if (names.length > queryLimits.highlightCountMax) {
    throw wrongValue(path, 'too many computed attributes', { found: names.length, max: queryLimits.highlightCountMax });
  }
  return names.map((name) => {
    const where = at(path, clip(name));
    checkAttributeName(name, where);
    return { name, kind: parseKind(asArray(object[name], where, grammar), where) };
  });
}

const grammar = '["Highlight", attribute], [attribute, "VectorDist", vector] or the expression of a score';

function parseKind(parts: readonly unknown[], path: string): NonNullable<ComputedInit['kind']> {
  if (parts[0] === 'Highlight') return { case: 'highlight', value: parseHighlight(parts, path) };
  if (parts[0] === 'Embed') throw unimplemented(`Embed (${path})`);
  if (isScore(parts)) return { case: 'score', value: parseScore(parts, path) };
  const attribute = asString(parts[0], `${path}[0]`, grammar);
  switch (parts[1]) {
    case 'VectorDist':
    case 'ANN':
    case 'kNN':
      return { case: 'distance', value: parseVectorRank(attribute, true, parts, path) };
    case 'SparseKNN':
      return { case: 'product', value: parseSparseRank(attribute, parts, path) };
    default:
      throw wrongValue(path, `expected ${grammar}`, { found: clip(attribute) });
  }
}

const highlightFields = new Set(['fragment_by', 'fragment_limit', 'include_offsets', 'rank_fragments_by']);

function parseHighlight(parts: readonly unknown[], path: string): MessageInitShape<typeof HighlightSchema> {
  if (parts.length < 2 || parts.length > 3) throw wrongValue(path, 'expected 2 or 3 parts', { found: parts.length });
  const attribute = asString(parts[1], `${path}[1]`, 'the name of an attribute');
  const where = `${path}[2]`;
  const config = parts.length === 3 ? asObject(parts[2], where) : {};
  refuseUnknownFields(config, where, highlightFields);
  const { fragment_by: unit, fragment_limit: limit, include_offsets: offsets, rank_fragments_by: rankBy } = config;
  return {
    attribute,
    fragmentBy: isGiven(unit) ? asOneOf(unit, `${where}.fragment_by`, ['sentence', 'paragraph', 'word', 'none']) : '',
    fragmentLimit: isGiven(limit) ? asInteger(limit, `${where}.fragment_limit`, 1, queryLimits.fragmentCountMax) : 0,
    offsetUnit: isGiven(offsets) ? asOneOf(offsets, `${where}.include_offsets`, ['utf-8', 'utf-16', 'codepoints']) : '',
    ...(isGiven(rankBy) ? { wordsOf: parseScore(rankBy, `${where}.rank_fragments_by`) } : {}),
  };
}
