import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { ManifestSchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { emptyManifest } from './manifest.ts';
import { decodeManifest, encodeManifest } from './manifest-codec.ts';
import {
  isRevoked,
  obsoleteCountMax,
  revocationKeepMs,
  withoutPastObsolete,
  withRevocations,
} from './manifest-retention.ts';
import { testSchema } from './testing.ts';
import type { Manifest } from './view.ts';

const startMs = 1_700_000_000_000;
const dayMs = 24 * 3_600_000;

const fresh = emptyManifest({
  incarnation: 'i1',
  family: 'f1',
  birthGeneration: 1,
  schema: testSchema,
  createdAtMs: 5,
});

/** As a version before there were times wrote it. */
function withoutTimes(manifest: Manifest): Manifest {
  const stored = fromBinary(ManifestSchema, encodeManifest(manifest));
  const obsolete = stored.obsolete.map((object) => ({ ...object, obsoleteAtMs: 0n }));
  const bytes = toBinary(ManifestSchema, create(ManifestSchema, { ...stored, revokedAtMs: [], obsolete }));
  return decodeManifest('k', bytes, manifest.generation);
}

describe('revocations', () => {
  test('are kept for two days whatever their count, and for half a day and a day more for times that are off; then they go', () => {
    const first = withRevocations(fresh, ['j1'], startMs);
    const jobs = Array.from({ length: 5_000 }, (_, i) => `more${i}`);
    const later = withRevocations(first, jobs, startMs + revocationKeepMs - 1);
    expect(isRevoked(later, 'j1')).toBe(true);
    expect(revocationKeepMs).toBeGreaterThanOrEqual(3.5 * dayMs);
    const last = withRevocations(later, [], startMs + revocationKeepMs);
    expect(isRevoked(last, 'j1')).toBe(false);
    expect(last.revocations.length).toBe(5_000);
  });

  test('a job that is seen again keeps its time, and one whose time is ahead stays', () => {
    const first = withRevocations(fresh, ['j1', 'j1'], startMs);
    expect(withRevocations(first, ['j1'], startMs + dayMs).revocations).toEqual([{ job: 'j1', atMs: startMs }]);
    expect(isRevoked(withRevocations(first, [], startMs - 10 * dayMs), 'j1')).toBe(true);
  });

  test('of an old manifest, which have no time, stay readable and count from the next edit on', () => {
    const old = withoutTimes(withRevocations(fresh, ['j1', 'j2'], startMs));
    expect(isRevoked(old, 'j1')).toBe(true);
    const next = withRevocations(old, [], startMs);
    expect(next.revocations).toEqual([
      { job: 'j1', atMs: startMs },
      { job: 'j2', atMs: startMs },
    ]);
    expect(withRevocations(next, [], startMs + revocationKeepMs).revocations).toEqual([]);
  });

  test('times of another count are corrupt', () => {
    const stored = fromBinary(ManifestSchema, encodeManifest(withRevocations(fresh, ['j1', 'j2'], startMs)));
    const bytes = toBinary(ManifestSchema, create(ManifestSchema, { ...stored, revokedAtMs: [1n] }));
    expect(() => decodeManifest('k', bytes, 0)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });
});

describe('obsolete objects', () => {
  const givenUp = (key: string) => ({ key, obsoleteSinceGeneration: 4 });

  test('are listed for as long as garbage collection may need to delete them, then forgotten', () => {
    const one = withoutPastObsolete({ ...fresh, obsolete: [givenUp('a')] }, startMs, dayMs);
    const two = withoutPastObsolete({ ...one, obsolete: [...one.obsolete, givenUp('b')] }, startMs + dayMs - 1, dayMs);
    expect(two.obsolete.map(({ key }) => key)).toEqual(['a', 'b']);
    expect(withoutPastObsolete(two, startMs + dayMs, dayMs).obsolete.map(({ key }) => key)).toEqual(['b']);
    expect(decodeManifest('k', encodeManifest(two), 0).obsolete).toEqual(two.obsolete);
  });

  test('of an old manifest count from the next edit on, and there is a bound', () => {
    const old = withoutTimes(withoutPastObsolete({ ...fresh, obsolete: [givenUp('a')] }, startMs - 9 * dayMs, dayMs));
    expect(withoutPastObsolete(old, startMs, dayMs).obsolete).toEqual([{ ...givenUp('a'), obsoleteAtMs: startMs }]);
    const many = Array.from({ length: obsoleteCountMax + 5 }, (_, i) => givenUp(`k${i}`));
    expect(withoutPastObsolete({ ...fresh, obsolete: many }, startMs, dayMs).obsolete[0]?.key).toBe('k5');
  });
});
