import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Turbopuffer from '@turbopuffer/turbopuffer';
import { printingLogs } from '../support/printing-logs.ts';

/** A started Lagoon, in whatever number of processes, that the suite talks to over HTTP only. */
export interface DialectTarget {
  readonly url: string;
  /** Output of its processes, printed when a test fails. */
  readonly logs?: () => string;
  close(): Promise<void>;
}

/** What the unmodified npm client of the dialect must be able to do against any deployment. */
export function describeDialect(name: string, start: () => Promise<DialectTarget>): void {
  describe(name, () => {
    let target: DialectTarget;
    let client: Turbopuffer;
    let counter = 0;

    beforeAll(async () => {
      target = await start();
      client = new Turbopuffer({ baseURL: target.url, apiKey: 'none', maxRetries: 0 });
    });

    afterAll(async () => {
      await target?.close();
    });

    const check = (title: string, body: () => Promise<void>) => test(title, () => printingLogs(() => target, body));

    const freshName = (prefix = 'dialect') => `${prefix}-${process.pid}-${counter++}`;
    const fresh = (prefix?: string) => client.namespace(freshName(prefix));
    const ids = (response: { rows?: { id: number | string }[] }) => response.rows?.map((row) => row.id);

    const raw = async (method: string, path: string, body?: string | Uint8Array, headers = {}) => {
      const response = await fetch(`${target.url}${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body }),
      });
      return { status: response.status, text: await response.text(), headers: response.headers };
    };

    check('counts, sums and groups', async () => {
      const name = freshName();
      const ns = client.namespace(name);
      const rows = [
        { id: 1, color: 'red', size: 10, tags: ['a', 'b'] },
        { id: 2, color: 'blue', size: 20, tags: ['b', 'b'] },
        { id: 3, color: 'red', size: 30 },
        { id: 4, size: 5 },
      ];
      await ns.write({ upsert_rows: rows });
      const total = await ns.query({
        aggregate_by: { rows: ['Count'], bytes: ['Sum', 'size'] },
        filters: ['size', 'Gt', 5],
      });
      expect(total.aggregations).toEqual({ rows: 3, bytes: 60 });
      const groups = await ns.query({ aggregate_by: { n: ['Count'], bytes: ['Sum', 'size'] }, group_by: ['color'] });
      expect(groups.aggregation_groups).toEqual([
        { color: null, n: 1, bytes: 5 },
        { color: 'blue', n: 1, bytes: 20 },
        { color: 'red', n: 2, bytes: 40 },
      ]);
      const body = JSON.stringify({ aggregate_by: { n: ['Count'] }, group_by: [{ tag: ['ForEachUnique', 'tags'] }] });
      const byTag = await raw('POST', `/v2/namespaces/${name}/query`, body);
      expect(JSON.parse(byTag.text)).toMatchObject({
        aggregation_groups: [
          { tag: null, n: 2 },
          { tag: 'a', n: 1 },
          { tag: 'b', n: 2 },
        ],
      });
    });

    check('several queries of one instant, alone and fused', async () => {
      const name = freshName();
      const ns = client.namespace(name);
      await ns.write({
        upsert_rows: [
          { id: 1, vector: [1, 0], text: 'the quick fox', color: 'red' },
          { id: 2, vector: [0.9, 0.1], text: 'a lazy dog', color: 'blue' },
          { id: 3, vector: [0, 1], text: 'fox and fox', color: 'red' },
        ],
        schema: { text: { type: 'string', full_text_search: true } },
        distance_metric: 'cosine_distance',
      });
      const queries = [
        { rank_by: ['vector', 'kNN', [1, 0]] as ['vector', 'kNN', number[]], limit: 2, include_attributes: ['color'] },
        { rank_by: ['text', 'BM25', 'fox'] as ['text', 'BM25', string], limit: 10 },
      ];
      const several = await ns.multiQuery({ queries });
      expect(several.results.map((result) => ids(result))).toEqual([
        [1, 2],
        [3, 1],
      ]);
      const answer = await raw(
        'POST',
        `/v2/namespaces/${name}/query`,
        JSON.stringify({ queries, rerank_by: ['RRF'], limit: 2 }),
      );
      const { results } = JSON.parse(answer.text) as { results: { rows: Record<string, unknown>[] }[] };
      expect(results).toEqual([
        {
          rows: [
            { id: 1, $dist: 1 / 61 + 1 / 62, color: 'red' },
            { id: 3, $dist: 1 / 61 },
          ],
        },
      ]);
    });

    check('rows and columns are written, found by vector, filtered and projected', async () => {
      const ns = fresh();
      const first = await ns.write({
        upsert_rows: [
          { id: 1, vector: [1, 0], color: 'red', size: 10 },
          { id: 2, vector: [0.9, 0.1], color: 'blue', size: 20, tags: ['a', 'b'] },
        ],
        distance_metric: 'cosine_distance',
      });
      expect(first).toMatchObject({ status: 'OK', rows_affected: 2, rows_upserted: 2 });
      await ns.write({
        upsert_columns: {
          id: [3, 4],
          vector: [[0, 1], Buffer.from(Float32Array.of(-1, 0).buffer).toString('base64')],
          color: ['red', null],
          size: [30, 40],
        },
      });
      const all = await ns.query({ rank_by: ['vector', 'ANN', [1, 0]], limit: 10, include_attributes: true });
      expect(ids(all)).toEqual([1, 2, 3, 4]);
      expect(all.rows?.[0]).toMatchObject({ id: 1, $dist: 0, color: 'red', size: 10 });
      expect(all.rows?.[1]?.vector).toEqual([0.9, 0.1]);
      expect(all.rows?.[1]?.tags).toEqual(['a', 'b']);
      expect(all.rows?.[3]?.$dist).toBe(2);
      const exact = await ns.query({ rank_by: ['vector', 'kNN', [1, 0]], limit: 2, filters: ['color', 'Eq', 'red'] });
      expect(exact.rows).toEqual([
        { id: 1, $dist: 0 },
        { id: 3, $dist: 1 },
      ]);
      expect(exact.performance.approx_namespace_size).toBe(4);
    });

    check('filters of every served kind, and order by attributes', async () => {
      const ns = fresh();
      await ns.write({
        upsert_rows: [
          { id: 1, n: 5, s: 'b', f: 0.5, b: true },
          { id: 2, n: 3, s: 'a', f: 1.5, b: false },
          { id: 3, n: 5, s: 'c' },
          { id: 4, s: 'a', f: 2.5 },
        ],
      });
      const find = async (filters: unknown) =>
        ids(await ns.query({ rank_by: ['id', 'asc'], limit: 10, filters: filters as ['id', 'Eq', number] }));
      expect(await find(['n', 'Eq', 5])).toEqual([1, 3]);
      expect(await find(['n', 'NotEq', 5])).toEqual([2, 4]);
      expect(await find(['s', 'In', ['a', 'c']])).toEqual([2, 3, 4]);
      expect(await find(['s', 'NotIn', ['a', 'c']])).toEqual([1]);
      expect(await find(['n', 'Gte', 4])).toEqual([1, 3]);
      expect(await find(['f', 'Gt', 0.5])).toEqual([2, 4]);
      expect(await find(['n', 'Eq', null])).toEqual([4]);
      expect(await find(['n', 'NotEq', null])).toEqual([1, 2, 3]);
      expect(await find(['id', 'Lte', 2])).toEqual([1, 2]);
      expect(
        await find([
          'And',
          [
            ['n', 'Eq', 5],
            ['Not', ['s', 'Eq', 'c']],
          ],
        ]),
      ).toEqual([1]);
      expect(
        await find([
          'Or',
          [
            ['b', 'Eq', false],
            ['s', 'Eq', 'c'],
          ],
        ]),
      ).toEqual([2, 3]);
      const byTwo = await ns.query({
        rank_by: [
          ['n', 'desc'],
          ['s', 'asc'],
        ],
        limit: 10,
      });
      expect(ids(byTwo)).toEqual([1, 3, 2, 4]);
      expect(byTwo.rows?.[0]).not.toHaveProperty('$dist');
    });

    check('full text by one field', async () => {
      const ns = fresh();
      await ns.write({
        upsert_rows: [
          { id: 1, text: 'a quick brown fox' },
          { id: 2, text: 'the lazy dog' },
          { id: 3, text: 'quick, quick: the fox' },
        ],
        schema: { text: { type: 'string', full_text_search: true } },
      });
      const found = await ns.query({ rank_by: ['text', 'BM25', 'Quick'], limit: 10, include_attributes: ['text'] });
      expect(new Set(ids(found))).toEqual(new Set([1, 3]));
      expect(found.rows?.[0]?.$dist).toBeGreaterThan(0);
      expect(found.rows?.[0]?.text).toContain('quick');
    });

    check('u64 ids, strings and declared uuids keep every digit', async () => {
      const name = freshName();
      const path = `/v2/namespaces/${name}`;
      await raw(
        'POST',
        path,
        '{"upsert_rows":[{"id":18446744073709551615,"n":-9223372036854775808},{"id":9007199254740993}]}',
      );
      const answer = await raw('POST', `${path}/query`, '{"rank_by":["id","desc"],"include_attributes":true}');
      expect(answer.text).toContain(
        '"rows":[{"id":18446744073709551615,"n":-9223372036854775808},{"id":9007199254740993',
      );
      const one = await raw('POST', `${path}/query`, '{"rank_by":["id","asc"],"filters":["id","Eq",9007199254740993]}');
      expect(one.text).toContain('"rows":[{"id":9007199254740993}]');
      const ns = fresh();
      const uuid = '550E8400-e29b-41d4-a716-446655440000';
      await ns.write({
        upsert_rows: [{ id: uuid, at: '2024-05-01T12:00:00+02:00' }],
        schema: { id: 'uuid', at: 'datetime' },
      });
      const row = (await ns.query({ rank_by: ['id', 'asc'], include_attributes: true })).rows?.[0];
      expect(row).toEqual({ id: uuid.toLowerCase(), at: '2024-05-01T10:00:00Z' });
    });

    check('upserts replace, deletes remove, and offset pages through', async () => {
      const name = freshName();
      const ns = client.namespace(name);
      await ns.write({ upsert_rows: Array.from({ length: 5 }, (_, index) => ({ id: `k${index}`, a: 1, b: 2 })) });
      await ns.write({ upsert_rows: [{ id: 'k1', a: 7 }], deletes: ['k3', 'absent'] });
      const rows = (await ns.query({ rank_by: ['id', 'asc'], limit: 10, include_attributes: ['a', 'b'] })).rows;
      expect(rows?.map((row) => row.id)).toEqual(['k0', 'k1', 'k2', 'k4']);
      expect(rows?.[1]).toMatchObject({ a: 7 });
      expect(rows?.[1]?.b ?? null).toBeNull();
      const page = await raw('POST', `/v2/namespaces/${name}/query`, '{"rank_by":["id","asc"],"limit":2,"offset":2}');
      expect(JSON.parse(page.text).rows).toEqual([{ id: 'k2' }, { id: 'k4' }]);
    });

    check('a write is read back at its generation, and eventually', async () => {
      const name = freshName();
      const ns = client.namespace(name);
      const path = `/v2/namespaces/${name}/query`;
      const written = (await ns.write({ upsert_rows: [{ id: 1 }] })) as unknown as { manifest_generation: number };
      const query = {
        rank_by: ['id', 'asc'],
        consistency: { level: 'eventual', min_manifest_generation: written.manifest_generation },
      };
      const answer = JSON.parse((await raw('POST', path, JSON.stringify(query))).text);
      expect(answer.rows).toEqual([{ id: 1 }]);
      expect(answer.manifest_generation).toBeGreaterThanOrEqual(written.manifest_generation);
      expect(ids(await ns.query({ rank_by: ['id', 'asc'], consistency: { level: 'eventual' } }))).toEqual([1]);
    });

    check('an idempotency key has one outcome, and another body under it is 422', async () => {
      const path = `/v2/namespaces/${freshName()}`;
      const headers = { 'idempotency-key': 'k' };
      const first = await raw('POST', path, '{"upsert_rows":[{"id":1}]}', headers);
      const again = await raw('POST', path, '{"upsert_rows":[{"id":1}]}', headers);
      expect(JSON.parse(again.text).manifest_generation).toBe(JSON.parse(first.text).manifest_generation);
      expect((await raw('POST', path, '{"upsert_rows":[{"id":2}]}', headers)).status).toBe(422);
    });

    check('schema, metadata, list and delete', async () => {
      const prefix = freshName('life');
      const ns = fresh(prefix);
      expect(await ns.exists()).toBe(false);
      await ns.write({ upsert_rows: [{ id: 1, vector: [1, 2, 3], n: 5 }], distance_metric: 'euclidean_squared' });
      expect(await ns.exists()).toBe(true);
      const schema = await ns.schema();
      expect(schema).toMatchObject({ vector: { type: '[3]f32' }, n: { type: 'int' } });
      await ns.updateSchema({ schema: { later: { type: 'string', full_text_search: true } } });
      expect(await ns.schema()).toMatchObject({
        later: { type: 'string', full_text_search: { tokenizer: 'word_v4' } },
      });
      const metadata = await ns.metadata();
      expect(metadata).toMatchObject({ encryption: { mode: 'default' }, created_at: expect.stringMatching(/Z$/) });
      expect(['up-to-date', 'updating']).toContain(metadata.index.status);
      await fresh(prefix).write({ upsert_rows: [{ id: 1 }] });
      const listed: string[] = [];
      for await (const summary of client.namespaces({ prefix, page_size: 1 })) listed.push(summary.id);
      expect(listed).toHaveLength(2);
      expect((await ns.hintCacheWarm()).status).toBe('ACCEPTED');
      expect((await ns.deleteAll()).status).toBe('OK');
      expect(await ns.exists()).toBe(false);
      await expect(ns.query({ rank_by: ['id', 'asc'] })).rejects.toMatchObject({ status: 404 });
      await expect(ns.deleteAll()).rejects.toMatchObject({ status: 404 });
      await expect(ns.metadata()).rejects.toMatchObject({ status: 404 });
    });

    check('a query past the caches reads everything again and answers the same', async () => {
      const name = freshName();
      await client.namespace(name).write({ upsert_rows: [{ id: 1, n: 3 }, { id: 2 }] });
      const ask = async (body: object) =>
        JSON.parse((await raw('POST', `/v2/namespaces/${name}/query`, JSON.stringify(body))).text);
      const query = { rank_by: ['n', 'desc'], profile: true };
      await ask(query);
      const warm = await ask(query);
      const past = await ask({ ...query, disable_cache: true });
      expect(past.rows).toEqual(warm.rows);
      expect(past.profile.store_request_count).toBeGreaterThan(warm.profile.store_request_count);
      const several = await ask({ queries: [{ rank_by: ['n', 'desc'] }], disable_cache: true });
      expect(several.results[0].rows).toEqual(warm.rows);
      const inside = await ask({ queries: [{ rank_by: ['n', 'desc'], disable_cache: true }] });
      expect(inside.error).toContain('queries[0].disable_cache');
    });

    check('a namespace is pinned and let go', async () => {
      const ns = fresh();
      await ns.write({ upsert_rows: [{ id: 1, n: 1 }] });
      expect(await ns.metadata()).not.toHaveProperty('pinning');
      expect(await ns.updateMetadata({ pinning: true })).toMatchObject({ pinning: { replicas: 1 } });
      expect(await ns.metadata()).toMatchObject({ pinning: { replicas: 1 } });
      expect(await ns.updateMetadata({})).toMatchObject({ pinning: { replicas: 1 } });
      await ns.write({ upsert_rows: [{ id: 2, n: 2 }] });
      expect(ids(await ns.query({ rank_by: ['id', 'asc'] }))).toEqual([1, 2]);
      expect(await ns.updateMetadata({ pinning: null })).not.toHaveProperty('pinning');
      expect(await ns.updateMetadata({ pinning: { replicas: 1 } })).toHaveProperty('pinning');
      expect(await ns.updateMetadata({ pinning: false })).not.toHaveProperty('pinning');
    });

    check('a namespace is made read-only and writable again, and has a recall of its own', async () => {
      const name = freshName();
      const ns = client.namespace(name);
      const patch = async (body: object) => {
        const answer = await raw('PATCH', `/v1/namespaces/${name}/metadata`, JSON.stringify(body));
        return { status: answer.status, body: JSON.parse(answer.text) as object };
      };
      expect((await patch({ read_only: true })).status).toBe(404);
      const vectors = Array.from({ length: 8 }, (_, id) => ({ id, n: id, vector: [id, 1] }));
      await ns.write({ upsert_rows: vectors, distance_metric: 'euclidean_squared' });
      const before = await ns.metadata();
      expect(before).not.toHaveProperty('read_only');
      expect(before).not.toHaveProperty('recall');
      const changed = await patch({ read_only: true, recall: 0.5 });
      expect(changed).toMatchObject({ status: 200, body: { read_only: true, recall: 0.5, schema: { n: {} } } });
      expect(await ns.metadata()).toMatchObject({ read_only: true, recall: 0.5 });
      const refused = { status: 403, message: expect.stringContaining('the namespace is read-only') };
      await expect(ns.write({ upsert_rows: [{ id: 9, n: 9 }] })).rejects.toMatchObject(refused);
      await expect(ns.write({ deletes: [1] })).rejects.toMatchObject(refused);
      await expect(ns.write({ patch_rows: [{ id: 1, n: 5 }] })).rejects.toMatchObject(refused);
      await expect(ns.write({ delete_by_filter: ['n', 'Eq', 1] })).rejects.toMatchObject(refused);
      await expect(ns.write({ patch_by_filter: { filters: ['n', 'Eq', 1], patch: { n: 2 } } })).rejects.toMatchObject(
        refused,
      );
      await expect(
        ns.write({ upsert_rows: [{ id: 1, n: 9 }], upsert_condition: ['n', 'Eq', 1] }),
      ).rejects.toMatchObject(refused);
      await expect(ns.updateSchema({ schema: { more: 'int' } })).rejects.toMatchObject(refused);
      await expect(ns.deleteAll()).rejects.toMatchObject(refused);
      expect(ids(await ns.query({ rank_by: ['id', 'asc'], limit: 20 }))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      const profiled = await raw(
        'POST',
        `/v2/namespaces/${name}/explain_query`,
        JSON.stringify({ rank_by: ['vector', 'ANN', [1, 1]] }),
      );
      expect(profiled.text).toContain('recall=0.5');
      // What is about the rows goes along, what protects this name does not.
      const child = client.namespace(`${name}-child`);
      await child.branchFrom({ source_namespace: name });
      const inherited = await child.metadata();
      expect(inherited).toMatchObject({ recall: 0.5 });
      expect(inherited).not.toHaveProperty('read_only');
      await child.write({ upsert_rows: [{ id: 9, n: 9 }] });
      const reset = await patch({ read_only: false, recall: null });
      expect(reset.body).not.toHaveProperty('read_only');
      expect(reset.body).not.toHaveProperty('recall');
      await ns.write({ upsert_rows: [{ id: 9, n: 9 }] });
      await ns.deleteAll();
      for (const [body, status] of [
        [{ read_only: 1 }, 422],
        [{ recall: 'high' }, 422],
        [{ recall: 0 }, 400],
        [{ recall: 1.5 }, 400],
        [{ readonly: true }, 422],
        [[], 422],
      ] as const) {
        expect({ body, status: (await patch(body)).status }).toEqual({ body, status });
      }
    });

    check('compressed bodies and answers', async () => {
      const gzipped = new Turbopuffer({ baseURL: target.url, apiKey: 'none', maxRetries: 0, compression: true });
      const ns = gzipped.namespace(freshName());
      await ns.write({ upsert_rows: Array.from({ length: 300 }, (_, index) => ({ id: index, text: 'x'.repeat(50) })) });
      const answer = await ns.query({ rank_by: ['id', 'asc'], limit: 300, include_attributes: true });
      expect(answer.rows).toHaveLength(300);
    });

    check('a namespace is branched and copied, and each goes its own way', async () => {
      const sourceName = freshName();
      const source = client.namespace(sourceName);
      await source.write({
        upsert_rows: [
          { id: 1, n: 1 },
          { id: 2, n: 2 },
        ],
        schema: { n: 'int' },
      });
      const copyName = freshName();
      const [branch, copy] = [fresh(), client.namespace(copyName)];
      expect(await branch.branchFrom({ source_namespace: sourceName })).toMatchObject({ status: 'OK' });
      expect(await copy.copyFrom({ source_namespace: sourceName })).toMatchObject({ status: 'OK' });
      await source.write({ upsert_rows: [{ id: 3, n: 3 }] });
      await branch.write({ deletes: [1] });
      await copy.write({ upsert_rows: [{ id: 2, n: 20 }] });
      const rows = async (ns: typeof source) =>
        (await ns.query({ rank_by: ['id', 'asc'], include_attributes: true })).rows?.map((row) => [row.id, row.n]);
      await source.deleteAll();
      expect(await rows(branch)).toEqual([[2, 2]]);
      expect(await rows(copy)).toEqual([
        [1, 1],
        [2, 20],
      ]);
      await expect(branch.branchFrom({ source_namespace: copyName })).rejects.toMatchObject({ status: 400 });
      await expect(fresh().branchFrom({ source_namespace: sourceName })).rejects.toMatchObject({ status: 404 });
      await expect(fresh().copyFrom({ source_namespace: freshName() })).rejects.toMatchObject({ status: 404 });
    });

    check('a namespace is copied with a token that tells the outcome', async () => {
      const [sourceName, copyName] = [freshName(), freshName()];
      await client.namespace(sourceName).write({ upsert_rows: [{ id: 1 }, { id: 2 }] });
      const at = `/v2/namespaces/${copyName}/async?stainless_overload=startCopyFrom`;
      const outcomeOf = async (body: unknown) => {
        const { token } = JSON.parse((await raw('POST', at, JSON.stringify(body))).text);
        return JSON.parse((await raw('GET', `/v1/namespaces/${copyName}/operations/${token}`)).text);
      };
      expect(await outcomeOf({ copy_from_namespace: { source_namespace: sourceName } })).toMatchObject({
        status: 'finished',
        start_time: expect.stringMatching(/Z$/),
        finish_time: expect.stringMatching(/Z$/),
        result: { success: { status: 'OK', source_generation: 1 } },
      });
      expect(ids(await client.namespace(copyName).query({ rank_by: ['id', 'asc'] }))).toEqual([1, 2]);
      expect(await outcomeOf({ copy_from_namespace: sourceName })).toMatchObject({
        result: { error: { status_code: 400, detail: { status: 'error' } } },
      });
      expect((await raw('GET', `/v1/namespaces/${copyName}/operations/nothing`)).status).toBe(404);
    });

    check('a snapshot outlives its namespace and is restored', async () => {
      const sourceName = freshName();
      const source = client.namespace(sourceName);
      const { manifest_generation } = (await source.write({ upsert_rows: [{ id: 1 }] })) as {
        manifest_generation?: number;
      };
      const at = `/v2/namespaces/${sourceName}`;
      const taken = await raw('POST', `${at}/snapshots`, JSON.stringify({ name: 'before' }));
      expect(JSON.parse(taken.text)).toMatchObject({ snapshot: { name: 'before', manifest_generation } });
      expect((await raw('POST', `${at}/snapshots`, JSON.stringify({ name: 'before' }))).status).toBe(400);
      await source.write({ upsert_rows: [{ id: 2 }] });
      expect((await raw('POST', `${at}/restore`, JSON.stringify({ snapshot: 'before' }))).status).toBe(400);
      await source.deleteAll();
      expect((await raw('POST', `${at}/restore`, JSON.stringify({ snapshot: 'before' }))).status).toBe(200);
      const into = freshName();
      expect((await raw('POST', `${at}/restore`, JSON.stringify({ generation: 2, into }))).status).toBe(200);
      expect(ids(await source.query({ rank_by: ['id', 'asc'] }))).toEqual([1]);
      expect(ids(await client.namespace(into).query({ rank_by: ['id', 'asc'] }))).toEqual([1, 2]);
      expect(JSON.parse((await raw('GET', `${at}/snapshots`)).text).snapshots).toHaveLength(1);
      expect((await raw('DELETE', `${at}/snapshots/before`)).status).toBe(200);
      expect((await raw('DELETE', `${at}/snapshots/before`)).status).toBe(404);
      expect(JSON.parse((await raw('GET', `${at}/snapshots`)).text)).toEqual({ snapshots: [] });
    });

    check('an export shows one instant while writes go on, and goes on where it was cut', async () => {
      const name = freshName();
      const ns = client.namespace(name);
      const rows = Array.from({ length: 2_500 }, (_, index) => ({ id: index * 2, n: index, text: `row ${index}` }));
      await ns.write({ upsert_rows: rows, schema: { n: 'int' } });
      const answer = await fetch(`${target.url}/v2/namespaces/${name}/export?page_size=100`);
      const lease = answer.headers.get('lagoon-lease');
      const reader = answer.body?.getReader();
      const begun = Buffer.from((await reader?.read())?.value ?? []).toString();
      await ns.write({ upsert_rows: [{ id: 4_001, n: -1, text: 'late' }], deletes: [4_000] });
      await reader?.cancel();
      const lines = begun.slice(0, begun.lastIndexOf('\n')).split('\n');
      const last = JSON.parse(lines.at(-1) ?? '').id;
      const rest = await raw('GET', `/v2/namespaces/${name}/export?lease=${lease}&after=${last}`);
      const exported = [...lines, ...rest.text.trimEnd().split('\n')].map((line) => JSON.parse(line));
      expect(exported).toEqual(rows);
      const over = await raw('GET', `/v2/namespaces/${name}/export?lease=${lease}&after=${last}`);
      expect(over.status).toBe(410);
      const fresh = await raw('GET', `/v2/namespaces/${name}/export`);
      expect(fresh.text.trimEnd().split('\n')).toHaveLength(2_500);
      expect((await raw('GET', `/v2/namespaces/${freshName()}/export`)).status).toBe(404);
    });

    check('patches change only what they name, in rows and in columns', async () => {
      const ns = fresh();
      await ns.write({
        upsert_rows: [
          { id: 1, n: 1, s: 'a', vector: [1, 0] },
          { id: 2, n: 2, s: 'b', vector: [0, 1] },
        ],
      });
      const patched = await ns.write({
        patch_rows: [
          { id: 1, n: 10 },
          { id: 9, n: 1 },
        ],
        patch_columns: { id: [2], s: [null], vector: [[3, 4]] },
        return_affected_ids: true,
      });
      expect(patched).toMatchObject({ rows_affected: 2, rows_patched: 2, patched_ids: [1, 2] });
      expect(patched).not.toHaveProperty('rows_upserted');
      const rows = (await ns.query({ rank_by: ['id', 'asc'], include_attributes: true })).rows;
      expect(rows).toEqual([
        { id: 1, n: 10, s: 'a', vector: [1, 0] },
        { id: 2, n: 2, s: null, vector: [3, 4] },
      ]);
    });

    check('conditional writes apply where the document as it is matches', async () => {
      const ns = fresh();
      const insert = () =>
        ns.write({
          upsert_rows: [
            { id: 'a', version: 1 },
            { id: 'b', version: 1 },
          ],
          upsert_condition: ['id', 'Eq', null],
        });
      expect(await insert()).toMatchObject({ rows_upserted: 2 });
      expect(await insert()).toMatchObject({ rows_affected: 0 });
      const newer = ['version', 'Lt', { $ref_new: 'version' }] as const;
      const write = await ns.write({
        upsert_rows: [
          { id: 'a', version: 1 },
          { id: 'b', version: 2 },
          { id: 'c', version: 0 },
        ],
        upsert_condition: [...newer],
        return_affected_ids: true,
      });
      expect(write).toMatchObject({ rows_upserted: 2, upserted_ids: ['b', 'c'] });
      const patch = {
        patch_rows: [
          { id: 'a', version: 5 },
          { id: 'b', version: 1 },
          { id: 'z', version: 9 },
        ],
      };
      expect(await ns.write({ ...patch, patch_condition: [...newer] })).toMatchObject({ rows_patched: 1 });
      const deleted = await ns.write({
        deletes: ['a', 'b', 'z'],
        delete_condition: ['version', 'Gte', 5],
        return_affected_ids: true,
      });
      expect(deleted).toMatchObject({ rows_deleted: 1, deleted_ids: ['a'] });
      expect(ids(await ns.query({ rank_by: ['id', 'asc'] }))).toEqual(['b', 'c']);
    });

    check('writes by filter: delete, then patch, then the rest', async () => {
      const ns = fresh();
      await ns.write({ upsert_rows: Array.from({ length: 10 }, (_, id) => ({ id, n: id })) });
      const answer = await ns.write({
        delete_by_filter: ['n', 'Lt', 5],
        delete_by_filter_allow_partial: true,
        patch_by_filter: { filters: ['n', 'Lte', 6], patch: { tag: 'small' } },
        upsert_rows: [{ id: 0, n: 100 }],
        return_affected_ids: true,
      });
      expect(answer).toMatchObject({
        rows_affected: 8,
        rows_upserted: 1,
        rows_patched: 2,
        rows_deleted: 5,
        deleted_ids: [0, 1, 2, 3, 4],
        patched_ids: [5, 6],
        upserted_ids: [0],
      });
      expect(answer.rows_remaining ?? false).toBe(false);
      const small = await ns.query({ rank_by: ['id', 'asc'], filters: ['tag', 'Eq', 'small'] });
      expect(ids(small)).toEqual([5, 6]);
      expect(ids(await ns.query({ rank_by: ['id', 'asc'] }))).toEqual([0, 5, 6, 7, 8, 9]);
      expect(await ns.write({ delete_by_filter: ['n', 'Gt', 1000] })).toMatchObject({ rows_affected: 0 });
    });

    check('what is not served yet says so by name, once', async () => {
      const ns = fresh();
      await ns.write({ upsert_rows: [{ id: 1, n: 1 }] });
      const missing = async (call: () => PromiseLike<unknown>, name: string) =>
        await expect(call()).rejects.toMatchObject({ status: 501, message: expect.stringContaining(name) });
      await missing(() => ns.copyFrom({ source_namespace: 'x', source_region: 'eu' }), 'source_region');
      await missing(() => ns.updateMetadata({ pinning: { replicas: 2 } }), 'pinning.replicas');
    });

    check('bad input is a clear error, and nothing of it is applied', async () => {
      const name = freshName();
      const ns = client.namespace(name);
      await ns.write({ upsert_rows: [{ id: 1, vector: [1, 2], color: 'red' }] });
      const refused = async (body: object, status: number, message: RegExp) => {
        const answer = await raw('POST', `/v2/namespaces/${name}`, JSON.stringify(body));
        expect(answer.text).toMatch(message);
        expect(answer.status).toBe(status);
      };
      await refused({ upsert_rows: [{ id: 5 }, { id: 'x' }] }, 400, /mixed/);
      await refused({ upsert_rows: [{ id: 5 }, { id: 6, vector: [1] }, { id: 7, vector: [1, 2] }] }, 400, /dimension/);
      await refused({ upsert_rows: [{ id: 5 }, { id: 6, vector: [1] }] }, 400, /vector/);
      await refused({ upsert_rows: [{ id: 5 }, { id: 6, color: 5 }] }, 400, /color/);
      await refused({ upsert_rows: [{ id: 5 }, { id: 6, vector: [1, 'x'] }] }, 422, /vector\[1\]/);
      await refused({ upsert_rows: [{ id: 'text' }] }, 400, /id/);
      await refused({ upsert_rows: [{ id: 5 }], schema: { color: 'int' } }, 400, /color/);
      const upsert = { upsert_rows: [{ id: 5, color: 'x' }] };
      await refused({ ...upsert, upsert_condition: ['nothing', 'Eq', 1] }, 400, /nothing/);
      await refused({ ...upsert, upsert_condition: ['color', 'Eq', { $ref_new: 'nothing' }] }, 400, /nothing/);
      await refused({ ...upsert, upsert_condition: ['color', 'Lt', 5] }, 400, /color/);
      await refused({ ...upsert, patch_rows: [{ id: 5, color: 'y' }] }, 400, /twice/);
      await refused({ deletes: [1], delete_condition: ['color', 'Eq', { $ref: 1 }] }, 422, /delete_condition/);
      await refused({ patch_rows: [{ id: 1, color: 5 }] }, 400, /color/);
      await refused({ patch_rows: [{ color: 'y' }] }, 422, /id/);
      await refused({ patch_by_filter: { filters: ['color', 'Eq', 'red'], patch: { id: 2 } } }, 400, /id/);
      await refused({ patch_by_filter: { filters: ['color', 'Eq', 'red'], patch: {} } }, 400, /patch/);
      await refused({ delete_by_filter: ['color', 'Eq', { $ref_new: 'color' }] }, 400, /ref_new/);
      expect(ids(await ns.query({ rank_by: ['id', 'asc'] }))).toEqual([1]);
      await expect(ns.query({ rank_by: ['vector', 'ANN', [1, 2, 3]] })).rejects.toMatchObject({ status: 400 });
      await expect(ns.query({ rank_by: ['nothing', 'ANN', [1, 2]] })).rejects.toMatchObject({ status: 400 });
      await expect(ns.query({ rank_by: ['id', 'asc'], filters: ['nothing', 'Eq', 1] })).rejects.toMatchObject({
        status: 400,
      });
      await expect(
        fresh().write({ upsert_rows: [{ id: 1 }], create_namespace: false } as object),
      ).rejects.toMatchObject({ status: 404 });
      expect((await raw('POST', '/v2/namespaces/a%2Fb', '{}')).status).toBe(400);
      expect((await raw('POST', `/v2/namespaces/${name}`, '{"upsert_rows": [')).status).toBe(400);
    });
  });
}
