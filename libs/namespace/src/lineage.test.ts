import { beforeEach, describe, expect, test } from '@jest/globals';
import { createRandomId, createSeededRandom, LagoonError, noMetrics, type Random, silentLog } from '@lagoon/base';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import fc from 'fast-check';
import { listNamespaces } from './catalog.ts';
import { decodeFamilyMember, writeFamilyRecord } from './family.ts';
import { bodyKey, floorKey, headKey, logKey, parseKey, pinKey, pinsPrefix } from './keys.ts';
import { createLineage, type Heir, type Lineage } from './lineage.ts';
import { createNamespaceLog } from './log.ts';
import { applyIndexEdit } from './manifest.ts';
import { createManifestCommitter } from './manifest-commit.ts';
import type { NamespaceLog } from './namespace-log.ts';
import {
  batchDraft,
  birthDraft,
  createScriptedStore,
  createTestClock,
  partsOf,
  type ScriptedStore,
} from './testing.ts';

/** Every batch is one part of one byte, a value; an index job moves values to a segment, which holds them as bytes. */
interface World {
  readonly memory: ObjectStore;
  readonly store: ScriptedStore;
  readonly log: NamespaceLog;
  readonly lineage: Lineage;
  readonly random: Random;
  write(name: string, value: number): Promise<number>;
  index(name: string): Promise<void>;
  end(name: string): Promise<number>;
  content(name: string): Promise<number[] | undefined>;
}

function createWorld(seed: number): World {
  const clock = createTestClock();
  const memory = createMemoryStore({ clock: { wallMs: clock.worldMs } });
  const store = createScriptedStore(memory);
  const random = createSeededRandom(seed);
  const deps = { store, clock, random, log: silentLog, metrics: noMetrics };
  const log = createNamespaceLog(deps);
  const committer = createManifestCommitter(deps);
  return {
    memory,
    store,
    log,
    random,
    lineage: createLineage(deps),
    write: async (name, value) => {
      const { view } = await log.open(name);
      const result = await log.append(view, (at) =>
        at.live === undefined ? birthDraft(createRandomId(random), [value]) : batchDraft([value]),
      );
      if (result.outcome !== 'committed') throw new Error('a write always commits');
      return result.generation;
    },
    index: async (name) => {
      const { view, events } = await log.open(name);
      const { live } = view;
      const last = live?.tail.at(-1);
      if (live === undefined || last === undefined) return;
      if (live.manifest.segments.length === 0) await writeFamilyRecord(store, name, live);
      const values = partsOf(events).map(Number);
      const job = createRandomId(random);
      const key = `data/${live.family}/${live.incarnation}/${job}-0.seg`;
      await store.put(key, Uint8Array.from(values));
      const segment = {
        object: { key, size: values.length, sha256: new Uint8Array(32) },
        rowCount: values.length,
        liveRowCount: values.length,
        logicalBytes: values.length,
        deleteVector: undefined,
        generationFirst: live.tail[0]?.generation ?? 0,
        generationLast: last.generation,
      };
      const edited = applyIndexEdit(live.manifest, {
        indexedThrough: last.generation,
        schema: live.schema,
        settings: live.settings,
        segmentsAdded: values.length === 0 ? [] : [segment],
        deleted: new Map(),
        rows: { added: values.length, superseded: 0, deleted: 0 },
        lastWriteAtMs: 0,
      });
      const prepared = await committer.prepare(view, edited, { job, startedAtMs: log.storeTimeMs() });
      const result = await committer.append(log, view, prepared);
      expect(result.outcome).toBe('committed');
      if (random.float() < 0.7) await log.writeHint(result.view);
    },
    end: async (name) => {
      const { view } = await log.open(name);
      const result = await log.append(view, () => ({ kind: 'truncate' }));
      return result.view.generation;
    },
    content: async (name) => {
      const { view, events } = await log.open(name);
      if (view.live === undefined) return undefined;
      const values: number[] = [];
      for (const segment of view.live.manifest.segments) {
        const object = await memory.get(segment.object.key);
        values.push(...(object?.bytes ?? []));
      }
      return [...values, ...partsOf(events).map(Number)];
    },
  };
}

const heir = (name: string): Heir => ({ name, view: undefined, idempotency: [] });

let world: World;
beforeEach(() => {
  world = createWorld(1);
});

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

async function writeAll(name: string, values: readonly number[]): Promise<void> {
  for (const value of values) await world.write(name, value);
}

