import type { PlanFact, PlanStep } from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { JsonObject } from '../json/shape.ts';

/** A line per step: `probe data/….seg  leaves=12 of_leaves=96`. */
export function planText(steps: readonly PlanStep[]): string {
  return steps.map(stepText).join('\n');
}

export function planStepsToJson(steps: readonly PlanStep[]): JsonObject[] {
  return steps.map(({ step, target, facts }) => ({
    step,
    ...(target === '' ? {} : { target }),
    ...Object.fromEntries(facts.map((fact) => [fact.name, factOf(fact)])),
  }));
}

function stepText({ step, target, facts }: PlanStep): string {
  const parts = facts.map((fact) => `${fact.name}=${textOf(factOf(fact))}`);
  return [step, ...(target === '' ? [] : [target]), ...parts].join(' ');
}

function factOf({ value }: PlanFact): string | number {
  return value.value ?? '';
}

function textOf(value: string | number): string {
  return typeof value === 'number' || /^[\w.-]+$/.test(value) ? String(value) : JSON.stringify(value);
}
