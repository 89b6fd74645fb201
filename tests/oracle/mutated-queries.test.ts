import type { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mapBounded } from '@lagoon/base';
import { createKeepAliveAgent, send } from '../support/http.ts';
import { type ServerTarget, startOneServer } from '../support/server-target.ts';
import { boundCases } from './bound-cases.ts';
import { type Mutation, mutationsOf } from './mutate-json.ts';
import { hugeQueries, sampleWrite, validFilters, validQueries, validRecalls } from './query-samples.ts';

/**
 * Valid queries of every form, each node of each changed in every way of a list. What means nothing is 400 or 422 (501 for what is
 * known and not served) with a message that begins with the place: the node, a part of it, or what it is a part of. The server
 * goes on, and takes no memory for hostile numbers.
 */
const writePath = '/v2/namespaces/mutated';
const queryPath = '/v2/namespaces/mutated/query';
const recallPath = '/v1/namespaces/mutated/_debug/recall';
const concurrency = 8;
const rssGrowthMax = 400 << 20;
let target: ServerTarget;
let agent: Agent;

beforeAll(async () => {
  target = await startOneServer();
  agent = createKeepAliveAgent(concurrency);
  // As many generations as a mutation may ask for.
  for (let i = 0; i < 7; i++) expect(await post(writePath, JSON.stringify(sampleWrite))).toMatchObject({ status: 200 });
});

afterAll(async () => {
  agent?.destroy();
  await target?.close();
});

function post(path: string, body: string) {
  return send(target.url, 'POST', path, { body, agent });
}

interface Judged extends Mutation {
  readonly status: number;
  readonly answer: string;
  readonly error: string;
}

async function judge(path: string, mutation: Mutation): Promise<Judged> {
  const { status, json, text } = await post(path, mutation.text);
  return {
    ...mutation,
    status,
    answer: text,
    error: String((json as { readonly error?: string } | undefined)?.error ?? ''),
  };
}

/** What is wrong with an answer, in words. */
function faultOf({ title, status, answer, error, path, parent, isNonsense }: Judged): string | undefined {
  if (status === 200)
    return isNonsense ? 'is answered' : answer.includes('"$dist":null') ? 'scores no number' : undefined;
  if (status === 501) return error.includes('is not implemented yet') ? undefined : 'is 501 without a name';
  if (status !== 400 && status !== 422) return 'has the wrong status';
  const place = /^[^ :]+(?=: .)/.exec(error)?.[0];
  if (place === undefined) return 'names no place';
  // At the top null is absence, and what is missing then is another field.
  const isNear =
    parent === '' && !title.endsWith('null')
      ? place.startsWith(path) || error.includes(path)
      : place.startsWith(parent);
  return isNear ? undefined : 'names another place';
}

async function expectJudged(path: string, mutations: readonly Mutation[]): Promise<void> {
  const faults: string[] = [];
  await mapBounded(mutations, concurrency, async (mutation) => {
    const judged = await judge(path, mutation);
    const fault = faultOf(judged);
    const text = judged.text.slice(0, 300);
    if (fault !== undefined) faults.push(`${judged.title} ${fault}: ${judged.status} ${judged.error}\n  ${text}`);
  });
  expect(faults).toEqual([]);
  process.stdout.write(`changed requests to ${path}: ${mutations.length}\n`);
}

describe('a query with one thing wrong', () => {
  let rssBefore = 0;

  test('the samples are valid', async () => {
    for (const query of validQueries) {
      const { text } = await post(queryPath, JSON.stringify(query));
      expect([query, text]).toEqual([query, expect.stringMatching(/"(rows|aggregations|aggregation_groups)"/)]);
    }
    for (const body of validRecalls) {
      expect([body, (await post(recallPath, JSON.stringify(body))).status]).toEqual([body, 200]);
    }
    rssBefore = process.memoryUsage().rss;
  });

  test('is refused by its place, wherever it is', async () => {
    await expectJudged(
      queryPath,
      validQueries.flatMap((query) => mutationsOf(query)),
    );
  });

  test('in a measurement of recall too', async () => {
    await expectJudged(
      recallPath,
      validRecalls.flatMap((body) => mutationsOf(body)),
    );
  });

  test('in a condition of a write too', async () => {
    const wrap = (condition: string) => `{"patch_rows":[{"id":99,"n":8}],"patch_condition":${condition}}`;
    await expectJudged(
      writePath,
      validFilters.flatMap((filter) => mutationsOf(filter, 'patch_condition', wrap)),
    );
  });

  test.each(boundCases)('$title', async ({ within, past, message }) => {
    const answer = await post(queryPath, JSON.stringify(past));
    expect(answer.json).toMatchObject({ status: 'error', error: expect.stringMatching(message) });
    expect(answer.status).toBe(400);
    if (within !== undefined)
      expect((await post(queryPath, JSON.stringify(within))).text).toMatch(/^\{"(rows|agg|results)/);
  });

  test.each(hugeQueries)('%j has scores that are numbers', async (query) => {
    const { status, text } = await post(queryPath, JSON.stringify(query));
    expect(status).toBe(200);
    expect(text).toContain('"$dist":');
    expect(text).not.toContain('"$dist":null');
  });

  test('nothing of it has changed the namespace, stopped the server, or stayed in memory', async () => {
    const { json } = await post(queryPath, JSON.stringify({ rank_by: ['id', 'asc'] }));
    expect(json).toMatchObject({ rows: [{ id: 1 }, { id: 2 }, { id: 3 }], manifest_generation: 7 });
    expect(await send(target.url, 'GET', '/healthz', { agent })).toMatchObject({ status: 200 });
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(rssGrowthMax);
  });
});
