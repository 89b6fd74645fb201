import { expect } from '@jest/globals';
import { createSeededRandom, type Random } from '@lagoon/base';
import type { AttributeValue, DistanceMetric, IdKind } from '@lagoon/format';
import fc from 'fast-check';
import { answer } from '../../libs/query/src/oracle.ts';
import { filter, ids, schemaOf, values } from '../../libs/query/src/oracle-samples.ts';
import { filterToJson, idToJson, rowToJson, schemaToJson, specToJson, valueToJson } from './dialect-printer.ts';
import { expectedAnswer } from './expected-answer.ts';
import { type FusionSpec, fuseLists, fusionToJson } from './fusion-oracle.ts';
import { matching, type OracleNamespace, type Patch, patched, upserted } from './oracle-model.ts';
import { type RandomQuery, randomAggregation, randomRanking } from './random-specs.ts';

/** Where random writes and queries go. */
export interface OracleTarget {
  /** Of the gateway; integers keep all their digits. */
  call(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly json: unknown }>;
  /** Until all writes are in segments, and whatever may be merged is. */
  settle(namespace: string): Promise<void>;
  /** The same query by other ways; each answers what the JSON of the gateway would hold. */
  readonly otherWays?: readonly ((namespace: string, body: unknown) => Promise<unknown>)[];
}

export interface PlayOptions {
  readonly seed: number;
  readonly stepCount: number;
  readonly queriesPerStep: number;
  /** Asked before every step. */
  readonly isOver?: () => boolean;
}

export interface PlayCounts {
  readonly steps: Record<string, number>;
  queries: number;
  answeredRows: number;
}

export function createPlayCounts(): PlayCounts {
  return { steps: {}, queries: 0, answeredRows: 0 };
}

