import { corrupt, saturated } from '@lagoon/base';
import { type Bitmap, type Block, type Column, getBit, isNull, nextBit } from '@lagoon/format';
import { gainOfRow, type ListCursor } from '@lagoon/text';
import { columnOf } from './column-filter.ts';
import type { FilterPlan, ScorePlan } from './query-plan.ts';
import type { TextLeaf } from './text-leaf.ts';

/**
 * A score expression over one block. `valueAt` is exact: the same steps in the same order wherever a row lies. `lower` and
 * `upper` bound it over all rows, given what the terms may add (`termBounds`): every step but powers rounds monotonically, so
 * bounds taken by the same steps hold to the last bit.
 */
export interface ScoreNode {
  /** NaN where the row has no value: it counts as 0 in a sum, in a maximum and in the end. */
  valueAt(row: number): number;
  lower(): number;
  upper(): number;
}

export interface ScoreScope {
  readonly block: Block;
  /** Position of the block among all of the job. */
  readonly position: number;
  /** By BM25 clause. */
  readonly leaves: ReadonlyMap<ScorePlan, TextLeaf>;
  /** The admitted rows of the block that a filter matches. */
  readonly filterRows: (filter: FilterPlan) => Bitmap;
  /** Collects a cursor per list of the clauses, in their order. */
  readonly cursors: ListCursor[];
  /** By cursor: the most that its term adds to a row of the window; filled in by the caller. */
  readonly termBounds: number[];
  readonly createCursor: (list: ListCursor['list'], weight: number) => ListCursor;
  /** Smallest and largest value of a column of the block. */
  readonly rangeOf: (attribute: string, valueAt: (row: number) => number) => Range;
}

export interface Range {
  readonly lower: number;
  readonly upper: number;
}

export function createScoreNode(scope: ScoreScope, plan: ScorePlan): ScoreNode {
  switch (plan.kind) {
    case 'bm25':
      return bm25Node(scope, plan);
    case 'sum':
    case 'max': {
      const parts = plan.parts.map((part) => orZero(createScoreNode(scope, part)));
      return plan.kind === 'sum' ? sumNode(parts) : maxNode(parts);
    }
    case 'product':
      return productNode(plan.factor, createScoreNode(scope, plan.part));
    case 'filter':
      return filterNode(scope.filterRows(plan.filter));
    case 'attribute':
      return attributeNode(scope, plan);
    case 'saturate': {
      const { midpoint, exponent } = plan;
      return risingNode((x) => saturate(x, midpoint, exponent), exponent !== 1, createScoreNode(scope, plan.part));
    }
    case 'decay': {
      const { midpoint, exponent } = plan;
      return fallingNode((x) => decay(x, midpoint, exponent), exponent !== 1, createScoreNode(scope, plan.part));
    }
    case 'dist':
      return distNode(plan.origin, createScoreNode(scope, plan.part));
  }
}

/** x^e / (x^e + m^e), 0 for x ≤ 0. */
export function saturate(x: number, midpoint: number, exponent: number): number {
  if (Number.isNaN(x)) return x;
  return x <= 0 ? 0 : 1 / (1 + power(midpoint / x, exponent));
}

/** m^e / (x^e + m^e), 1 for x ≤ 0. */
export function decay(x: number, midpoint: number, exponent: number): number {
  if (Number.isNaN(x)) return x;
  return x <= 0 ? 1 : 1 / (1 + power(x / midpoint, exponent));
}

function power(x: number, exponent: number): number {
  return exponent === 1 ? x : x ** exponent;
}

function bm25Node({ leaves, position, cursors, termBounds, createCursor }: ScoreScope, plan: ScorePlan): ScoreNode {
  const first = cursors.length;
  for (const { weight, lists } of leaves.get(plan)?.terms ?? []) {
    const list = lists[position];
    if (list !== undefined) cursors.push(createCursor(list, weight));
  }
  const end = cursors.length;
  return {
    valueAt: (row) => {
      let score = 0;
      for (let i = first; i < end; i++) {
        const cursor = cursors[i] as ListCursor;
        score += cursor.weight * gainOfRow(cursor, row);
      }
      return score;
    },
    lower: () => 0,
    upper: () => {
      let bound = 0;
      for (let i = first; i < end; i++) bound += termBounds[i] as number;
      return bound;
    },
  };
}

/** A row without a value counts as 0 here. */
function orZero(node: ScoreNode): ScoreNode {
  return {
    valueAt: (row) => {
      const value = node.valueAt(row);
      return Number.isNaN(value) ? 0 : value;
    },
    lower: () => Math.min(0, node.lower()),
    upper: () => Math.max(0, node.upper()),
  };
}