const notFound = { code: 'not_found', reason: undefined };
const gone = { code: 'not_found', reason: 'gone' };

describe('a branch', () => {
  test('has what its source had, indexed or not, and both go their own ways', async () => {
    await writeAll('parent', [1, 2]);
    await world.index('parent');
    await writeAll('parent', [3, 4]);
    expect((await world.lineage.branch(heir('child'), 'parent', undefined)).outcome).toBe('born');
    expect(await world.content('child')).toEqual([1, 2, 3, 4]);
    await world.write('parent', 5);
    await world.write('child', 6);
    await world.index('child');
    expect(await world.content('child')).toEqual([1, 2, 3, 4, 6]);
    expect(await world.content('parent')).toEqual([1, 2, 3, 4, 5]);
    await world.end('parent');
    expect(await world.content('child')).toEqual([1, 2, 3, 4, 6]);
    expect((await listNamespaces(world.store, { prefix: '', pageSize: 10 })).names).toEqual(['child']);
  });

  test('is of one family with its source, and its record is written before its birth and stays as it is', async () => {
    await writeAll('parent', [1, 2]);
    world.store.takeRequests();
    const result = await world.lineage.branch(heir('child'), 'parent', undefined);
    if (result.outcome !== 'born') throw new Error('not born');
    const writes = world.store.takeRequests().filter((request) => !/^(get|list)/.test(request));
    expect(writes.map((request) => request.split('/')[0])).toEqual(['put family', 'put catalog', 'create ns']);
    const recordKey = writes[0]?.split(' ')[1] ?? '';
    const before = await world.memory.get(recordKey);
    await world.index('child');
    expect((await world.memory.get(recordKey))?.bytes).toEqual(before?.bytes);
    const member = decodeFamilyMember(recordKey, before?.bytes ?? new Uint8Array(0));
    expect(member).toEqual({
      namespace: 'child',
      incarnation: result.incarnation,
      birthGeneration: 1,
      origin: result.origin,
    });
    expect((await world.log.open('child')).view.live?.family).toBe((await world.log.open('parent')).view.live?.family);
  });

  test('looks at the floor of its source after its record is there, and gives up below it', async () => {
    await writeAll('parent', [1, 2, 3]);
    world.store.expectNext('put', 'family/', {
      before: async () => void (await world.memory.put(floorKey('parent', 2), new Uint8Array(0))),
    });
    await expect(world.lineage.branch(heir('child'), 'parent', 2)).rejects.toMatchObject(gone);
    expect((await world.log.open('child')).view.live).toBeUndefined();
    expect((await world.lineage.branch(heir('child'), 'parent', 3)).outcome).toBe('born');
    expect(await world.content('child')).toEqual([1, 2, 3]);
  });

  test('can be of any retained generation, of an ended life too', async () => {
    await writeAll('parent', [1, 2]);
    await world.index('parent');
    await writeAll('parent', [3]);
    const end = await world.end('parent');
    await writeAll('parent', [7, 8]);
    await world.lineage.branch(heir('first'), 'parent', 1);
    await world.lineage.branch(heir('third'), 'parent', 3);
    await world.lineage.branch(heir('fourth'), 'parent', 4);
    await world.lineage.branch(heir('next'), 'parent', end + 1);
    expect(await world.content('first')).toEqual([1]);
    expect(await world.content('third')).toEqual([1, 2]);
    expect(await world.content('fourth')).toEqual([1, 2, 3]);
    expect(await world.content('next')).toEqual([7]);
    await expect(world.lineage.branch(heir('none'), 'parent', end)).rejects.toMatchObject(notFound);
    await expect(world.lineage.branch(heir('none'), 'parent', end + 9)).rejects.toMatchObject(notFound);
  });

  test('of what is not there is not found, onto what lives is nothing', async () => {
    await expect(world.lineage.branch(heir('child'), 'parent', undefined)).rejects.toMatchObject(notFound);
    await writeAll('parent', [1]);
    await writeAll('child', [2]);
    expect((await world.lineage.branch(heir('child'), 'parent', undefined)).outcome).toBe('lives');
    await world.end('parent');
    await expect(world.lineage.branch(heir('other'), 'parent', undefined)).rejects.toMatchObject(notFound);
  });

  test('goes on in a sequence that has had a life', async () => {
    await writeAll('parent', [1]);
    await writeAll('child', [8, 9]);
    await world.index('child');
    await world.end('child');
    const result = await world.lineage.branch(heir('child'), 'parent', undefined);
    expect(result).toMatchObject({ outcome: 'born', generation: 5 });
    expect(await world.content('child')).toEqual([1]);
    await world.write('child', 2);
    await world.index('child');
    expect(await world.content('child')).toEqual([1, 2]);
  });

  test('that loses its number to a life is refused, to a burnt number is born behind it', async () => {
    await writeAll('parent', [1]);
    world.store.expectNext('create', 'ns/child/', { before: async () => void (await world.write('child', 9)) });
    expect((await world.lineage.branch(heir('child'), 'parent', undefined)).outcome).toBe('lives');
    expect(await world.content('child')).toEqual([9]);
    world.store.expectNext('create', 'ns/burnt/', {
      before: async () => {
        const { view } = await world.log.open('burnt');
        await world.log.append(view, () => ({ kind: 'aborted', revokedJobs: [] }));
      },
    });
    const result = await world.lineage.branch(heir('burnt'), 'parent', undefined);
    expect(result).toMatchObject({ outcome: 'born', generation: 2 });
    expect(await world.content('burnt')).toEqual([1]);
    const records = (await world.memory.list({ prefix: 'family/' })).objects.length;
    expect(records).toBe(3); // a record is good for one number
  });

  test('is born once where the answer of its create is lost', async () => {
    await writeAll('parent', [1]);
    world.store.expectNext('create', 'ns/child/log', 'lose_answer');
    expect(await world.lineage.branch(heir('child'), 'parent', undefined)).toMatchObject({ generation: 1 });
    expect(await world.content('child')).toEqual([1]);
  });

  test('needs nothing of what its source left unindexed once it has indexed it', async () => {
    await writeAll('parent', [1, 2, 3]);
    await world.lineage.branch(heir('child'), 'parent', undefined);
    await world.write('child', 4);
    await world.index('child');
    await world.memory.delete([1, 2, 3].map((generation) => logKey('parent', generation)));
    expect(await world.content('child')).toEqual([1, 2, 3, 4]);
    expect((await world.log.open('child')).view.live?.manifest.origin).toMatchObject({ namespace: 'parent', tail: [] });
  });

  test('that misses an entry of what it inherits, or finds another one, is corrupt', async () => {
    await writeAll('parent', [1, 2, 3]);
    await writeAll('other', [4, 5, 6]);
    await world.lineage.branch(heir('child'), 'parent', undefined);
    const foreign = await world.memory.get(logKey('other', 2));
    await world.memory.put(logKey('parent', 2), foreign?.bytes ?? new Uint8Array(0));
    await expect(world.log.open('child')).rejects.toMatchObject({ code: 'corrupt' });
    await world.memory.delete([logKey('parent', 2)]);
    await expect(world.log.open('child')).rejects.toMatchObject({ code: 'corrupt' });
  });
});