/** Random writes, index jobs, merges, branches, snapshots and restores; after each, queries on any namespace, against brute force. */
export async function playRandom(target: OracleTarget, options: PlayOptions, counts: PlayCounts): Promise<void> {
  const random = createSeededRandom(options.seed);
  const pick = <T>(items: readonly T[]): T => items[random.integer(items.length)] as T;
  const draw = <T>(arbitrary: fc.Arbitrary<T>): T => drawOne(arbitrary, random);
  const idKind = pick<IdKind>(['u64', 'uuid', 'string']);
  const schema = schemaOf(idKind, pick<DistanceMetric>(['cosine_distance', 'euclidean_squared', 'dot_product']));
  const base = `oracle-${options.seed}`;
  const model = new Map<string, OracleNamespace>();
  const set = (name: string, documents: OracleNamespace['documents']): void => {
    model.set(name, { name, schema, documents });
  };
  const id = fc.constantFrom(...ids[idKind]);

  const post = async (path: string, body: unknown): Promise<void> => {
    const { status, json } = await target.call('POST', path, body);
    expect({ seed: options.seed, path, body, status, json }).toMatchObject({ status: 200 });
  };
  const write = (name: string, body: object): Promise<void> => post(`/v2/namespaces/${name}`, body);

  const steps: Readonly<Record<string, (at: OracleNamespace) => Promise<void>>> = {
    upsert: async (at) => {
      const documents = draw(
        fc.uniqueArray(fc.record({ id, values }), { selector: (one) => one.id, minLength: 1, maxLength: 7 }),
      );
      const deletes = draw(fc.uniqueArray(id, { maxLength: 2 })).filter((one) => !documents.some((d) => d.id === one));
      await write(at.name, {
        upsert_rows: documents.map((document) => rowToJson(schema, document)),
        ...(deletes.length === 0 ? {} : { deletes: deletes.map(idToJson) }),
        schema: schemaToJson(schema),
      });
      set(at.name, upserted(at, documents, deletes));
    },
    patch: async (at) => {
      const patches = draw(
        fc.uniqueArray(fc.record({ id, values: patch }), { selector: (one) => one.id, minLength: 1, maxLength: 3 }),
      );
      await write(at.name, {
        patch_rows: patches.map((one) => ({ id: idToJson(one.id), ...patchToJson(one.values) })),
      });
      set(at.name, patched(at, patches));
    },
    deleteByFilter: async (at) => {
      const only = draw(filter(idKind));
      await write(at.name, { delete_by_filter: filterToJson(only) });
      const gone = matching(at, only).map((document) => document.id);
      set(at.name, upserted(at, [], gone));
    },
    patchByFilter: async (at) => {
      const [only, values] = [draw(filter(idKind)), draw(patch)];
      await write(at.name, { patch_by_filter: { filters: filterToJson(only), patch: patchToJson(values) } });
      set(
        at.name,
        patched(
          at,
          matching(at, only).map((document) => ({ id: document.id, values })),
        ),
      );
    },
    settle: (at) => target.settle(at.name),
    branch: async (at) => {
      const name = `${base}-b${model.size}`;
      await write(name, { branch_from_namespace: at.name });
      set(name, at.documents);
    },
    restore: async (at) => {
      const snapshot = `s${model.size}`;
      await post(`/v2/namespaces/${at.name}/snapshots`, { name: snapshot });
      await steps.upsert?.(at);
      const into = `${base}-r${model.size}`;
      await post(`/v2/namespaces/${at.name}/restore`, { snapshot, into });
      set(into, at.documents);
    },
  };
  const kinds = [
    ...[
      'upsert',
      'upsert',
      'upsert',
      'patch',
      'deleteByFilter',
      'patchByFilter',
      'settle',
      'settle',
      'branch',
      'restore',
    ],
  ];

  set(base, new Map());
  await steps.upsert?.(model.get(base) as OracleNamespace);
  for (let step = 0; step < options.stepCount && options.isOver?.() !== true; step++) {
    const kind = pick(model.size < 5 ? kinds : kinds.slice(0, 8));
    counts.steps[kind] = (counts.steps[kind] ?? 0) + 1;
    await steps[kind]?.(pick([...model.values()]));
    for (let i = 0; i < options.queriesPerStep; i++) {
      const at = pick([...model.values()]);
      const place = `seed ${options.seed}, step ${step} ${kind}, ${at.name}`;
      if (random.float() < 0.15) await askSeveral(at, place);
      else await askOne(at, draw(random.float() < 0.15 ? randomAggregation(idKind) : randomRanking(idKind)), place);
    }
  }

  async function askOne(at: OracleNamespace, query: RandomQuery, place: string): Promise<void> {
    const body = specToJson(query.spec, query.offset);
    const wanted = expectedAnswer(at, query);
    const { status, json } = await target.call('POST', `/v2/namespaces/${at.name}/query`, body);
    counts.queries++;
    if (wanted === undefined) {
      expect({ place, body, status }).toMatchObject({ status: 400 });
      return;
    }
    counts.answeredRows += rowCountOf(wanted);
    expect({ place, body, answer: comparable(json, wanted) }).toEqual({ place, body, answer: wanted });
    for (const ask of target.otherWays ?? []) {
      expect({ place, body, answer: comparable(await ask(at.name, body), wanted) }).toEqual({
        place,
        body,
        answer: wanted,
      });
    }
  }

  /** Several at one instant, or one list of their rows. */
  async function askSeveral(at: OracleNamespace, place: string): Promise<void> {
    const queries = draw(fc.array(randomRanking(idKind), { minLength: 1, maxLength: 3 }));
    const isFused = random.float() < 0.7;
    const documents = [...at.documents.values()];
    const path = `/v2/namespaces/${at.name}/query`;
    counts.queries += queries.length;
    if (!isFused) {
      const body = { queries: queries.map(({ spec, offset }) => specToJson(spec, offset)) };
      const { json } = await target.call('POST', path, body);
      const wanted = { results: queries.map((query) => expectedAnswer(at, query)) };
      expect({ place, body, answer: comparable(json, wanted) }).toEqual({ place, body, answer: wanted });
      return;
    }
    const weights = queries.map(() => pick([0, 0.5, 1, 3]));
    const isOrdered = queries.some(({ spec }) => spec.rankBy.kind === 'order');
    const fusion: FusionSpec =
      isOrdered || random.float() < 0.6
        ? { kind: 'rrf', rankConstant: pick([1, 60]), weights }
        : { kind: 'minMax', weights };
    // What a query's own offset leaves out takes no part in the list by the place that it had.
    const bodies = queries.map(({ spec }) => specToJson({ ...spec, projection: { kind: 'none' } }, 0));
    const [limit, offset] = [pick([1, 3, 20]), pick([0, 2])];
    const body = { queries: bodies, rerank_by: fusionToJson(fusion), limit, offset };
    const { json } = await target.call('POST', path, body);
    const lists = queries.map(({ spec }) => ({
      rows: answer(schema, documents, spec),
      isDistance: spec.rankBy.kind === 'vector',
    }));
    const rows = fuseLists(lists, fusion).slice(offset, offset + limit);
    const wanted = {
      results: [{ rows: rows.map(({ id, dist = 0 }) => ({ id: idToJson(id), $dist: dist === 0 ? 0 : dist })) }],
    };
    counts.answeredRows += rows.length;
    expect({ place, body, answer: comparable(json, wanted) }).toEqual({ place, body, answer: wanted });
  }

  function patchToJson(given: Patch): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(given).map(([name, value]) => {
        const type = schema.attributes.get(name)?.type;
        if (type === undefined) throw new Error(`no attribute ${name}`);
        return [name, valueToJson(value, type)];
      }),
    );
  }
}

