import { mapBounded } from '@lagoon/base';
import {
  type BodyDeps,
  type BodyPlace,
  expireIdempotencyParts,
  type IdempotencyPartReference,
  type IdempotencyRecord,
  isOldByAnyClock,
  type Manifest,
  readIdempotencyPart,
  writeIdempotencyPart,
} from '@lagoon/namespace';
import type { PartSightings } from './part-sightings.ts';

export interface RecordOptions {
  readonly keepMs: number;
  /** More parts than this are rewritten as one per window of time. */
  readonly partCountMax: number;
}

export interface RecordDeps extends BodyDeps {
  readonly sightings: PartSightings;
}

/**
 * A part is rewritten only together with those first seen in the same quarter of the keep time: one that took in new records over and over
 * would never have been seen for long enough to expire.
 */
const windowsPerKeepTime = 4;
const readConcurrencyMax = 4;

/** The manifest without expired parts, and with `records`, which leave the tail, in a part. */
export async function withRecords(
  deps: RecordDeps,
  place: BodyPlace,
  manifest: Manifest,
  records: readonly IdempotencyRecord[],
  options: RecordOptions,
  signal?: AbortSignal,
): Promise<Manifest> {
  const current = expireIdempotencyParts(manifest, deps.sightings.isExpired);
  const nowMs = deps.clock.monotonicMs();
  if (current.idempotencyParts.length < options.partCountMax) {
    const part = await writePart(deps, place, records, nowMs, signal);
    return { ...current, idempotencyParts: [...current.idempotencyParts, ...part] };
  }
  const kept: IdempotencyPartReference[] = [];
  const dropped: IdempotencyPartReference[] = [];
  for (const window of windowsOf(deps.sightings, current.idempotencyParts, options.keepMs, nowMs)) {
    const own = window.isOpen ? records : [];
    if (window.parts.length + Math.min(1, own.length) < 2) {
      kept.push(...window.parts, ...(await writePart(deps, place, own, nowMs, signal)));
      continue;
    }
    const earlier = await mapBounded(
      window.parts,
      readConcurrencyMax,
      (part, _, inner) => readIdempotencyPart(deps.store, place.name, part, inner),
      signal,
    );
    const wallMs = deps.clock.wallMs();
    const young = earlier.flat().filter((record) => !isOldByAnyClock(record.writtenAtMs, wallMs, options.keepMs));
    const sinceMs = own.length > 0 ? nowMs : Math.max(...window.parts.map(deps.sightings.sinceMs));
    kept.push(...(await writePart(deps, place, [...young, ...own], sinceMs, signal)));
    dropped.push(...window.parts);
  }
  const obsolete = dropped.map(({ object }) => ({
    key: object.key,
    obsoleteSinceGeneration: manifest.generation,
  }));
  return { ...current, idempotencyParts: kept, obsolete: [...current.obsolete, ...obsolete] };
}

interface Window {
  /** Whether it is the present one, which new records belong to. */
  readonly isOpen: boolean;
  readonly parts: IdempotencyPartReference[];
}

/** From the oldest to the present one, which is always there. */
function windowsOf(
  sightings: PartSightings,
  parts: readonly IdempotencyPartReference[],
  keepMs: number,
  nowMs: number,
): Window[] {
  const windowOf = (atMs: number) => Math.floor((atMs * windowsPerKeepTime) / keepMs);
  const open = windowOf(nowMs);
  const windows = new Map<number, Window>();
  const at = (number: number): Window => {
    const window = windows.get(number) ?? { isOpen: number === open, parts: [] };
    windows.set(number, window);
    return window;
  };
  for (const part of parts) at(windowOf(sightings.sinceMs(part))).parts.push(part);
  at(open);
  return [...windows].sort(([a], [b]) => a - b).map(([, window]) => window);
}

/** No part where there is nothing to keep. */
async function writePart(
  deps: RecordDeps,
  place: BodyPlace,
  records: readonly IdempotencyRecord[],
  sinceMs: number,
  signal?: AbortSignal,
): Promise<readonly IdempotencyPartReference[]> {
  const part = await writeIdempotencyPart(deps, place, records, signal);
  if (part === undefined) return [];
  deps.sightings.made(part, sinceMs);
  return [part];
}
