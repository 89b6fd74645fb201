import { mapBounded, utf8Encode } from '@lagoon/base';
import type { CreateResult, ObjectStore } from './object-store.ts';
import { type CheckSpace, expectText, fail, textAt } from './store-check-expect.ts';

const unclearCountMax = 10;

/** Create on absent, present, overwritten and deleted keys, through every connection. */
export async function checkConditions({ stores, prefix, signal }: CheckSpace): Promise<string> {
  for (const [index, store] of stores.entries()) {
    const key = `${prefix}${index}`;
    await expectCreate(store, key, 'first', 'created', signal);
    for (const other of stores) await expectCreate(other, key, 'second', 'exists', signal);
    await expectText(stores, key, 'first', signal);
    await store.put(key, utf8Encode('third'), signal);
    for (const other of stores) await expectCreate(other, key, 'fourth', 'exists', signal);
    await expectText(stores, key, 'third', signal);
    await store.delete([key], signal);
    await expectText(stores, key, undefined, signal);
    await store.delete([key], signal);
    await expectCreate(store, key, 'fifth', 'created', signal);
    await expectText(stores, key, 'fifth', signal);
  }
  return `absent, present, overwritten and deleted keys over ${stores.length} connections`;
}

/** Many creators of one key at once, spread over the connections; the object has the last word on who won. */
export async function checkRaces({ stores, prefix, sizes, signal }: CheckSpace): Promise<string> {
  let unclearCount = 0;
  for (let race = 0; race < sizes.raceCount; race++) {
    const key = `${prefix}${race}`;
    const creators = Array.from({ length: sizes.creatorCount }, (_, creator) => creator);
    const results = await mapBounded(
      creators,
      sizes.creatorCount,
      (creator) => storeOf(stores, creator).create(key, utf8Encode(`creator ${creator}`), signal),
      signal,
    );
    const winner = await textAt(stores[0], key, signal);
    judgeRace(results, winner);
    await expectText(stores, key, winner, signal);
    unclearCount += results.filter((result) => result.outcome === 'unknown').length;
  }
  const { raceCount, creatorCount } = sizes;
  return `${raceCount} races of ${creatorCount} over ${stores.length} connections, ${unclearCount} unclear answers`;
}

function judgeRace(results: readonly CreateResult[], winner: string | undefined): void {
  const created = results.flatMap((result, creator) => (result.outcome === 'created' ? [`creator ${creator}`] : []));
  if (created.length > 1) fail(`${created.length} creators of one key were told that they had won`);
  if (winner === undefined) fail('the key is absent after a race of creators');
  if (created.length === 1 && created[0] !== winner) fail('the winner of a race was overwritten by a loser');
  const index = results.findIndex((_, creator) => `creator ${creator}` === winner);
  if (results[index]?.outcome === 'exists') fail('a creator was told that it had lost, but its object is there');
}

/** An unclear answer is allowed: reads back, and creates again while the key is absent. */
async function expectCreate(
  store: ObjectStore,
  key: string,
  text: string,
  expected: 'created' | 'exists',
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let attempt = 0; attempt < unclearCountMax; attempt++) {
    const result = await store.create(key, utf8Encode(text), signal);
    if (result.outcome === expected) return;
    if (result.outcome !== 'unknown') fail(`create of a key was answered "${result.outcome}" instead of "${expected}"`);
    const found = await textAt(store, key, signal);
    if (found !== undefined && (found === text) === (expected === 'created')) return;
  }
  fail(`create gave no clear answer ${unclearCountMax} times in a row`);
}

function storeOf(stores: CheckSpace['stores'], index: number): ObjectStore {
  return stores[index % stores.length] ?? stores[0];
}
