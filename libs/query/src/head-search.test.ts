import { expect, test } from '@jest/globals';
import { createSystemClock, LagoonError } from '@lagoon/base';
import { createHeadSearch } from './head-search.ts';
import type { ConsistencySpec } from './query-spec.ts';
import type { HeldSnapshot, Replica } from './replica.ts';

const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A replica whose probes are answered by hand: with the generation that they find. */
function createProbed() {
  const events: string[] = [];
  let generation = 1;
  let probe = Promise.withResolvers<number>();
  const hold = (): HeldSnapshot => {
    const of = generation;
    return {
      snapshot: { generation: of },
      [Symbol.dispose]: () => void events.push(`let ${of} go`),
    } as unknown as HeldSnapshot;
  };
  const replica = {
    get generation() {
      return generation;
    },
    reach: async () => {
      generation = await probe.promise;
      probe = Promise.withResolvers();
    },
    peek: hold,
  } as unknown as Replica;
  const headSearch = createHeadSearch(createSystemClock());
  const query = async (consistency = strong): Promise<number> => {
    const search = async ({ snapshot }: HeldSnapshot, signal?: AbortSignal): Promise<number> => {
      events.push(`search ${snapshot.generation}`);
      await turn();
      if (signal?.aborted) {
        events.push(`stopped ${snapshot.generation}`);
        throw new LagoonError('cancelled', 'nobody waits');
      }
      return snapshot.generation;
    };
    return (await headSearch.run({ replica, consistency, take: async () => hold(), search })).result;
  };
  return {
    events,
    query,
    answer: (found: number) => probe.resolve(found),
    fail: () => probe.reject(new Error('no store')),
  };
}

test('where the last probe found nothing new, a strong query searches while its own is under way', async () => {
  const { events, query, answer } = createProbed();
  const first = query();
  await turn();
  expect(events).toEqual([]);
  answer(1);
  expect(await first).toBe(1);
  const second = query();
  await turn();
  await turn();
  expect(events).toEqual(['search 1', 'let 1 go', 'search 1', 'let 1 go']);
  let isAnswered = false;
  void second.then(() => {
    isAnswered = true;
  });
  await turn();
  expect(isAnswered).toBe(false);
  answer(1);
  expect(await second).toBe(1);
});

test('what the probe finds is searched, and what was searched meanwhile ends, whatever came of it', async () => {
  const { events, query, answer } = createProbed();
  answer(1);
  await query();
  events.length = 0;
  answer(2);
  expect(await query()).toBe(2);
  await turn();
  expect(events).toEqual(['search 1', 'search 2', 'stopped 1', 'let 1 go', 'let 2 go']);
  // Something is being written: nothing is searched in vain again.
  events.length = 0;
  answer(3);
  expect(await query()).toBe(3);
  expect(events).toEqual(['search 3', 'let 3 go']);
});

test('a probe that fails ends the search, too', async () => {
  const { events, query, answer, fail } = createProbed();
  answer(1);
  await query();
  events.length = 0;
  fail();
  await expect(query()).rejects.toThrow('no store');
  await turn();
  expect(events).toEqual(['search 1', 'stopped 1', 'let 1 go']);
});