describe('cost', () => {
  const requestsOf = async (work: () => Promise<unknown>): Promise<number> => {
    world.store.takeRequests();
    await work();
    return world.store.takeRequests().length;
  };

  test.each([
    ['10 batches, nothing indexed', 10, 0, false],
    ['10 batches, indexed', 10, 10, true],
    ['1,000,000 rows in 2,500 batches, never indexed', 2_500, 0, true],
    ['1,000,000 rows in 2,500 batches, indexed, a tail of 40', 2_500, 2_460, true],
  ])(
    'is at most eight requests each for branch, snapshot and restore: %s',
    async (_, count, indexedThrough, hinted) => {
      let { view } = await world.log.open('parent');
      for (let value = 1; value <= count; value++) {
        const draft = value === 1 ? birthDraft('a', [1]) : { ...batchDraft([value % 256]), upsertedRowCount: 400 };
        view = (await world.log.append(view, () => draft)).view;
        if (value === indexedThrough) {
          await world.index('parent');
          ({ view } = await world.log.open('parent'));
        }
        if (hinted && value % 64 === 0) await world.log.writeHint(view);
      }
      if (hinted && indexedThrough > 0) await world.log.writeHint(view);
      const { lineage } = world;
      const costs = [
        await requestsOf(() => lineage.branch(heir('child'), 'parent', undefined)),
        await requestsOf(() => lineage.branch(heir('old'), 'parent', 5)),
        await requestsOf(() => lineage.createSnapshot('parent', 'one', undefined)),
        await requestsOf(() => lineage.restore(heir('back'), 'parent', 'one')),
      ];
      expect(Math.max(...costs)).toBeLessThanOrEqual(8);
      expect((await world.content('child'))?.length).toBe(count);
      expect((await world.content('back'))?.length).toBe(count);
    },
  );
});

