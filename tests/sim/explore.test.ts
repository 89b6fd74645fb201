import { describe, expect, test } from '@jest/globals';
import { operations } from './explore-operations.ts';
import { exploreTogether, servedOf } from './explore-pairs.ts';
import { enumerate, type Run, type Step } from './explore-schedules.ts';

describe('schedules', () => {
  /** Two processes that each take steps on keys, in order. */
  function toy(processes: Readonly<Record<string, readonly string[]>>): Run & { readonly taken: string[] } {
    const taken: string[] = [];
    const positions = new Map(Object.keys(processes).map((name) => [name, 0]));
    return {
      taken,
      isVoid: false,
      enabled: () =>
        [...positions].flatMap(([process, position]): Step[] => {
          const key = processes[process]?.[position];
          if (key === undefined) return [];
          const id = `${process}${position}`;
          return [{ id, process, reads: [], listed: undefined, writes: [key], isTime: false }];
        }),
      take: async ({ id, process }) => {
        taken.push(id);
        positions.set(process, (positions.get(process) ?? 0) + 1);
      },
    };
  }

  async function seen(processes: Readonly<Record<string, readonly string[]>>, switchCountMax?: number) {
    const orders: string[] = [];
    const { isComplete } = await enumerate(
      async () => toy(processes),
      async (run) => {
        orders.push(run.taken.join(' '));
        return true;
      },
      { switchCountMax, isOver: () => false },
    );
    expect(isComplete).toBe(true);
    expect(new Set(orders).size).toBe(orders.length);
    return orders;
  }

  test('steps that conflict are seen in every order', async () => {
    expect(await seen({ a: ['x', 'x'], b: ['x', 'x'] })).toHaveLength(6);
    expect(await seen({ a: ['x', 'x', 'x'], b: ['x', 'x', 'x'] })).toHaveLength(20);
    expect(await seen({ a: ['x'], b: ['x'], c: ['x'] })).toHaveLength(6);
  });

  test('of the orders of steps that commute one is seen', async () => {
    expect(await seen({ a: ['x', 'x'], b: ['y', 'y'] })).toHaveLength(1);
    expect(await seen({ a: ['x', 'y'], b: ['y', 'x'] })).toHaveLength(3); // x and y each one way or the other; both back is a circle
  });

  test('with a bound on switches all that is within it is seen, and nothing else', async () => {
    expect(await seen({ a: ['x', 'x'], b: ['y', 'y'] }, 0)).toHaveLength(2);
    expect(await seen({ a: ['x', 'x'], b: ['y', 'y'] }, 9)).toHaveLength(6);
  });
});

describe('two operations at once, in every order of their store calls, with a fault at each', () => {
  const small = ['warm write', 'branch', 'filter patch'];

  test('every operation of the table is served, and some pairs end as their requests would one after the other', async () => {
    const served = await servedOf(operations);
    expect(served.map(({ name }) => name)).toEqual(operations.map(({ name }) => name));
    for (const [i, a] of served.entries()) {
      for (const b of served.slice(i)) {
        const scheduleCountMax = small.includes(a.name) && small.includes(b.name) ? 60 : 12;
        const bounds = { durationMs: 10_000, scheduleCountMax, nowMs: () => performance.now() };
        const { name, wrong, scheduleCount } = await exploreTogether([a, b], bounds);
        expect({ name, wrong }).toEqual({ name, wrong: [] });
        expect(scheduleCount).toBeGreaterThan(0);
      }
    }
  }, 300_000);
});
