import { describe, expect, test } from '@jest/globals';
import { createMemoryStore } from '@lagoon/object-store';
import fc from 'fast-check';
import { type Attribute, applyToModel, type ModelFilter, type ModelRows, type ModelWrite } from './row-model.ts';
import {
  both,
  compare,
  not,
  type RowAnswer,
  type RowWrite,
  readDocuments,
  type TestDocument,
  type TestValue,
  writeRows,
} from './row-testing.ts';
import { createTestClock, createTestIngester } from './testing.ts';

const idMax = 6;
const id = fc.nat(idMax);
const number = fc.integer({ min: 0, max: 3 });
const text = fc.constantFrom('a', 'b');
const document: fc.Arbitrary<TestDocument> = fc.record({ n: number, m: number, s: text }, { requiredKeys: [] });
const patch: fc.Arbitrary<TestDocument> = fc.record(
  { n: fc.option(number), m: fc.option(number), s: fc.option(text) },
  { requiredKeys: [] },
);

const operandOf = (attribute: Attribute): fc.Arbitrary<TestValue> =>
  attribute === 's' ? text : attribute === 'id' ? id : number;
const leaf = (mayRefer: boolean) =>
  fc.constantFrom<Attribute>('id', 'n', 'm', 's').chain((attribute): fc.Arbitrary<ModelFilter> => {
    const others: readonly Attribute[] = attribute === 's' ? ['s'] : ['n', 'm'];
    const plain = operandOf(attribute);
    const bound = fc.constantFrom(...others).map((name): TestValue => ({ new: name }));
    const one = mayRefer ? fc.oneof(plain, bound) : plain;
    const kind = { kind: fc.constant('compare' as const), attribute: fc.constant(attribute) };
    return fc.oneof(
      fc.record({
        ...kind,
        operator: fc.constantFrom('eq' as const, 'notEq' as const),
        values: fc.oneof(one, fc.constant<TestValue>(null)).map((value) => [value]),
      }),
      fc.record({
        ...kind,
        operator: fc.constantFrom('lt' as const, 'lte' as const, 'gt' as const, 'gte' as const),
        values: (attribute === 'id' ? plain : one).map((value) => [value]),
      }),
      fc.record({
        ...kind,
        operator: fc.constantFrom('in' as const, 'notIn' as const),
        values: fc.array(plain, { maxLength: 3 }),
      }),
    );
  });
const filterOf = (mayRefer: boolean): fc.Arbitrary<ModelFilter> =>
  fc.oneof(
    { weight: 4, arbitrary: leaf(mayRefer) },
    { weight: 1, arbitrary: leaf(mayRefer).map((filter): ModelFilter => ({ kind: 'not', filter })) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom('and' as const, 'or' as const),
        filters: fc.array(leaf(mayRefer), { minLength: 1, maxLength: 2 }),
      }),
    },
  );
const sometimes = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined, freq: 2 });

const write: fc.Arbitrary<ModelWrite> = fc
  .record({
    roles: fc.array(fc.constantFrom('upsert', 'patch', 'delete', 'none', 'none'), {
      minLength: idMax + 1,
      maxLength: idMax + 1,
    }),
    documents: fc.array(document, { minLength: idMax + 1, maxLength: idMax + 1 }),
    patches: fc.array(patch, { minLength: idMax + 1, maxLength: idMax + 1 }),
    upsertCondition: sometimes(filterOf(true)),
    patchCondition: sometimes(filterOf(true)),
    deleteCondition: sometimes(filterOf(true)),
    deleteByFilter: fc.option(filterOf(false), { nil: undefined, freq: 1 }),
    patchByFilter: fc.option(fc.record({ filter: filterOf(false), patch }), { nil: undefined, freq: 1 }),
  })
  .map(({ roles, documents, patches, ...rest }) => {
    const ids = [...roles.keys()];
    const withRole = (role: string) => ids.filter((one) => roles[one] === role);
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    return {
      upserts: new Map(withRole('upsert').map((one) => [one, documents[one] ?? {}])),
      patches: new Map(withRole('patch').map((one) => [one, patches[one] ?? {}])),
      deletes: withRole('delete'),
      ...given,
    };
  });

function toRequest(write: ModelWrite): RowWrite {
  const { upsertCondition, patchCondition, deleteCondition, deleteByFilter, patchByFilter } = write;
  return {
    upserts: write.upserts,
    patches: write.patches,
    deletes: write.deletes,
    ...(upsertCondition === undefined ? {} : { upsertCondition: toFilter(upsertCondition) }),
    ...(patchCondition === undefined ? {} : { patchCondition: toFilter(patchCondition) }),
    ...(deleteCondition === undefined ? {} : { deleteCondition: toFilter(deleteCondition) }),
    ...(deleteByFilter === undefined ? {} : { deleteByFilter: toFilter(deleteByFilter) }),
    ...(patchByFilter === undefined
      ? {}
      : { patchByFilter: { filter: toFilter(patchByFilter.filter), patch: patchByFilter.patch } }),
    returnAffectedIds: true,
  };
}