describe('a snapshot', () => {
  test('is listed once it is confirmed, restored as it was, and deleted by exact key', async () => {
    await writeAll('docs', [1, 2]);
    await world.lineage.createSnapshot('docs', 'Two', undefined);
    await writeAll('docs', [3]);
    await world.lineage.createSnapshot('docs', 'one', 1);
    const listed = await world.lineage.listSnapshots('docs');
    expect(listed.map(({ name, instant }) => [name, instant.generation])).toEqual([
      ['Two', 2],
      ['one', 1],
    ]);
    await world.end('docs');
    await world.lineage.restore(heir('docs'), 'docs', 'Two');
    expect(await world.content('docs')).toEqual([1, 2]);
    await world.lineage.restore(heir('copy'), 'docs', 'one');
    expect(await world.content('copy')).toEqual([1]);
    await world.lineage.deleteSnapshot('docs', 'Two');
    expect((await world.lineage.listSnapshots('docs')).map(({ name }) => name)).toEqual(['one']);
    await expect(world.lineage.deleteSnapshot('docs', 'Two')).rejects.toMatchObject(notFound);
    await expect(world.lineage.restore(heir('other'), 'docs', 'Two')).rejects.toMatchObject(notFound);
    expect((await world.memory.list({ prefix: pinsPrefix('docs') })).objects).toHaveLength(2);
  });

  test('that crashed between its two objects is not there; another of the same name is', async () => {
    await writeAll('docs', [1]);
    world.store.expectNext('put', '.ok', 'drop');
    await expect(world.lineage.createSnapshot('docs', 'one', undefined)).rejects.toBeInstanceOf(LagoonError);
    expect(await world.lineage.listSnapshots('docs')).toEqual([]);
    await expect(world.lineage.restore(heir('back'), 'docs', 'one')).rejects.toMatchObject(notFound);
    await world.write('docs', 2);
    await world.lineage.createSnapshot('docs', 'one', undefined);
    await world.lineage.restore(heir('back'), 'docs', 'one');
    expect(await world.content('back')).toEqual([1, 2]);
  });

  test('of a generation that the floor has reached meanwhile is gone, and leaves no pin', async () => {
    await writeAll('docs', [1, 2]);
    world.store.expectNext('put', 'pins/', {
      before: async () => void (await world.memory.put(floorKey('docs', 1), new Uint8Array(0))),
    });
    await expect(world.lineage.createSnapshot('docs', 'one', 1)).rejects.toMatchObject(gone);
    expect((await world.memory.list({ prefix: pinsPrefix('docs') })).objects).toEqual([]);
  });

  test('may be restored below the floor, but not once it is deleted or replaced meanwhile', async () => {
    await writeAll('docs', [1, 2]);
    await world.lineage.createSnapshot('docs', 'one', 1);
    await world.index('docs');
    await world.memory.put(floorKey('docs', 2), new Uint8Array(0));
    await world.lineage.restore(heir('back'), 'docs', 'one');
    expect(await world.content('back')).toEqual([1]);
    world.store.expectNext('put', 'family/', {
      before: async () => {
        await world.lineage.deleteSnapshot('docs', 'one');
        await world.write('docs', 3);
        await world.lineage.createSnapshot('docs', 'one', undefined);
      },
    });
    await expect(world.lineage.restore(heir('late'), 'docs', 'one')).rejects.toMatchObject(gone);
    expect((await world.log.open('late')).view.live).toBeUndefined();
  });

  test('needs a name of its own', async () => {
    await writeAll('docs', [1]);
    await world.lineage.createSnapshot('docs', 'one', undefined);
    await expect(world.lineage.createSnapshot('docs', 'one', undefined)).rejects.toMatchObject({ code: 'conflict' });
    for (const name of ['lease', '', 'a/b', 'x'.repeat(129)]) {
      await expect(world.lineage.createSnapshot('docs', name, undefined)).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    }
  });
});

