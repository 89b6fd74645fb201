import { create, toBinary } from '@bufbuild/protobuf';
import { type Clock, createRandomId, type Log, type Random, type Timer } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import { JobLeaseSchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { leaseKey, leasePrefix, leasesPrefix, parseKey } from './keys.ts';

/**
 * Claims on large work, so that two compactors do not do it twice. Never needed for safety: whoever holds none, or holds one together with
 * another, is as correct, for the manifest decides. So whatever fails here costs double work at worst.
 */
export interface JobLeases {
  /** Undefined: another process has claimed it within `leaseMs`. Two requests; three where an old claim is cleared away. */
  claim(work: string, name: string, signal?: AbortSignal): Promise<JobLease | undefined>;
}

export interface JobLease {
  /** Ends the claim: one request, best effort. Until then it is renewed, a put each third of `leaseMs`. */
  release(): Promise<void>;
}

export interface JobLeasesDeps {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A claim that is not renewed for so long, by the store's times, is void. */
export const leaseMs = 300_000;

export function createJobLeases(deps: JobLeasesDeps): JobLeases {
  const owner = createRandomId(deps.random);
  const contentOf = (storeNowMs: number): Uint8Array =>
    toBinary(JobLeaseSchema, create(JobLeaseSchema, { owner, expiresAtMs: BigInt(Math.round(storeNowMs + leaseMs)) }));

  return {
    claim: async (work, name, signal) => {
      const page = await deps.store.list({ prefix: leasePrefix(work, name) }, signal);
      const storeNowMs = page.storeTimeMs ?? deps.clock.wallMs();
      const newest = page.objects.at(-1);
      if (newest !== undefined && isFresh(newest, storeNowMs)) return undefined;
      const parsed = newest === undefined ? undefined : parseKey(newest.key);
      const key = leaseKey({ work, name, n: parsed?.kind === 'lease' ? parsed.n + 1 : 1 });
      const result = await deps.store.create(key, contentOf(storeNowMs), signal);
      if (result.outcome === 'exists') return undefined;
      const past = page.objects.map((object) => object.key);
      if (past.length > 0) await bestEffort(deps, () => deps.store.delete(past, signal));
      return hold(deps, key, contentOf);
    },
  };
}

/** One whose time is ahead is fresh for as long as that: the store's clock has jumped, and work is done later. */
function isFresh(object: { readonly lastModifiedMs: number }, storeNowMs: number): boolean {
  return storeNowMs - object.lastModifiedMs < leaseMs;
}

function hold(deps: JobLeasesDeps, key: string, contentOf: (storeNowMs: number) => Uint8Array): JobLease {
  let timer: Timer | undefined;
  let renewal: Promise<void> = Promise.resolve();
  const schedule = (): void => {
    timer = deps.clock.setTimer(leaseMs / 3, () => {
      renewal = bestEffort(deps, () => deps.store.put(key, contentOf(deps.clock.wallMs()))).finally(schedule);
    });
  };
  schedule();
  return {
    release: async () => {
      timer?.cancel();
      await renewal; // a late renewal would claim it again
      timer?.cancel();
      await bestEffort(deps, () => deps.store.delete([key]));
    },
  };
}

async function bestEffort(deps: JobLeasesDeps, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    deps.log.debug('lease not written', { error });
  }
}

const pageCountMax = 1_000;
const sweepMsMin = 24 * 3_600_000;

/** Removes claims of processes that died: those that nobody has renewed for a day. Returns their count. */
export async function sweepJobLeases(store: ObjectStore, signal?: AbortSignal): Promise<number> {
  let startAfter: string | undefined;
  let count = 0;
  for (let pageCount = 0; pageCount < pageCountMax; pageCount++) {
    const page = await store.list(
      { prefix: leasesPrefix, ...(startAfter === undefined ? {} : { startAfter }) },
      signal,
    );
    const nowMs = page.storeTimeMs ?? 0;
    const past = page.objects.filter(
      ({ key, lastModifiedMs }) => parseKey(key)?.kind === 'lease' && nowMs - lastModifiedMs >= sweepMsMin,
    );
    if (past.length > 0)
      await store.delete(
        past.map(({ key }) => key),
        signal,
      );
    count += past.length;
    startAfter = page.objects.at(-1)?.key;
    if (!page.truncated || startAfter === undefined) break;
  }
  return count;
}
