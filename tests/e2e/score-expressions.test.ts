import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Turbopuffer from '@turbopuffer/turbopuffer';
import type { RankByText } from '@turbopuffer/turbopuffer/resources/custom';
import { startOneServer, startServerPerRole } from '../support/server-target.ts';
import type { DialectTarget } from './dialect-suite.ts';

const hourMs = 3_600_000;
const start = Date.parse('2026-01-01T00:00:00Z');

/** Every operator of a score, by the unmodified npm client. */
describe.each([
  ['one server', startOneServer],
  ['a server per role', startServerPerRole],
])('score expressions: %s', (_, startTarget) => {
  let target: DialectTarget;
  let ns: ReturnType<Turbopuffer['namespace']>;

  beforeAll(async () => {
    target = await startTarget();
    ns = new Turbopuffer({ baseURL: target.url, apiKey: 'none', maxRetries: 0 }).namespace(`scores-${process.pid}`);
    await ns.write({
      upsert_rows: [
        { id: 1, title: 'deep sea', body: 'coral and coral', likes: 10, at: new Date(start).toISOString() },
        { id: 2, title: 'red coral', body: 'a reef', likes: 0, at: new Date(start + 6 * hourMs).toISOString() },
        { id: 3, title: 'abyss', body: 'nothing of it', likes: 30, tags: ['Red Sea', 'x'] },
      ],
      schema: {
        title: { type: 'string', full_text_search: true },
        body: { type: 'string', full_text_search: { language: 'english', stemming: true } },
        tags: { type: '[]string', full_text_search: { tokenizer: 'pre_tokenized_array' } },
        at: 'datetime',
      },
    });
  });
  afterAll(() => target?.close());

  const rank = async (rankBy: RankByText, filters?: unknown): Promise<[number | string, number][]> => {
    const { rows } = await ns.query({
      rank_by: rankBy,
      limit: 10,
      ...(filters === undefined ? {} : { filters: filters as never }),
    });
    return (rows ?? []).map((row) => [row.id, row.$dist as number]);
  };

  test('sums, maxima and products of clauses over several fields', async () => {
    const title: RankByText = ['title', 'BM25', 'coral'];
    const body: RankByText = ['body', 'BM25', 'corals'];
    const [[, inTitle] = [0, 0]] = await rank(title);
    const [[, inBody] = [0, 0]] = await rank(body);
    expect(new Map(await rank(['Sum', [['Product', 3, title], body]]))).toEqual(
      new Map([
        [2, 3 * inTitle],
        [1, inBody],
      ]),
    );
    expect(await rank(['Product', ['Max', [title, body]], 2])).toHaveLength(2);
    expect(await rank(['Sum', [title, body]], ['likes', 'Gt', 5])).toEqual([[1, inBody]]);
  });

  test('attributes, filters and curves as scores', async () => {
    expect(await rank(['Attribute', 'likes'])).toEqual([
      [3, 30],
      [1, 10],
    ]);
    expect(await rank(['Saturate', ['Attribute', 'likes'], { midpoint: 10 }])).toEqual([
      [3, 0.75],
      [1, 0.5],
    ]);
    expect(await rank(['likes', 'Gte', 10])).toEqual([
      [1, 1],
      [3, 1],
    ]);
    expect(
      await rank([
        'And',
        [
          ['likes', 'Gte', 10],
          ['Not', ['id', 'Eq', 1]],
        ],
      ]),
    ).toEqual([[3, 1]]);
    const age: RankByText = ['Dist', ['Attribute', 'at'], new Date(start).toISOString()];
    expect(await rank(['Decay', age, { midpoint: '6h', exponent: 2 }])).toEqual([
      [1, 1],
      [2, 0.5],
    ]);
    expect(await rank(age)).toEqual([[2, 6 * hourMs]]);
  });

  test('prefixes, and tokens as they are', async () => {
    expect((await rank(['title', 'BM25', 'abyss co', { last_as_prefix: true }])).map(([id]) => id)).toEqual([3, 2]);
    expect((await rank(['tags', 'BM25', ['Red Sea', 'y']])).map(([id]) => id)).toEqual([3]);
    expect(await rank(['tags', 'BM25', ['Red']])).toEqual([]);
  });

  test('what does not fit the schema is a 400 that names the place', async () => {
    const failing = async (rankBy: unknown): Promise<unknown> =>
      await rank(rankBy as RankByText).catch((error: unknown) => error);
    expect(
      await failing([
        'Sum',
        [
          ['title', 'BM25', 'x'],
          ['Attribute', 'title'],
        ],
      ]),
    ).toMatchObject({
      status: 400,
      message: expect.stringMatching(/rank_by\[1\]\[1\]\[1\]: attribute is not a number/),
    });
    expect(await failing(['Product', 2, ['likes', 'BM25', 'x']])).toMatchObject({ status: 400 });
    expect(await failing(['Dist', ['Attribute', 'likes'], '2026-01-01'])).toMatchObject({ status: 400 });
  });
});
