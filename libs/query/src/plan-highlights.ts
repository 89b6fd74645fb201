import { invalidAt } from '@lagoon/base';
import { formatAttributeType, queryLimits, type Schema } from '@lagoon/format';
import { planScore } from './plan-score.ts';
import type { Bm25Plan, HighlightPlan, RankPlan, ScorePlan } from './query-plan.ts';
import type { HighlightSpec } from './query-spec.ts';

/** Checks what is to be highlighted; `invalid_argument` names it. */
export function planHighlights(schema: Schema, rank: RankPlan, highlights: readonly HighlightSpec[]): HighlightPlan[] {
  const { highlightCountMax: countMax, fragmentCountMax } = queryLimits;
  if (highlights.length > countMax) throw invalidAt('compute_attributes', 'too many computed attributes', { countMax });
  const names = new Set<string>();
  return highlights.map((highlight) => {
    const { name, attribute, fragmentLimit } = highlight;
    const path = `compute_attributes.${name}`;
    if (names.has(name) || name === 'id' || name === '$dist' || schema.attributes.has(name)) {
      throw invalidAt(path, 'name of a computed attribute is taken', { name });
    }
    names.add(name);
    if (!(fragmentLimit >= 1 && fragmentLimit <= fragmentCountMax)) {
      throw invalidAt(`${path}[2].fragment_limit`, 'out of range', { found: fragmentLimit, max: fragmentCountMax });
    }
    return planHighlight(schema, rank, highlight, attribute, path);
  });
}

function planHighlight(
  schema: Schema,
  rank: RankPlan,
  highlight: HighlightSpec,
  name: string,
  path: string,
): HighlightPlan {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw invalidAt(`${path}[1]`, 'unknown attribute in Highlight', { attribute: name });
  const { fullTextSearch: settings, type } = attribute;
  if (settings === undefined) {
    throw invalidAt(`${path}[1]`, 'attribute has no full_text_search', {
      attribute: name,
      type: formatAttributeType(type),
    });
  }
  const clauses: Bm25Plan[] = [];
  if (highlight.wordsOf !== undefined)
    addClauses(planScore(schema, highlight.wordsOf, `${path}[2].rank_fragments_by`), name, clauses);
  else if (rank.kind === 'text') addClauses(rank.score, name, clauses);
  if (clauses.length === 0) {
    throw invalidAt(path, 'nothing to highlight: neither rank_by nor rank_fragments_by has BM25 of the attribute', {
      attribute: name,
    });
  }
  const { fragmentBy, fragmentLimit, offsetUnit } = highlight;
  return { name: highlight.name, attribute: name, settings, fragmentBy, fragmentLimit, offsetUnit, clauses };
}

function addClauses(score: ScorePlan, attribute: string, clauses: Bm25Plan[]): void {
  if (score.kind === 'bm25' && score.attribute === attribute) clauses.push(score);
  if ('parts' in score) for (const part of score.parts) addClauses(part, attribute, clauses);
  if ('part' in score) addClauses(score.part, attribute, clauses);
}
