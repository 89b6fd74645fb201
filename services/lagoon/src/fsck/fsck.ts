import { fromBinary } from '@bufbuild/protobuf';
import { LagoonError } from '@lagoon/base';
import { checkSeal, logKey, parseKey } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { FamilyMemberSchema, PinSchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { checkInstant, checkLog, type NameKeys } from './check-log.ts';
import type { FsckCounts, FsckReport, FsckRun, Listed, LivingName, Orphan, Problem } from './report.ts';

/** Told after each name. */
export interface FsckProgress {
  readonly counts: Readonly<FsckCounts>;
  readonly nameCount: number;
}

const roots = ['catalog/', 'data/', 'family/', 'ns/'];
const pageCountMax = 1_000_000;

/**
 * Walks everything from the roots and verifies it, sharing no code with garbage collection but keys and decoders. Holds the list of
 * all keys in memory. Writers may go on meanwhile; what a collector removes meanwhile may be reported as missing.
 */
export async function fsck(
  store: ObjectStore,
  signal?: AbortSignal,
  onProgress: (progress: FsckProgress) => void = () => {},
): Promise<FsckReport> {
  const inventory = await takeInventory(store, signal);
  const problems: Problem[] = [];
  const run: FsckRun = {
    store,
    inventory,
    reached: new Set(),
    lostManifests: new Set(),
    counts: { names: 0, entries: 0, manifests: 0, objects: inventory.size, bytesRead: 0 },
    signal,
    report: (key, problem) => problems.push({ key, problem }),
  };
  const names = namesOf(inventory);
  const living: LivingName[] = [];
  for (const keys of names.values()) {
    run.counts.names++;
    const found = await checkLog(run, keys);
    if (found !== undefined) living.push(found);
    onProgress({ counts: run.counts, nameCount: names.size });
  }
  const pinned = new Set<string>();
  for (const key of inventory.keys()) {
    const kind = parseKey(key)?.kind;
    if (kind === 'pin') await checkPin(run, key, pinned);
    if (kind === 'family') await checkMember(run, names, key);
  }
  return {
    problems,
    orphans: orphansOf(run, names, pinned),
    living,
    lostManifests: run.lostManifests,
    counts: run.counts,
  };
}

async function takeInventory(store: ObjectStore, signal?: AbortSignal): Promise<Map<string, Listed>> {
  const inventory = new Map<string, Listed>();
  for (const prefix of roots) {
    let startAfter: string | undefined;
    for (let pageCount = 0; ; pageCount++) {
      if (pageCount >= pageCountMax) throw new LagoonError('resource_exhausted', 'too many objects to check at once');
      const page = await store.list({ prefix, ...(startAfter === undefined ? {} : { startAfter }) }, signal);
      for (const { key, size, lastModifiedMs } of page.objects) inventory.set(key, { size, lastModifiedMs });
      startAfter = page.objects.at(-1)?.key;
      if (!page.truncated || startAfter === undefined) break;
    }
  }
  return inventory;
}

function namesOf(inventory: ReadonlyMap<string, Listed>): Map<string, NameKeys> {
  const names = new Map<string, { name: string; floors: number[]; generations: number[] }>();
  for (const key of inventory.keys()) {
    const parsed = parseKey(key);
    if (parsed?.kind !== 'log' && parsed?.kind !== 'floor') continue;
    const of = names.get(parsed.name) ?? { name: parsed.name, floors: [], generations: [] };
    (parsed.kind === 'log' ? of.generations : of.floors).push(parsed.generation);
    names.set(parsed.name, of);
  }
  return names;
}

/** A confirmed pin must hold its instant; one that was never confirmed may have been refused. Adds its incarnation to `pinned`. */
async function checkPin(run: FsckRun, key: string, pinned: Set<string>): Promise<void> {
  run.reached.add(key);
  if (key.endsWith('.ok')) return;
  const object = await run.store.get(key, undefined, run.signal);
  if (object === undefined) return; // deleted meanwhile
  const pin = decodeOr(() => intact(key, object.bytes, fromBinary(PinSchema, object.bytes)));
  if (pin?.instant === undefined) return run.report(key, 'does not decode as a pin');
  pinned.add(pin.instant.incarnation);
  await checkInstant(run, pin.instant, key, run.inventory.has(`${key}.ok`) ? 'required' : 'unproven');
}

/** A birth in progress holds its instant; what was decided, one way or the other, is reached from its own log. */
async function checkMember(run: FsckRun, names: ReadonlyMap<string, NameKeys>, key: string): Promise<void> {
  const object = await run.store.get(key, undefined, run.signal);
  if (object === undefined) return; // removed meanwhile
  const member = decodeOr(() => intact(key, object.bytes, fromBinary(FamilyMemberSchema, object.bytes)));
  if (member === undefined || member.namespace === '') return run.report(key, 'does not decode as a family member');
  if (member.origin === undefined) return;
  const birth = Number(member.birthGeneration);
  const birthKey = logKey(member.namespace, birth);
  run.reached.add(birthKey); // it says that there was a birth, for as long as the record stands
  const isDecided = run.inventory.has(birthKey) || birth <= (names.get(member.namespace)?.floors.at(-1) ?? 0);
  if (isDecided) return;
  run.reached.add(key);
  await checkInstant(run, member.origin, key, 'unproven');
}

function orphansOf(
  { inventory, reached }: FsckRun,
  names: ReadonlyMap<string, NameKeys>,
  pinned: ReadonlySet<string>,
): Orphan[] {
  const orphans: Orphan[] = [];
  const needed = new Set(pinned);
  for (const key of inventory.keys()) {
    const parsed = parseKey(key);
    if (parsed?.kind === 'data' || parsed?.kind === 'body') needed.add(parsed.incarnation);
  }
  for (const [key, listed] of inventory) {
    if (reached.has(key)) continue;
    const parsed = parseKey(key);
    if (parsed?.kind === 'family' && needed.has(parsed.incarnation)) continue; // goes with the last of its objects and pins
    orphans.push({ key, ...listed, reason: reasonOf(key, names) });
  }
  return orphans;
}

function reasonOf(key: string, names: ReadonlyMap<string, NameKeys>): string {
  const parsed = parseKey(key);
  switch (parsed?.kind) {
    case 'log':
      return 'garbage: at or below the floor, and nothing names it';
    case 'floor': {
      const isLargest = names.get(parsed.name)?.floors.at(-1) === parsed.generation;
      return isLargest ? 'not garbage: the floor that counts' : 'garbage: a larger floor stands';
    }
    case 'head':
      return 'garbage: a hint of a name that does not live';
    case 'catalog':
      return 'garbage when it is a day old: a marker of what does not live';
    case 'family':
      return 'garbage: nothing of the member is left';
    case 'operation':
      return 'garbage when it is a day old: the outcome of an operation';
    case 'data':
    case 'body':
      return 'garbage when its job is revoked or its incarnation has ended: no entry above a floor names it';
    default:
      return "not Lagoon's: left alone";
  }
}

function intact<M extends { readonly checksum: number }>(key: string, bytes: Uint8Array, message: M): M {
  checkSeal(key, bytes, message.checksum);
  return message;
}

function decodeOr<M>(read: () => M): M | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
