import type { Manifest, ObsoleteObject, Revocation } from './view.ts';

/**
 * What a manifest remembers only for a while, by the store's times: `nowMs` is the start of the job that makes the next one. A job that commits
 * started at most half a day earlier, so a stamp is at most that much too early.
 */
const dayMs = 24 * 3_600_000;

/** Two days, half a day for stamps that are too early, a day for a store whose times are off. */
export const revocationKeepMs = 3.5 * dayMs;

/**
 * Past it the oldest are forgotten. The list is no root and nothing is found by it alone: it only tells garbage collection that the job of an object is
 * over. What is forgotten before it is deleted counts as an unfinished job's, and goes after that job was revoked by a generation.
 */
export const obsoleteCountMax = 10_000;

/** The manifest with revocations that came behind it, without those that have come of age. An old manifest's, which have no time, count from now. */
export function withRevocations(manifest: Manifest, jobs: readonly string[], nowMs: number): Manifest {
  const kept = manifest.revocations.flatMap(({ job, atMs }): Revocation[] => {
    if (atMs === 0) return [{ job, atMs: nowMs }];
    return nowMs - atMs < revocationKeepMs ? [{ job, atMs }] : [];
  });
  const known = new Set(kept.map(({ job }) => job));
  const added = [...new Set(jobs)].filter((job) => !known.has(job)).map((job) => ({ job, atMs: nowMs }));
  return { ...manifest, revocations: [...kept, ...added] };
}

/** The manifest without obsolete objects that garbage collection has had time to delete; those given up just now, and old ones, get their time. */
export function withoutPastObsolete(manifest: Manifest, nowMs: number, keepMs: number): Manifest {
  const obsolete = manifest.obsolete.flatMap((object): ObsoleteObject[] => {
    if (object.obsoleteAtMs === undefined) return [{ ...object, obsoleteAtMs: nowMs }];
    return nowMs - object.obsoleteAtMs < keepMs ? [object] : [];
  });
  return { ...manifest, obsolete: obsolete.slice(-obsoleteCountMax) };
}

export function isRevoked(manifest: Manifest, job: string): boolean {
  return manifest.revocations.some((revocation) => revocation.job === job);
}
