import { describe, expect, test } from '@jest/globals';
import { createMemoryStore } from '@lagoon/object-store';
import { compact, createTestClock, createTestWorld, type TestClock, type TestWorld } from './testing.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const keepMs = 2 * hourMs;

function skewed(clock: TestClock, byMs: number): TestClock {
  return { ...clock, wallMs: () => clock.wallMs() + byMs };
}

async function keptKeys(world: TestWorld): Promise<string[]> {
  return [...(await world.log.readIdempotencyParts(await world.view())).keys()].sort();
}

async function partCount(world: TestWorld): Promise<number> {
  return (await world.view()).live?.manifest.idempotencyParts.length ?? 0;
}

describe('idempotency records that left the tail', () => {
  test('stay, though the clock of their writer is a day behind that of the next one', async () => {
    const clock = createTestClock();
    const store = createMemoryStore({ clock });
    const behind = createTestWorld(store, skewed(clock, -dayMs));
    const ahead = createTestWorld(store, skewed(clock, dayMs));
    const role = ahead.compactor({ config: { idempotencyPartCountMax: 1 } });
    await behind.write([[1, 'one']], [], ['early']);
    await ahead.write([[2, 'two']], [], ['late']);
    await compact(role);
    expect(await keptKeys(ahead)).toEqual(['early', 'late']);
    await behind.write([[3, 'three']], [], ['again']);
    await ahead.write([[4, 'four']]);
    await compact(role);
    expect(await keptKeys(ahead)).toEqual(['again', 'early', 'late']);
    await role.close();
  });

  test('expire once this very compactor has seen them for the keep time', async () => {
    const world = createTestWorld();
    const role = world.compactor({ config: { idempotencyKeepMs: keepMs } });
    await world.write([[1, 'one']], [], ['k']);
    await compact(role);
    world.clock.advance(keepMs);
    await world.write([[2, 'two']]);
    await compact(role);
    expect(await keptKeys(world)).toEqual(['k']);
    const young = world.compactor({ seed: 2, config: { idempotencyKeepMs: keepMs } });
    world.clock.advance(1);
    await world.write([[3, 'three']]);
    await compact(young);
    expect(await keptKeys(world)).toEqual(['k']);
    await world.write([[4, 'four']]);
    await compact(role);
    expect(await keptKeys(world)).toEqual([]);
    await role.close();
    await young.close();
  });

  test('expire with a compactor that has just started when they are older than any error of clocks', async () => {
    const world = createTestWorld();
    await world.write([[1, 'one']], [], ['k']);
    const first = world.compactor({ config: { idempotencyKeepMs: keepMs } });
    await compact(first);
    await first.close();
    const cases = [
      { afterMs: keepMs + 2 * dayMs, seed: 2, expected: ['k'] },
      { afterMs: 1, seed: 3, expected: [] },
    ];
    for (const { afterMs, seed, expected } of cases) {
      world.clock.advance(afterMs);
      await world.write([[2, 'two']]);
      const role = world.compactor({ seed, config: { idempotencyKeepMs: keepMs } });
      await compact(role);
      await role.close();
      expect(await keptKeys(world)).toEqual(expected);
    }
  });

  test('keep expiring while new ones come in all the time, in a bounded number of parts', async () => {
    const world = createTestWorld();
    const role = world.compactor({ config: { idempotencyKeepMs: keepMs, idempotencyPartCountMax: 4 } });
    const stepMs = keepMs / 20;
    for (let step = 0; step < 80; step++) {
      await world.write([[step, 'row']], [], [`k${step}`]);
      await compact(role);
      world.clock.advance(stepMs);
      const kept = new Set(await keptKeys(world));
      for (let young = Math.max(0, step - 20); young <= step; young++) expect(kept.has(`k${young}`)).toBe(true);
      expect(kept.has(`k${step - 28}`)).toBe(false);
      expect(await partCount(world)).toBeLessThanOrEqual(9);
    }
    await role.close();
  });
});
