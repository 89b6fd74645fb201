import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { idAt, openBlock, valueAt } from '@lagoon/format';
import { WriteRequestSchema } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import { ComparisonOperator } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createTestGateway } from '../testing/recording-backends.ts';

function rowsOf(bytes: Uint8Array | undefined): Map<unknown, Record<string, unknown>> {
  const rows = new Map<unknown, Record<string, unknown>>();
  if (bytes === undefined || bytes.length === 0) return rows;
  const block = openBlock(bytes);
  for (let row = 0; row < block.rowCount; row++) {
    const cells: Record<string, unknown> = {};
    for (const { name, column } of block.columns.values()) {
      const value = valueAt(column, row);
      if (value !== null && value !== false) cells[name] = value;
    }
    rows.set(idAt(block.ids, row), cells);
  }
  return rows;
}

const patch = {
  values: new Map<unknown, unknown>([
    [1n, { n: 5n }],
    [2n, { s: 'x' }],
    [3n, { n: 7n }],
  ]),
  cleared: new Map<unknown, unknown>([
    [1n, { s: true }],
    [2n, {}],
    [3n, { s: true }],
  ]),
};
const path = '/v2/namespaces/a';

describe('what a write that depends on rows becomes', () => {
  test('over HTTP: a null removes, an absent name leaves as it is, in rows and in columns', async () => {
    const { call, backends } = createTestGateway();
    const answer = await call('POST', path, {
      patch_rows: [
        { id: 2, s: 'x' },
        { id: 1, n: 5, s: null },
      ],
      patch_columns: { id: [3], n: [7], s: [null] },
      patch_condition: ['n', 'In', [1, { $ref_new: 'n' }]],
      upsert_condition: ['tags', 'In', { $ref_new: 'tags' }],
      delete_by_filter: ['n', 'Gt', 5],
      delete_by_filter_allow_partial: true,
      patch_by_filter: { filters: ['n', 'Eq', null], patch: { s: null, n: 1 } },
      return_affected_ids: true,
    });
    expect(answer.status).toBe(200);
    const append = backends.appends[0];
    expect(rowsOf(append?.patch?.values)).toEqual(patch.values);
    expect(rowsOf(append?.patch?.cleared)).toEqual(patch.cleared);
    const reference = (name: string) => ({ kind: { case: 'newValueOf', value: name } });
    expect(append).toMatchObject({
      patchCondition: { kind: { value: { values: [{ kind: { case: 'intValue', value: 1n } }, reference('n')] } } },
      upsertCondition: { kind: { value: { operator: ComparisonOperator.IN, values: [reference('tags')] } } },
      deleteByFilter: { allowPartial: true, filter: { kind: { value: { operator: ComparisonOperator.GT } } } },
      patchByFilter: { allowPartial: false },
      returnAffectedIds: true,
    });
    expect([...rowsOf(append?.patchByFilter?.patch?.values).values()]).toEqual([{ n: 1n }]);
    expect([...rowsOf(append?.patchByFilter?.patch?.cleared).values()]).toEqual([{ s: true }]);
  });

  test('over gRPC: the same', async () => {
    const { role, backends } = createTestGateway();
    const id = (value: bigint) => ({ kind: { case: 'u64' as const, value } });
    const integer = (value: bigint) => ({ kind: { case: 'intValue' as const, value } });
    const text = (value: string) => ({ kind: { case: 'stringValue' as const, value } });
    const filter = {
      kind: {
        case: 'comparison' as const,
        value: { attribute: 'n', operator: ComparisonOperator.EQ, values: [integer(1n)] },
      },
    };
    const request = create(WriteRequestSchema, {
      namespace: 'a',
      patches: [
        { id: id(2n), attributes: [{ name: 's', value: text('x') }] },
        {
          id: id(1n),
          attributes: [
            { name: 'n', value: integer(5n) },
            { name: 's', value: {} },
          ],
        },
        { id: id(3n), attributes: [{ name: 'n', value: integer(7n) }, { name: 's' }] },
      ],
      patchCondition: filter,
      deleteByFilter: { filter },
      patchByFilter: { filter, attributes: [{ name: 'n', value: integer(1n) }, { name: 's' }], allowPartial: true },
      returnAffectedIds: true,
    });
    await role.lagoonService.write(request, { signal: new AbortController().signal });
    const append = backends.appends[0];
    expect(rowsOf(append?.patch?.values)).toEqual(patch.values);
    expect(rowsOf(append?.patch?.cleared)).toEqual(patch.cleared);
    expect(append).toMatchObject({ patchByFilter: { allowPartial: true }, returnAffectedIds: true });
    expect([...rowsOf(append?.patchByFilter?.patch?.values).values()]).toEqual([{ n: 1n }]);
    const empty = create(WriteRequestSchema, { namespace: 'a', deleteByFilter: {} });
    await expect(
      Promise.resolve().then(() => role.lagoonService.write(empty, { signal: new AbortController().signal })),
    ).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test.each<readonly [string, unknown, number, RegExp]>([
    ['upsert_condition', ['n', 'Eq', { $ref_new: 1 }], 422, /upsert_condition\[2\]/],
    ['upsert_condition', ['n', 'Eq', { $ref_new: 'n', more: 1 }], 422, /more/],
    ['upsert_condition', ['n', 'Eq'], 400, /upsert_condition/],
    ['upsert_condition', ['n', 'Glob', { $ref_new: 'n' }], 422, /upsert_condition\[2\]: expected a pattern/],
    ['delete_by_filter', ['n', 'Eq', { $ref_new: 'n' }], 400, /\$ref_new/],
    ['delete_by_filter_allow_partial', 'yes', 422, /delete_by_filter_allow_partial/],
    ['patch_by_filter', { filters: ['n', 'Eq', 1], patch: { id: 1 } }, 400, /id/],
    ['patch_by_filter', { filters: ['n', 'Eq', 1], patch: {} }, 400, /patch/],
    ['patch_by_filter', { filters: ['n', 'Eq', 1], patch: { n: 1 }, more: 1 }, 422, /more/],
    ['patch_by_filter', { patch: { n: 1 } }, 422, /filters/],
    ['patch_rows', [{ n: 1 }], 422, /patch_rows\[0\].id/],
    [
      'patch_rows',
      [
        { id: 2, n: 1 },
        { id: 2, n: 2 },
      ],
      400,
      /twice/,
    ],
    ['patch_rows', [{ id: 'text' }], 400, /mixed/],
    ['patch_columns', { id: [2], n: [1, 2] }, 400, /patch_columns.n/],
    ['return_affected_ids', 1, 422, /return_affected_ids/],
  ])('%s: %j is refused by name', async (name, value, status, message) => {
    const { call, backends } = createTestGateway();
    const answer = await call('POST', path, { upsert_rows: [{ id: 1 }], [name]: value });
    expect(answer.text).toMatch(message);
    expect(answer.status).toBe(status);
    expect(backends.appends).toHaveLength(0);
  });
});
