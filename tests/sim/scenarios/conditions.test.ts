import { describe, expect, test } from '@jest/globals';
import type { World } from '../world.ts';
import { answered, createScenario, expectContent, onFirst, pass, path, start, until, write } from './scenario.ts';

const logEntry = /\/log\//;

function patch(world: World, from: number, to: number, key?: string) {
  const body = { patch_rows: [{ id: 1, w: to }], patch_condition: ['w', 'Eq', from] };
  return start(world, 'POST', path, body, key === undefined ? {} : { 'idempotency-key': key });
}

const patchedCount = (answer: { readonly body: Record<string, unknown> }) => answer.body.rows_patched ?? 0;

describe('a condition or patch meets a change that is still in flight', () => {
  test('in the same ingester: it is decided on the outcome, never on the older view', async () => {
    const world = createScenario({ ingesterCount: 1 });
    await write(world, 1, [1, 2]);
    expect(patchedCount(await answered(world, patch(world, 0, 9)))).toBe(0); // the rows are there from here on
    const flight = onFirst(world, { verb: 'create', key: logEntry }, () => ({ delayMs: 5_000 }));
    const flying = patch(world, 1, 2);
    await until(world, () => flight.isHit);
    const late = [patch(world, 1, 3), patch(world, 2, 4), patch(world, 2, 5)];
    expect(patchedCount(await answered(world, flying))).toBe(1);
    const counts = await Promise.all(late.map((one) => answered(world, one)));
    // Those that came meanwhile have no order among them, but all of them came after.
    expect(counts.map(patchedCount).reduce((sum: number, count) => sum + Number(count), 0)).toBe(1);
    expect(patchedCount(counts[0] ?? { body: {} })).toBe(0);
    const isFourth = patchedCount(counts[1] ?? { body: {} }) === 1;
    await expectContent(world, { 1: isFourth ? 4 : 5, 2: 1 });
  });

  test('of another ingester: the race is lost, and the winner is what counts', async () => {
    const world = createScenario({ ingesterCount: 2, seed: 3 });
    await write(world, 1, [1]);
    for (let warm = 0; warm < 8; warm++) await answered(world, patch(world, 0, 9));
    const flight = onFirst(world, { verb: 'create', key: logEntry }, () => ({ delayMs: 5_000 }));
    const slow = patch(world, 1, 2, 'slow');
    await until(world, () => flight.isHit);
    const rivals = Array.from({ length: 6 }, (_, index) => patch(world, 1, 10 + index, `rival-${index}`));
    const answers = await Promise.all([slow, ...rivals].map((one) => answered(world, one)));
    expect(answers.map(patchedCount).reduce((sum: number, count) => sum + Number(count), 0)).toBe(1);
    const winner = answers.findIndex((answer) => patchedCount(answer) === 1);
    await expectContent(world, { 1: winner === 0 ? 2 : 9 + winner });
  });

  test('whose outcome is lost with its ingester: the retry under the key tells the same, and applies once', async () => {
    const world = createScenario({ ingesterCount: 1 });
    await write(world, 1, [1]);
    await answered(world, patch(world, 0, 9));
    onFirst(world, { verb: 'create', key: logEntry }, () => {
      world.scheduler.schedule(0, () => world.cluster.ingesters[0]?.restart(500));
      return undefined;
    });
    let last = await answered(world, patch(world, 1, 2, 'k'));
    for (let attempt = 0; attempt < 50 && last.status !== 200; attempt++) {
      last = await answered(world, patch(world, 1, 2, 'k'));
      await pass(world, 200);
    }
    expect(patchedCount(last)).toBe(1);
    await expectContent(world, { 1: 2 });
  });
});