function toFilter(filter: ModelFilter): ReturnType<typeof compare> {
  switch (filter.kind) {
    case 'compare':
      return compare(filter.attribute, filter.operator, filter.values);
    case 'not':
      return not(toFilter(filter.filter));
    default:
      return both(filter.kind, filter.filters.map(toFilter));
  }
}

const first: ModelWrite = {
  upserts: new Map([
    [0, { n: 0 }],
    [1, { n: 1, m: 2, s: 'a' }],
    [2, { n: 2 }],
    [3, { m: 3, s: 'b' }],
  ]),
  patches: new Map(),
  deletes: [],
};

interface Done {
  readonly write: ModelWrite;
  readonly answer: RowAnswer;
}

/** The rows after the writes of one generation, in whatever order they gave the answers that they gave. */
function explain(rows: ModelRows, done: readonly Done[]): ModelRows[] {
  if (done.length === 0) return [rows];
  const tried = done.map((one, index) => ({ one, ...applyToModel(rows, one.write), rest: done.toSpliced(index, 1) }));
  const fitting = tried.filter(({ one, ids }) => JSON.stringify(ids) === JSON.stringify(one.answer.ids));
  // What changes nothing now may as well have been now.
  const idle = fitting.find(({ ids }) => ids.upserted.length + ids.patched.length + ids.deleted.length === 0);
  return (idle === undefined ? fitting : [idle]).flatMap(({ rows: after, rest }) => explain(after, rest));
}

const asText = (rows: ModelRows) =>
  JSON.stringify([...rows].sort(([a], [b]) => a - b).map(([one, { n, m, s }]) => [one, n, m, s]));

describe('writes that depend on rows, against plain documents', () => {
  test('one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 12 }), async (writes) => {
        const ingester = createTestIngester({ config: { rowsCompactBatchCount: 3 } });
        let rows: ModelRows = new Map();
        for (const one of [first, ...writes]) {
          const { rows: after, ids } = applyToModel(rows, one);
          const request = toRequest(one);
          const hasWork = one.upserts.size + one.patches.size + one.deletes.length > 0;
          if (!hasWork && request.deleteByFilter === undefined && request.patchByFilter === undefined) continue;
          expect((await writeRows(ingester, request)).ids).toEqual(ids);
          rows = after;
        }
        expect(asText(await readDocuments(ingester))).toBe(asText(rows));
      }),
      { numRuns: 150 },
    );
  });

  test('through two ingesters at once, in groups, with lost races: some order explains every answer', async () => {
    const step = fc.record({ write, ingester: fc.nat(1), pauseTicks: fc.nat(12), hold: fc.nat(7) });
    let lostCount = 0;
    let grouped = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 10 }), async (steps) => {
        const clock = createTestClock();
        const store = createMemoryStore({ clock });
        const ingesters = [1, 2].map((seed) => createTestIngester({ store, clock, seed }));
        const [one, two] = ingesters;
        if (one === undefined || two === undefined) throw new Error('two ingesters');
        await writeRows(one, toRequest(first));
        await writeRows(two, { patches: new Map([[99, { n: 1 }]]) }); // warm
        const running: Promise<Done>[] = [];
        for (const { write: next, ingester, pauseTicks, hold } of steps) {
          const hasWork = next.upserts.size + next.patches.size + next.deletes.length > 0;
          if (!hasWork && next.deleteByFilter === undefined && next.patchByFilter === undefined) continue;
          const target = ingester === 0 ? one : two;
          target.store.release();
          if (hold < 3) target.store.hold('before');
          running.push(writeRows(target, toRequest(next)).then((answer) => ({ write: next, answer })));
          for (let tick = 0; tick < pauseTicks; tick++) await new Promise(setImmediate);
        }
        for (const { store: gate } of ingesters) gate.release();
        const done = await Promise.all(running);
        const createCount = one.store.entryCreateCount + two.store.entryCreateCount;
        let possible: ModelRows[] = [applyToModel(new Map(), first).rows];
        const generations = new Set(done.map(({ answer }) => answer.generation));
        lostCount += createCount - generations.size > 1 ? 1 : 0;
        for (const generation of [...generations].sort((a, b) => a - b)) {
          const members = done.filter(({ answer }) => answer.generation === generation);
          if (members.length > 1) grouped++;
          possible = possible.flatMap((rows) => explain(rows, members));
          possible = [...new Map(possible.map((rows) => [asText(rows), rows])).values()];
          expect(possible).not.toEqual([]);
        }
        expect(possible.map(asText)).toContain(asText(await readDocuments(one)));
      }),
      { numRuns: 120 },
    );
    expect(lostCount).toBeGreaterThan(20);
    expect(grouped).toBeGreaterThan(20);
  }, 60_000);
});
