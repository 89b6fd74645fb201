import { beforeEach, describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { createNamespaceLog } from './log.ts';
import type { NamespaceLog } from './namespace-log.ts';
import { batchDraft, birthDraft, createTestClock, partsOf, type TestClock } from './testing.ts';

let clock: TestClock;
let store: ObjectStore;
let log: NamespaceLog;

const makeLog = (seed: number): NamespaceLog =>
  createNamespaceLog({ store, clock, random: createSeededRandom(seed), log: silentLog, metrics: noMetrics });

beforeEach(() => {
  clock = createTestClock();
  store = createMemoryStore({ clock });
  log = makeLog(1);
});

describe('the life of a namespace', () => {
  test('what one writer appends, another reader opens and follows', async () => {
    const opened = await log.open('docs');
    expect(opened.view.live).toBeUndefined();
    const born = await log.append(opened.view, () => birthDraft('a', [1, 2, 3]));
    expect(born).toMatchObject({ outcome: 'committed', generation: 1 });
    const reader = makeLog(2);
    const seen = await reader.open('docs');
    expect(partsOf(seen.events)).toEqual(['1,2,3']);
    const second = await log.append(born.view, () => batchDraft([4]));
    const advanced = await reader.advance(seen.view, {});
    expect(advanced.restarted).toBe(false);
    expect(partsOf(advanced.events)).toEqual(['4']);
    expect(advanced.view.tip).toEqual(second.view.tip);
    expect({ ...advanced.view, proof: undefined }).toEqual({ ...second.view, proof: undefined });
  });
});
