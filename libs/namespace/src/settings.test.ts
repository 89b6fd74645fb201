import { describe, expect, test } from '@jest/globals';
import { createRandomId, createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createMemoryStore } from '@lagoon/object-store';
import fc from 'fast-check';
import { createLineage } from './lineage.ts';
import { createNamespaceLog } from './log.ts';
import { applyIndexEdit } from './manifest.ts';
import { createManifestCommitter } from './manifest-commit.ts';
import {
  defaultSettings,
  inheritedSettings,
  type NamespaceSettings,
  settingsFromStored,
  settingsToStored,
} from './settings.ts';
import { batchDraft, birthDraft, createTestClock } from './testing.ts';

const settingsArbitrary: fc.Arbitrary<NamespaceSettings> = fc.record({
  isReadOnly: fc.boolean(),
  pinnedReplicaCount: fc.nat({ max: 3 }),
  recall: fc.constantFrom(undefined, 0.5, 0.9, 1),
});

/** Namespaces of which every write is one byte. */
function createWorld(seed: number) {
  const clock = createTestClock();
  const store = createMemoryStore({ clock: { wallMs: clock.worldMs } });
  const random = createSeededRandom(seed);
  const deps = { store, clock, random, log: silentLog, metrics: noMetrics };
  const log = createNamespaceLog(deps);
  const committer = createManifestCommitter(deps);
  const lineage = createLineage(deps);
  const live = async (name: string) => (await log.open(name)).view.live;
  return {
    live,
    generation: async (name: string) => (await log.open(name)).view.generation,
    write: async (name: string, settings?: NamespaceSettings) => {
      const { view } = await log.open(name);
      const rest = settings === undefined ? {} : { settings };
      await log.append(view, (at) => {
        const draft = at.live === undefined ? birthDraft(createRandomId(random), [1]) : batchDraft([1]);
        if (draft.kind === 'birth') return { ...draft, batch: { ...draft.batch, ...rest } };
        return { ...draft, ...rest };
      });
    },
    /** What an index job does, as of `upTo` batches of the tail; the settings are those that its view has. */
    index: async (name: string, upTo: number) => {
      const { view } = await log.open(name);
      const last = view.live?.tail.slice(0, upTo).at(-1);
      if (view.live === undefined || last === undefined) return;
      const edited = applyIndexEdit(view.live.manifest, {
        indexedThrough: last.generation,
        schema: view.live.schema,
        settings: view.live.settings,
        segmentsAdded: [],
        deleted: new Map(),
        rows: { added: 0, superseded: 0, deleted: 0 },
        lastWriteAtMs: 0,
      });
      const prepared = await committer.prepare(view, edited, {
        job: createRandomId(random),
        startedAtMs: log.storeTimeMs(),
      });
      const result = await committer.append(log, view, prepared);
      expect(result.outcome).toBe('committed');
      await log.writeHint(result.view);
    },
    branch: (name: string, source: string, generation?: number) =>
      lineage.branch({ name, view: undefined, idempotency: [] }, source, generation),
    snapshot: (name: string, as: string) => lineage.createSnapshot(name, as, undefined),
    restore: (name: string, source: string, as: string) =>
      lineage.restore({ name, view: undefined, idempotency: [] }, source, as),
  };
}

describe('settings of a namespace', () => {
  test('are what the last entry that changes them says, through manifests, branches and restores', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('set' as const), settings: settingsArbitrary }),
        fc.record({ kind: fc.constant('write' as const) }),
        fc.record({ kind: fc.constant('index' as const), upTo: fc.integer({ min: 1, max: 4 }) }),
        fc.record({ kind: fc.constant('branch' as const) }),
        fc.record({ kind: fc.constant('restore' as const) }),
      ),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (list, seed) => {
        const world = createWorld(seed);
        let name = 'docs';
        let expected = defaultSettings;
        await world.write(name);
        /** Of each generation of the name that lives now. */
        const history = new Map<number, NamespaceSettings>();
        for (const [at, step] of list.entries()) {
          history.set(await world.generation(name), expected);
          if (step.kind === 'set') {
            await world.write(name, step.settings);
            expected = step.settings;
          }
          if (step.kind === 'write') await world.write(name);
          if (step.kind === 'index') await world.index(name, step.upTo);
          if (step.kind === 'branch') {
            const [generation, then] = [...history].at(-1 - (seed % history.size)) ?? [1, expected];
            await world.branch(`${name}b${at}`, name, generation);
            name = `${name}b${at}`;
            expected = inheritedSettings(then);
            history.clear();
          }
          if (step.kind === 'restore') {
            await world.snapshot(name, `s${at}`);
            await world.restore(`${name}r${at}`, name, `s${at}`);
            name = `${name}r${at}`;
            expected = inheritedSettings(expected);
            history.clear();
          }
          expect((await world.live(name))?.settings).toEqual(expected);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a branch takes the recall, and neither protection nor memory', () => {
    const given = { isReadOnly: true, pinnedReplicaCount: 1, recall: 0.9 };
    expect(inheritedSettings(given)).toEqual({ isReadOnly: false, pinnedReplicaCount: 0, recall: 0.9 });
  });

  test('a first batch may set them', async () => {
    const world = createWorld(1);
    await world.write('docs', { ...defaultSettings, recall: 0.8 });
    expect((await world.live('docs'))?.settings.recall).toBe(0.8);
  });

  test('stored and read they are the same; a recall that is none is corrupt', () => {
    fc.assert(
      fc.property(settingsArbitrary, (given) => {
        expect(settingsFromStored(settingsToStored(given))).toEqual(given);
      }),
    );
    for (const recall of [-1, 1.5, Number.NaN]) {
      const stored = settingsToStored({ ...defaultSettings, recall });
      expect(() => settingsFromStored(stored)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    }
  });
});
