import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, utf8Encode } from '@lagoon/base';
import { createMemoryStore } from '@lagoon/object-store';
import { decodeCluster, encodeCluster, openCluster, recordCertificate } from './cluster.ts';
import { clusterKey } from './keys.ts';
import { createScriptedStore, createTestClock } from './testing.ts';

const example = {
  formatVersion: 1,
  clusterId: 'cluster1',
  certificate: {
    storeUrl: 'memory:',
    checkedAtMs: 1_700_000_000_000,
    checks: [{ name: 'racing creators', passed: true, detail: '64 of them' }],
  },
};

const makeDeps = (seed: number, store = createMemoryStore({ clock: { wallMs: () => 0 } })) => ({
  store,
  clock: createTestClock(),
  random: createSeededRandom(seed),
});

describe('lagoon.json', () => {
  test('is created once, whoever starts first, also when the answer is lost', async () => {
    const store = createScriptedStore(createMemoryStore({ clock: { wallMs: () => 0 } }));
    store.expectNext('create', clusterKey, 'lose_answer');
    const clusters = await Promise.all([openCluster(makeDeps(1, store)), openCluster(makeDeps(2, store))]);
    expect(new Set(clusters.map(({ clusterId }) => clusterId)).size).toBe(1);
  });

  test('keeps the certificate of its store', async () => {
    const deps = makeDeps(1);
    const cluster = await openCluster(deps);
    const certified = await recordCertificate(deps.store, cluster, example.certificate);
    expect(await openCluster(deps)).toEqual(certified);
  });

  test('of a newer format, or damaged, is refused', () => {
    const newer = utf8Encode('{"formatVersion": 2, "clusterId": "c", "somethingNew": {}}');
    expect(() => decodeCluster(newer)).toThrow(/newer format: upgrade/);
    for (const text of ['', '{', '[]', '{}', '{"formatVersion": 1}']) {
      expect(() => decodeCluster(utf8Encode(text))).toThrow(expect.objectContaining({ code: 'corrupt' }));
    }
  });

  test('the golden file still reads', () => {
    const stored = new Uint8Array(readFileSync(new URL('./golden/lagoon.v1.json', import.meta.url)));
    expect(decodeCluster(stored)).toEqual(example);
    expect(decodeCluster(encodeCluster(example))).toEqual(example);
  });
});
