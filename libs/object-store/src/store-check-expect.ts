import { utf8DecodeLossy } from '@lagoon/base';
import type { ObjectStore } from './object-store.ts';

/** What a check works with. Keys begin with `prefix`, which is the check's own. */
export interface CheckSpace {
  /** Connections or endpoints to the same keys, at least one. */
  readonly stores: readonly [ObjectStore, ...ObjectStore[]];
  readonly prefix: string;
  readonly sizes: CheckSizes;
  readonly signal: AbortSignal | undefined;
}

export interface CheckSizes {
  readonly raceCount: number;
  readonly creatorCount: number;
  readonly versionCount: number;
  readonly listedCount: number;
  readonly pageSize: number;
  readonly largeBytes: number;
}

/** Ends a check with what the store did. */
export function fail(what: string): never {
  throw new Error(what);
}

export async function textAt(store: ObjectStore, key: string, signal?: AbortSignal): Promise<string | undefined> {
  const object = await store.get(key, {}, signal);
  return object === undefined ? undefined : utf8DecodeLossy(object.bytes);
}

/** Fails unless every connection reads this text at the key, or finds it absent. */
export async function expectText(
  stores: readonly ObjectStore[],
  key: string,
  expected: string | undefined,
  signal?: AbortSignal,
): Promise<void> {
  for (const store of stores) {
    const found = await textAt(store, key, signal);
    if (found === expected) continue;
    fail(`a read gave ${describe(found)} where ${describe(expected)} had been written before it`);
  }
}

function describe(text: string | undefined): string {
  return text === undefined ? 'nothing' : `"${text.slice(0, 40)}"`;
}
