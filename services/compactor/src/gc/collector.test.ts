import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { silentLog } from '@lagoon/base';
import {
  bodyKey,
  dataKey,
  familyKey,
  listEverything,
  logKey,
  namespacePrefix,
  operationKey,
  revocationCountMax,
  writeOperation,
} from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { FamilyMemberSchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { compact, createTestWorld, type TestWorld, testName } from '../testing.ts';
import { createCollector, type PassResult } from './collector.ts';
import { type GcConfig, resolveGcConfig } from './gc-config.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function collectorOf(world: TestWorld, given: Partial<GcConfig> = {}, store: ObjectStore = world.store) {
  const deps = { store, namespaceLog: world.log, clock: world.clock, log: silentLog };
  return createCollector(deps, resolveGcConfig(given));
}

async function keysOf(world: TestWorld, prefix = ''): Promise<string[]> {
  return (await listEverything(world.store, prefix)).objects.map(({ key }) => key);
}

/** Passes, eleven minutes apart, for so long. */
async function passFor(world: TestWorld, durationMs: number, collector = collectorOf(world)): Promise<PassResult> {
  let result = await collector.pass({ names: [testName] });
  for (let passedMs = 0; passedMs < durationMs; passedMs += 660_000) {
    world.clock.advance(660_000);
    result = await collector.pass({ names: [testName], families: result.openFamilies });
    expect(result.report.failures).toEqual([]);
  }
  return result;
}

async function writeMuch(world: TestWorld, count: number): Promise<void> {
  const role = world.compactor({ config: { absorbBytesMax: 0 } });
  for (let i = 0; i < count; i++) {
    await world.write([[i % 3, `title ${i}`]], i % 4 === 3 ? [i % 3 === 0 ? 1 : 0] : [], [`key ${i}`]);
    await compact(role);
    world.clock.advance(60_000);
  }
  await role.close();
}

describe('a namespace that lives', () => {
  test('keeps what its head needs and nothing else, whatever was there', async () => {
    const world = createTestWorld();
    await writeMuch(world, 8);
    const content = await world.content();
    const before = await keysOf(world);
    const result = await passFor(world, 6 * hourMs);
    expect([...result.settled.keys()]).toEqual([testName]);
    expect(await world.content()).toEqual(content);
    const after = await keysOf(world);
    expect(after.length).toBeLessThan(before.length / 2);
    const view = await world.view();
    expect(await keysOf(world, `${namespacePrefix(testName)}log/`)).toEqual([logKey(testName, view.generation)]);
    expect((await keysOf(world, 'data/')).length).toBe(view.live?.manifest.segments.length);
    expect((await keysOf(world, `${namespacePrefix(testName)}floor/`)).length).toBe(1);
    await world.write([[77, 'later']]);
    expect((await world.content()).get(77)).toBe('later');
  });

  test('loses nothing before the floor has stood and ten minutes have passed in this process', async () => {
    const world = createTestWorld();
    await writeMuch(world, 4);
    world.clock.advance(2 * hourMs);
    const collector = collectorOf(world);
    const count = (await keysOf(world)).length;
    expect((await collector.pass({ names: [testName] })).report.floorsRaised).toBe(1);
    world.clock.advance(59 * 60_000);
    await collector.pass({ names: [testName] });
    expect((await keysOf(world)).length).toBe(count + 1);
    world.clock.advance(2 * 60_000);
    const report = (await collector.pass({ names: [testName] })).report; // stands now: the first time that anything is seen
    expect(report.deleted.size).toBe(0);
    expect(report.garbage.size).toBeGreaterThan(0);
    world.clock.advance(59 * 60_000);
    await collector.pass({ names: [testName] });
    expect((await keysOf(world)).length).toBe(count + 1);
    world.clock.advance(2 * 60_000);
    expect((await collector.pass({ names: [testName] })).report.deleted.size).toBeGreaterThan(0);
  });

  test('a store whose time jumps by a day causes no deletion', async () => {
    const world = createTestWorld();
    await writeMuch(world, 4);
    let aheadMs = 0;
    const store: ObjectStore = {
      ...world.store,
      list: async (options, signal) => {
        const page = await world.store.list(options, signal);
        return { ...page, storeTimeMs: (page.storeTimeMs ?? 0) + aheadMs };
      },
    };
    const collector = collectorOf(world, {}, store);
    const before = await keysOf(world);
    for (let pass = 0; pass < 9; pass++) {
      await collector.pass({ names: [testName] });
      aheadMs += dayMs;
      world.clock.advance(60_000);
    }
    const after = await keysOf(world);
    expect(after).toEqual(expect.arrayContaining(before));
  });

  test('a dry run says what there is and changes nothing', async () => {
    const world = createTestWorld();
    await writeMuch(world, 4);
    world.clock.advance(2 * hourMs);
    const before = await keysOf(world);
    const { report } = await collectorOf(world).pass({ names: [testName], dryRun: true });
    expect(report.floorsRaised).toBe(1);
    expect(await keysOf(world)).toEqual(before);
  });
});