const patch = fc
  .tuple(
    values,
    fc.subarray(['s', 'i', 'f', 'd', 'b', 'text', 'lines', 'tags', 'sparse'], { minLength: 1, maxLength: 3 }),
  )
  .map(([all, names]): Patch => Object.fromEntries(names.map((name) => [name, (all[name] ?? null) as AttributeValue])));

function drawOne<T>(arbitrary: fc.Arbitrary<T>, random: Random): T {
  const [one] = fc.sample(arbitrary, { seed: random.integer(2 ** 31), numRuns: 1 });
  return one as T;
}

function rowCountOf(wanted: unknown): number {
  const { rows = [] } = wanted as { readonly rows?: readonly unknown[] };
  return rows.length;
}

/** What of an answer's JSON is compared: distances of vectors and sparse weights are printed as the shortest decimal of f32 and f16. */
function comparable(json: unknown, wanted: unknown): unknown {
  const names = Object.keys(wanted as object);
  const found = json as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    names.map((name) => [name, comparableField(found?.[name], (wanted as Record<string, unknown>)[name]) ?? found]),
  );
}

function comparableField(found: unknown, wanted: unknown): unknown {
  if (!Array.isArray(found) || !Array.isArray(wanted)) return found;
  return found.map((one: unknown, i) => {
    if (typeof one !== 'object' || one === null) return one;
    if ('rows' in one) return comparable(one, wanted[i] ?? one);
    const row = one as Readonly<Record<string, unknown>>;
    const exact = (wanted[i] as { readonly $dist?: number } | undefined)?.$dist;
    return {
      ...row,
      ...('$dist' in row ? { $dist: comparableScore(Number(row.$dist), exact) } : {}),
      ...(typeof row.d === 'string' ? { d: new Date(row.d).toISOString() } : {}),
      ...(isSparse(row.sparse) ? { sparse: mapValues(row.sparse, Math.f16round) } : {}),
    };
  });
}

function comparableScore(found: number, exact: number | undefined): number {
  return exact !== undefined && Math.fround(found) === exact ? exact : found;
}

function isSparse(value: unknown): value is Readonly<Record<string, number>> {
  return typeof value === 'object' && value !== null;
}

function mapValues(object: Readonly<Record<string, number>>, change: (value: number) => number): object {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
}
