import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Turbopuffer from '@turbopuffer/turbopuffer';
import { startOneServer, startServerPerRole } from '../support/server-target.ts';
import type { DialectTarget } from './dialect-suite.ts';

/** Highlights by the unmodified npm client. */
describe.each([
  ['one server', startOneServer],
  ['a server per role', startServerPerRole],
])('highlights: %s', (_, startTarget) => {
  let target: DialectTarget;
  let ns: ReturnType<Turbopuffer['namespace']>;

  beforeAll(async () => {
    target = await startTarget();
    ns = new Turbopuffer({ baseURL: target.url, apiKey: 'none', maxRetries: 0 }).namespace(`highlights-${process.pid}`);
    await ns.write({
      upsert_rows: [
        { id: 1, text: 'É: a red reef. Nothing here. Reefs are deep, reefs are red.', tags: ['red', 'blue'] },
        { id: 2, text: 'a reef' },
      ],
      schema: { text: { type: 'string', full_text_search: { stemming: true } }, tags: '[]string' },
    });
  });
  afterAll(() => target?.close());

  test('are the best fragments of each row, with offsets in the unit that was asked for', async () => {
    const { rows } = await ns.query({
      rank_by: ['text', 'BM25', 'reefs red'],
      limit: 10,
      include_attributes: ['tags'],
      compute_attributes: {
        best: ['Highlight', 'text', { fragment_limit: 1, include_offsets: 'utf-8' }],
        words: [
          'Highlight',
          'text',
          { fragment_by: 'word', rank_fragments_by: ['text', 'BM25', 'de', { last_as_prefix: true }] },
        ],
      },
    });
    expect(rows?.map(({ id, best, words, tags, text }) => ({ id, best, words, tags, text }))).toEqual([
      {
        id: 1,
        best: [
          {
            text: 'Reefs are deep, reefs are red.',
            fragment_range: [30, 60],
            match_ranges: [
              [30, 35],
              [46, 51],
              [56, 59],
            ],
          },
        ],
        words: [{ text: 'deep' }],
        tags: ['red', 'blue'],
        text: undefined,
      },
      {
        id: 2,
        best: [{ text: 'a reef', fragment_range: [0, 6], match_ranges: [[2, 6]] }],
        words: [],
        tags: null,
        text: undefined,
      },
    ]);
  });

  test('what cannot be highlighted is a 400 or 422 that says why', async () => {
    const failing = (compute: object, rankBy: unknown = ['text', 'BM25', 'reef']): Promise<unknown> =>
      ns
        .query({ rank_by: rankBy as never, compute_attributes: compute as never })
        .then(() => undefined)
        .catch((error: unknown) => error);
    expect(await failing({ a: ['Highlight', 'tags'] })).toMatchObject({ status: 400 });
    expect(await failing({ a: ['Highlight', 'none'] })).toMatchObject({ status: 400 });
    expect(await failing({ text: ['Highlight', 'text'] })).toMatchObject({ status: 400 });
    expect(await failing({ a: ['Highlight', 'text'] }, ['id', 'asc'])).toMatchObject({
      status: 400,
      message: expect.stringMatching(/nothing to highlight/),
    });
    expect(await failing({ a: ['Highlight', 'text', { fragment_by: 'line' }] })).toMatchObject({
      status: 400,
      message: expect.stringMatching(/compute_attributes\.a\[2\]\.fragment_by: expected one of/),
    });
    expect(await failing({ a: ['Highlight', 'text', { by: 'word' }] })).toMatchObject({ status: 422 });
    expect(await failing({ a: ['Highlight', 5] })).toMatchObject({ status: 422 });
    expect(await failing({ a: ['Highlights', 'text'] })).toMatchObject({ status: 400 });
  });
});
