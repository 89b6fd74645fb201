import { backoffMs, type Clock, LagoonError, type Random, sha256 } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import { bodyKey } from './keys.ts';
import type { ObjectReference } from './view.ts';

export interface BodyDeps {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
}

export interface BodyPlace {
  readonly name: string;
  readonly incarnation: string;
  readonly job: string;
}

const attemptCountMax = 6;
const backoff = { firstDelayMs: 20, delayMsMax: 1_000 };

/**
 * Writes an immutable object of a job under a number of its own. A number that is taken, or whose outcome is unknown, is left alone
 * and another one tried: what stays behind belongs to the job and is found by garbage collection.
 */
export async function createBody(
  deps: BodyDeps,
  place: BodyPlace,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<ObjectReference> {
  let cause: unknown;
  for (let attempt = 0; attempt < attemptCountMax; attempt++) {
    if (attempt > 0) await deps.clock.sleep(backoffMs(deps.random, backoff, attempt), signal);
    const key = bodyKey(place.name, place.incarnation, place.job, deps.random.integer(1e9));
    const result = await deps.store.create(key, bytes, signal);
    if (result.outcome === 'created') return { key, size: bytes.byteLength, sha256: sha256(bytes) };
    if (result.outcome === 'unknown') cause = result.cause;
  }
  throw new LagoonError('unavailable', 'body could not be written', { context: { namespace: place.name }, cause });
}
