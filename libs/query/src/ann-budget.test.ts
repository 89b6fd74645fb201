import { expect, test } from '@jest/globals';
import type { Clusters } from '@lagoon/segment';
import { budgetFor } from './ann-budget.ts';

const clusters: Clusters = {
  metric: 'cosine_distance',
  dims: 2,
  positionCount: 1_000,
  hasRows: false,
  leafEnds: Uint32Array.from({ length: 100 }, (_, leaf) => 10 * (leaf + 1)),
  code: { codec: 'flat' },
  budgets: {
    ks: [1, 10, 100],
    recalls: [0.9, 0.95],
    leaves: Uint32Array.of(2, 4, 6, 8, 10, 100),
    candidates: Uint32Array.of(3, 5, 20, 40, 200, 400),
  },
  centroidsOffset: 0,
};

test('a budget is the one that was learned, or lies between the two next ks and the two next recalls', () => {
  expect(budgetFor(clusters, 10, 0.9)).toEqual({ leaves: 6, candidates: 20 });
  expect(budgetFor(clusters, 10, 0.95)).toEqual({ leaves: 8, candidates: 40 });
  expect(budgetFor(clusters, 10, 0.91)).toEqual({ leaves: 7, candidates: 24 });
  expect(budgetFor(clusters, 10, 0.5)).toEqual({ leaves: 6, candidates: 20 });
  expect(budgetFor(clusters, 1, 0.95)).toEqual({ leaves: 4, candidates: 5 });
  const between = budgetFor(clusters, 30, 0.9);
  expect(between.leaves).toBeGreaterThanOrEqual(6);
  expect(between.leaves).toBeLessThanOrEqual(10);
  expect(between.candidates).toBeGreaterThan(30);
  expect(between.candidates).toBeLessThanOrEqual(200);
});

test('one row needs no larger a budget than ten do, whatever was learned for it', () => {
  const budgets = { ...clusters.budgets, leaves: Uint32Array.of(9, 9, 6, 8, 10, 100) };
  expect(budgetFor({ ...clusters, budgets }, 2, 0.9)).toMatchObject({ leaves: 6 });
});

test('beyond what was learned every leaf is visited, and there are no fewer candidates than rows asked for', () => {
  expect(budgetFor(clusters, 10, 0.99)).toEqual({ leaves: 100, candidates: 40 });
  expect(budgetFor(clusters, 500, 0.9)).toEqual({ leaves: 100, candidates: 1_000 });
});