function sumNode(parts: readonly ScoreNode[]): ScoreNode {
  return {
    valueAt: (row) => {
      let sum = 0;
      for (const part of parts) sum = saturated(sum + part.valueAt(row));
      return sum;
    },
    lower: () => parts.reduce((sum, part) => saturated(sum + part.lower()), 0),
    upper: () => parts.reduce((sum, part) => saturated(sum + part.upper()), 0),
  };
}

function maxNode(parts: readonly ScoreNode[]): ScoreNode {
  return {
    valueAt: (row) => {
      let max = -Infinity;
      for (const part of parts) max = Math.max(max, part.valueAt(row));
      return max;
    },
    lower: () => parts.reduce((max, part) => Math.max(max, part.lower()), -Infinity),
    upper: () => parts.reduce((max, part) => Math.max(max, part.upper()), -Infinity),
  };
}

function productNode(factor: number, part: ScoreNode): ScoreNode {
  const [low, high] = factor < 0 ? [part.upper, part.lower] : [part.lower, part.upper];
  return {
    valueAt: (row) => saturated(factor * part.valueAt(row)),
    lower: () => saturated(factor * low()),
    upper: () => saturated(factor * high()),
  };
}

function filterNode(rows: Bitmap): ScoreNode {
  const most = nextBit(rows, 0) < 0 ? 0 : 1;
  return { valueAt: (row) => (getBit(rows, row) ? 1 : 0), lower: () => 0, upper: () => most };
}

function attributeNode(
  { block, rangeOf }: ScoreScope,
  { attribute, scalar }: Extract<ScorePlan, { readonly kind: 'attribute' }>,
): ScoreNode {
  const column = columnOf(block, attribute, { kind: 'scalar', scalar });
  if (column === undefined) return { valueAt: () => Number.NaN, lower: () => 0, upper: () => 0 };
  const numberAt = numbersOf(column, attribute);
  const { nulls } = column;
  const valueAt = nulls === undefined ? numberAt : (row: number) => (isNull(nulls, row) ? Number.NaN : numberAt(row));
  const { lower, upper } = rangeOf(attribute, valueAt);
  return { valueAt, lower: () => lower, upper: () => upper };
}

function numbersOf(column: Column, attribute: string): (row: number) => number {
  if (column.kind === 'scalar') {
    switch (column.scalar) {
      case 'int':
      case 'uint':
      case 'datetime': {
        const { values } = column;
        return (row) => Number(values[row]);
      }
      case 'float':
      case 'bool': {
        const { values } = column;
        return (row) => Number(values[row]);
      }
      default:
    }
  }
  throw corrupt('column of a score holds no numbers', { attribute });
}

/** Of the rows that have a value; 0 where none has. */
export function rangeOfRows(rowCount: number, valueAt: (row: number) => number): Range {
  let lower = Infinity;
  let upper = -Infinity;
  for (let row = 0; row < rowCount; row++) {
    const value = valueAt(row);
    if (value < lower) lower = value;
    if (value > upper) upper = value;
  }
  return lower > upper ? { lower: 0, upper: 0 } : { lower, upper };
}

/** What a power may be off by, relatively, and more. */
const powerSlack = 1e-12;

function risingNode(of: (x: number) => number, isInexact: boolean, part: ScoreNode): ScoreNode {
  const slack = isInexact ? powerSlack : 0;
  return {
    valueAt: (row) => of(part.valueAt(row)),
    lower: () => of(part.lower()) * (1 - slack),
    upper: () => of(part.upper()) * (1 + slack),
  };
}

function fallingNode(of: (x: number) => number, isInexact: boolean, part: ScoreNode): ScoreNode {
  const slack = isInexact ? powerSlack : 0;
  return {
    valueAt: (row) => of(part.valueAt(row)),
    lower: () => of(part.upper()) * (1 - slack),
    upper: () => of(part.lower()) * (1 + slack),
  };
}

function distNode(origin: number, part: ScoreNode): ScoreNode {
  const distanceOf = (value: number): number => Math.abs(saturated(value - origin));
  const ends = (): readonly [number, number] => [distanceOf(part.lower()), distanceOf(part.upper())];
  return {
    valueAt: (row) => distanceOf(part.valueAt(row)),
    lower: () => (part.lower() <= origin && origin <= part.upper() ? 0 : Math.min(...ends())),
    upper: () => Math.max(...ends()),
  };
}