describe('a lease', () => {
  test('gives the same instant again until it ends, and is no snapshot', async () => {
    await writeAll('docs', [1, 2]);
    await world.index('docs');
    await writeAll('docs', [3]);
    const { random } = await world.lineage.lease('docs');
    await writeAll('docs', [4]);
    const { instant } = await world.lineage.readLease('docs', random);
    const { manifest, parts } = await world.lineage.readInstant(instant);
    expect([manifest?.rows.live, parts.map((part) => [...part])]).toEqual([2, [[3]]]);
    expect(await world.lineage.listSnapshots('docs')).toEqual([]);
    await world.lineage.endLease('docs', random);
    await expect(world.lineage.readLease('docs', random)).rejects.toMatchObject(gone);
  });
});

describe('against a model', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const name = fc.constantFrom(...names);
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), name }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('index' as const), name }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), name }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('branch' as const),
        name,
        source: name,
        back: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('snapshot' as const), name }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore' as const), name, source: name }) },
  );

  test('branches of branches, snapshots and restores hold what their source held', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), fc.nat(), async (steps, seed) => {
        const at = createWorld(seed);
        /** By namespace and generation; undefined: nothing lives. Manifests are found by reading the head. */
        const history = new Map<string, (number[] | undefined)[]>(names.map((each) => [each, [undefined]]));
        const snapshots = new Map<string, number[]>();
        let value = 0;
        const of = (each: string): (number[] | undefined)[] => history.get(each) ?? [];
        const current = (each: string): number[] | undefined => of(each).at(-1);
        const catchUp = async (each: string): Promise<void> => {
          const { view } = await at.log.open(each);
          while (of(each).length <= view.generation) of(each).push(current(each));
        };
        for (const each of steps) {
          if (each.kind === 'write') {
            value = (value % 255) + 1;
            of(each.name).push([...(current(each.name) ?? []), value]);
            expect(await at.write(each.name, value)).toBe(of(each.name).length - 1);
          } else if (each.kind === 'index') {
            await at.index(each.name);
            await catchUp(each.name);
          } else if (each.kind === 'end') {
            if (current(each.name) === undefined) continue;
            await at.end(each.name);
            of(each.name).push(undefined);
          } else if (each.kind === 'snapshot') {
            const content = current(each.name);
            if (content === undefined || snapshots.has(each.name)) continue;
            await at.lineage.createSnapshot(each.name, 'kept', undefined);
            snapshots.set(each.name, content);
          } else {
            const isRestore = each.kind === 'restore';
            const generation =
              isRestore || each.back === undefined ? undefined : of(each.source).length - 1 - each.back;
            if (generation !== undefined && generation < 1) continue;
            const expected = isRestore
              ? snapshots.get(each.source)
              : generation === undefined
                ? current(each.source)
                : of(each.source)[generation];
            const born = isRestore
              ? at.lineage.restore(heir(each.name), each.source, 'kept')
              : at.lineage.branch(heir(each.name), each.source, generation);
            if (current(each.name) !== undefined && expected !== undefined) {
              expect((await born).outcome).toBe('lives');
            } else if (expected === undefined) {
              const outcome = await born.catch((error: unknown) => error);
              expect(outcome).toMatchObject(current(each.name) === undefined ? { code: 'not_found' } : {});
            } else {
              expect(await born).toMatchObject({ outcome: 'born', generation: of(each.name).length });
              of(each.name).push(expected);
            }
          }
        }
        for (const each of names) expect(await at.content(each)).toEqual(current(each));
      }),
      { numRuns: 150 },
    );
  }, 30_000);
});

test('a hint that names what was never there does not stop a branch', async () => {
  await writeAll('parent', range(1, 5));
  await world.index('parent');
  const { view } = await world.log.open('parent');
  await world.log.writeHint({ ...view, generation: 40 });
  expect(await world.memory.get(headKey('parent'))).toBeDefined();
  expect((await world.lineage.branch(heir('child'), 'parent', undefined)).outcome).toBe('born');
  expect(await world.content('child')).toEqual(range(1, 5));
});

test('keys of pins parse back, and others of their kind do not', () => {
  const key = pinKey({ name: 'Docs', pin: 'A.b', random: 'r1', ok: true });
  expect(parseKey(key)).toEqual({ kind: 'pin', name: 'Docs', pin: 'A.b', random: 'r1', ok: true });
  expect(parseKey(`${pinsPrefix('docs')}one/r1.no`)).toBeUndefined();
  expect(parseKey(bodyKey('docs', 'a', 'b', 1))?.kind).toBe('body');
});