describe('what no entry names', () => {
  const stray = { family: 'familyincarnation0', incarnation: 'incarnation0', job: 'strayjob', n: 0 } as const;

  test('goes only after its job was revoked by a generation', async () => {
    const world = createTestWorld();
    await writeMuch(world, 2);
    const key = dataKey({ ...stray, extension: 'seg' });
    await world.store.create(key, new Uint8Array(10));
    const collector = collectorOf(world);
    await passFor(world, 12 * hourMs, collector);
    expect(await keysOf(world)).toContain(key);
    await passFor(world, 13.5 * hourMs, collector);
    expect((await world.view()).live?.revokedJobs).toEqual(['strayjob']);
    expect(await keysOf(world)).toContain(key);
    await passFor(world, 2 * hourMs, collector);
    expect(await keysOf(world)).not.toContain(key);
    expect((await world.content()).size).toBeGreaterThan(0);
  });

  test('an obsolete object that the manifest has forgotten before it could be deleted goes all the same', async () => {
    const world = createTestWorld();
    await writeMuch(world, 3);
    const forgotten = dataKey({ ...stray, job: 'forgotten', extension: 'seg' });
    await world.store.create(forgotten, new Uint8Array(10)); // as after the pruning of a list that named it
    await passFor(world, dayMs + 4 * hourMs);
    expect(await keysOf(world)).not.toContain(forgotten);
  });

  test('no more jobs are revoked than a manifest remembers; the others wait', async () => {
    const world = createTestWorld();
    await writeMuch(world, 1);
    const view = await world.view();
    const jobs = Array.from({ length: revocationCountMax - 1 }, (_, i) => `past${i}`);
    await world.log.append(view, () => ({ kind: 'aborted', revokedJobs: jobs }));
    for (const job of ['one', 'two'])
      await world.store.create(dataKey({ ...stray, job, extension: 'seg' }), Uint8Array.of(1));
    await passFor(world, dayMs + 2 * hourMs);
    expect((await world.view()).live?.revokedJobs.length).toBe(revocationCountMax);
  });

  test('the body of a birth that never came goes after generation 1 was burnt', async () => {
    const world = createTestWorld();
    const key = bodyKey(testName, 'unborn', 'birthjob', 0);
    await world.store.create(key, new Uint8Array(10));
    await passFor(world, dayMs + 4 * hourMs);
    expect(await keysOf(world)).toEqual([logKey(testName, 1)]);
    const view = await world.write([[1, 'one']]);
    expect(view.generation).toBe(2);
    expect(await world.content()).toEqual(new Map([[1, 'one']]));
  });
});

describe('a namespace that has ended', () => {
  test('leaves its end and its floor, nothing else', async () => {
    const world = createTestWorld();
    await writeMuch(world, 4);
    await world.write([[5, 'unindexed']]);
    const { generation } = await world.truncate();
    const result = await passFor(world, 6 * hourMs);
    expect([...result.settled.keys()]).toEqual([testName]);
    const keys = await keysOf(world);
    expect(keys.filter((key) => !key.includes('/floor/'))).toEqual([logKey(testName, generation)]);
    expect(keys.length).toBe(2);
  });

  test('and was born again keeps its new life only', async () => {
    const world = createTestWorld();
    await writeMuch(world, 3);
    await world.truncate();
    await writeMuch(world, 2);
    const content = await world.content();
    await passFor(world, 6 * hourMs);
    expect(await world.content()).toEqual(content);
    expect((await keysOf(world, 'data/')).every((key) => key.includes('incarnation3'))).toBe(true);
    expect((await keysOf(world, 'family/')).length).toBe(1);
  });
});

test('the record of an operation goes a day after it was written, also where nothing lives', async () => {
  const world = createTestWorld();
  await writeOperation(world.store, 'child', 't1', { source: testName, startedAtMs: 1, finished: undefined });
  const collector = collectorOf(world);
  const passOver = async (durationMs: number) => {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 660_000) {
      expect((await collector.pass({ names: ['child'] })).report.failures).toEqual([]);
      world.clock.advance(660_000);
    }
  };
  await passOver(23 * hourMs);
  expect(await keysOf(world)).toEqual([operationKey('child', 't1')]);
  await passOver(4 * hourMs);
  expect(await keysOf(world)).toEqual([]);
});

describe('births in progress', () => {
  test('hold what they name for an hour, then their number is burnt and the record goes', async () => {
    const world = createTestWorld();
    const { generation, live, tip } = await world.write([[1, 'one']]);
    const family = live?.family ?? '';
    const origin = {
      namespace: testName,
      incarnation: live?.incarnation ?? '',
      family,
      birthGeneration: 1n,
      generation: BigInt(generation),
      tail: [
        { namespace: testName, generationFirst: 1n, generationLast: 1n, hashLast: tip?.hash ?? new Uint8Array(0) },
      ],
    };
    const record = { namespace: 'child', incarnation: 'childlife', birthGeneration: 1n, origin };
    await world.store.put(
      familyKey(family, 'childlife'),
      toBinary(FamilyMemberSchema, create(FamilyMemberSchema, record)),
    );
    await world.truncate();
    const collector = collectorOf(world);
    await passFor(world, 50 * 60_000, collector);
    expect(await keysOf(world)).toContain(logKey(testName, 1));
    await passFor(world, 8 * hourMs, collector);
    const keys = await keysOf(world);
    expect(keys.filter((key) => !key.includes('/floor/'))).toEqual([logKey('child', 1), logKey(testName, 2)]);
  });
});

test('what a newer version wrote stops its family, and nothing of it goes', async () => {
  const world = createTestWorld();
  await writeMuch(world, 4);
  const record = create(FamilyMemberSchema, { namespace: testName, incarnation: 'newer', birthGeneration: 1n });
  const unknownField = Uint8Array.of(0xfa, 0x7f, 0x01, 0x00); // field 2047, one byte
  const bytes = Buffer.concat([toBinary(FamilyMemberSchema, record), unknownField]);
  await world.store.put(familyKey('familyincarnation0', 'newer'), bytes);
  const collector = collectorOf(world);
  const before = await keysOf(world);
  for (let pass = 0; pass < 40; pass++) {
    world.clock.advance(660_000);
    const { report } = await collector.pass({ names: [testName] });
    expect(report.failures.length).toBe(1);
  }
  expect(await keysOf(world)).toEqual(expect.arrayContaining(before));
});
