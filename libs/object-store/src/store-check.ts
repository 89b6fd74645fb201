import { type Clock, createRandomId, invalidArgument, type Random } from '@lagoon/base';
import type { ObjectStore } from './object-store.ts';
import { checkConditions, checkRaces } from './store-check-creates.ts';
import type { CheckSizes, CheckSpace } from './store-check-expect.ts';
import { checkLists, checkRanges, checkReads, checkWholeness } from './store-check-reads.ts';

export interface StoreCheckOptions {
  /** `short` for a first start (about 150 requests), `full` to certify (some thousands). Default `full`. */
  readonly form?: StoreCheckForm;
  /** Told before each check. */
  readonly onCheck?: (name: string) => void;
}

export type StoreCheckForm = 'short' | 'full';

export interface StoreCheckResult {
  readonly name: string;
  readonly passed: boolean;
  /** What was tried, or what the store did instead. */
  readonly detail: string;
}

export interface StoreCheckReport {
  readonly url: string;
  readonly form: StoreCheckForm;
  /** Whether all checks passed: without it Lagoon must not use the store. */
  readonly passed: boolean;
  readonly checks: readonly StoreCheckResult[];
  readonly durationMs: number;
}

const sizes: Readonly<Record<StoreCheckForm, CheckSizes>> = {
  short: { raceCount: 3, creatorCount: 8, versionCount: 4, listedCount: 20, pageSize: 7, largeBytes: 100_000 },
  full: {
    raceCount: 50,
    creatorCount: 20,
    versionCount: 30,
    listedCount: 2_300,
    pageSize: 1_000,
    largeBytes: 1_000_000,
  },
};

/** Resolves with what was tried; throws an error whose message says what the store did instead. */
type Check = (space: CheckSpace) => Promise<string>;

const checks: ReadonlyArray<readonly [name: string, check: Check]> = [
  ['create refuses a key that exists', checkConditions],
  ['racing creators have one winner', checkRaces],
  ['reads see the last write', checkReads],
  ['a read is one whole version', checkWholeness],
  ['ranges', checkRanges],
  ['lists see every write, in order', checkLists],
];

/**
 * Tries whether a store keeps the promises that Lagoon's safety rests on. `stores` are connections to the same keys: more of them, and
 * through several endpoints, find more. Works below `store-check/<random>/` and removes what it wrote; a check that fails does not
 * stop the others. It cannot prove a promise, only find it broken.
 *
 * Pass stores that do not retry, or an answer after a retry may hide a lie. Throws only for an abort or an empty list of stores.
 */
export async function storeCheck(
  stores: readonly ObjectStore[],
  deps: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly random: Random },
  options: StoreCheckOptions = {},
  signal?: AbortSignal,
): Promise<StoreCheckReport> {
  const [first, ...others] = stores;
  if (first === undefined) throw invalidArgument('no store to check');
  const form = options.form ?? 'full';
  const startMs = deps.clock.monotonicMs();
  const root = `store-check/${createRandomId(deps.random)}/`;
  const results: StoreCheckResult[] = [];
  for (const [index, [name, check]] of checks.entries()) {
    options.onCheck?.(name);
    const prefix = `${root}${index}/`;
    results.push(await runCheck(name, check, { stores: [first, ...others], prefix, sizes: sizes[form], signal }));
  }
  results.push(await runCheck('cleaning up', removeAll, { stores: [first], prefix: root, sizes: sizes[form], signal }));
  return {
    url: first.url,
    form,
    passed: results.every((result) => result.passed),
    checks: results,
    durationMs: Math.round(deps.clock.monotonicMs() - startMs),
  };
}

async function runCheck(name: string, check: Check, space: CheckSpace): Promise<StoreCheckResult> {
  try {
    return { name, passed: true, detail: await check(space) };
  } catch (error) {
    space.signal?.throwIfAborted();
    return { name, passed: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

/** Deletes page by page, bounded: a store that keeps listing what was deleted must not hold it for ever. */
async function removeAll({ stores: [store], prefix, sizes: { listedCount }, signal }: CheckSpace): Promise<string> {
  let removedCount = 0;
  for (let page = 0; page < 10 + listedCount / 100; page++) {
    const { objects } = await store.list({ prefix }, signal);
    if (objects.length === 0) return `${removedCount} objects removed`;
    await store.delete(
      objects.map((object) => object.key),
      signal,
    );
    removedCount += objects.length;
  }
  throw new Error(`deleted objects below ${prefix} are still listed`);
}
