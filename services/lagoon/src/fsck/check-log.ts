import { fromBinary } from '@bufbuild/protobuf';
import { equalBytes } from '@lagoon/base';
import { catalogKey, type DecodedEntry, decodeEntry, familyKey, floorKey, headKey, logKey } from '@lagoon/namespace';
import { type BatchEntry, HeadSchema, type Instant } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { checkManifestBody } from './check-manifest.ts';
import { checkReferenced, readIntact } from './check-object.ts';
import type { FsckRun, LivingName } from './report.ts';

/** The generations of one name, from its keys. */
export interface NameKeys {
  readonly name: string;
  /** Ascending. */
  readonly floors: readonly number[];
  readonly generations: readonly number[];
}

/** Walks one log from right above its floor to its head: chain, checksums, rules of lives, and everything that its entries need. */
export async function checkLog(run: FsckRun, keys: NameKeys): Promise<LivingName | undefined> {
  const { name } = keys;
  const floor = keys.floors.at(-1) ?? 0;
  const head = keys.generations.at(-1) ?? 0;
  if (floor > 0) run.reached.add(floorKey(name, floor));
  const state: State = { run, name, live: undefined, before: undefined };
  for (let generation = floor + 1; generation <= head; generation++) {
    const entry = await readEntry(run, name, generation);
    if (entry === undefined) continue;
    checkChain(state, generation, entry);
    await checkEntry(state, generation, entry, floor);
    state.before = { generation, entry };
  }
  if (floor > 0 && head <= floor) run.report(logKey(name, floor + 1), 'is missing, right above the floor');
  await checkHint(run, name, head);
  return state.live === undefined ? undefined : await living(state, state.live);
}

/** A hint may be behind, and may be lost; but nothing writes one that is ahead of its log, which may have grown since it was listed. */
async function checkHint(run: FsckRun, name: string, head: number): Promise<void> {
  const key = headKey(name);
  if (!run.inventory.has(key)) return;
  const object = await run.store.get(key, undefined, run.signal);
  if (object === undefined) return;
  const generation = generationOf(object.bytes);
  if (generation === undefined) {
    run.report(key, 'does not decode (--repair writes it again)');
    return;
  }
  if (generation <= head) return;
  const known = await run.store.get(logKey(name, generation), undefined, run.signal);
  if (known === undefined) run.report(logKey(name, head + 1), `is missing: the head hint knows ${generation}`);
}

function generationOf(hint: Uint8Array): number | undefined {
  try {
    const generation = Number(fromBinary(HeadSchema, hint).generation);
    return Number.isSafeInteger(generation) ? generation : undefined;
  } catch {
    return undefined;
  }
}

interface State {
  readonly run: FsckRun;
  readonly name: string;
  live: { readonly incarnation: string; readonly family: string } | undefined;
  before: { readonly generation: number; readonly entry: DecodedEntry } | undefined;
}

async function living({ run, name }: State, live: { readonly incarnation: string }): Promise<LivingName> {
  const marker = catalogKey(name, live.incarnation);
  const hint = headKey(name);
  run.reached.add(marker);
  run.reached.add(hint);
  // Markers are listed before logs, so a name that was born between the two is looked for by itself.
  const isListed = run.inventory.has(marker) || (await run.store.get(marker, undefined, run.signal)) !== undefined;
  if (!isListed) run.report(marker, 'is missing: a name that lives is not listed (--repair writes it)');
  return { name, incarnation: live.incarnation, isListed, hasHint: run.inventory.has(hint) };
}

async function readEntry(run: FsckRun, name: string, generation: number): Promise<DecodedEntry | undefined> {
  const key = logKey(name, generation);
  let decoded: DecodedEntry | undefined;
  await readIntact(run, key, (bytes) => {
    try {
      decoded = decodeEntry(key, bytes);
      return true;
    } catch {
      return false;
    }
  });
  if (decoded !== undefined) run.counts.entries++;
  return decoded;
}

function checkChain({ run, name, before }: State, generation: number, entry: DecodedEntry): void {
  const { previousHash, previousCommitId } = entry.header;
  if (generation === 1 && previousHash.byteLength > 0)
    run.report(logKey(name, 1), 'is the first and names another before');
  if (before?.generation !== generation - 1) return;
  const { hash, header } = before.entry;
  if (!equalBytes(previousHash, hash) || previousCommitId !== header.commitId) {
    run.report(logKey(name, generation), 'does not chain to the entry before');
  }
}

async function checkEntry(state: State, generation: number, entry: DecodedEntry, floor: number): Promise<void> {
  const { run, name, live } = state;
  const { header } = entry;
  const key = logKey(name, generation);
  const isFirst = generation === floor + 1;
  const isKnown = !isFirst || floor === 0;
  const mustLive = () => {
    if (isKnown && live?.incarnation !== header.incarnation)
      run.report(key, 'changes an incarnation that does not live');
  };
  switch (header.kind.case) {
    case 'birth': {
      if (live !== undefined) run.report(key, 'is a birth while the name lives');
      const { family, batch, origin } = header.kind.value;
      state.live = { incarnation: header.incarnation, family };
      await checkBatch(run, key, batch);
      if (origin !== undefined) await checkInstant(run, origin, key, 'required');
      break;
    }
    case 'batch':
      mustLive();
      if (isFirst && floor > 0) run.report(key, 'is a batch, right above the floor');
      await checkBatch(run, key, header.kind.value);
      break;
    case 'manifest': {
      const message = header.kind.value;
      if (message.incarnation !== header.incarnation) break; // readers ignore it
      mustLive();
      const manifest = await checkManifestBody(run, message.body, key);
      if (manifest === undefined) {
        run.lostManifests.add(name);
        break;
      }
      state.live = { incarnation: manifest.incarnation, family: manifest.family };
      if (manifest.indexedThrough !== message.indexedThrough) run.report(key, 'and its body differ in what is indexed');
      if (isFirst) await checkTail(run, name, Number(manifest.indexedThrough) + 1, generation, entry);
      const isConsumed = manifest.indexedThrough >= manifest.birthGeneration;
      if (manifest.origin !== undefined && !isConsumed) await checkInstant(run, manifest.origin, key, 'required');
      break;
    }
    case 'truncate':
      mustLive();
      state.live = undefined;
      break;
    case 'aborted':
      if (isFirst && floor > 0) run.report(key, 'is a burnt number, right above the floor');
      break;
    default:
      run.report(key, 'is of an unknown kind');
  }
  if (state.live !== undefined) run.reached.add(familyKey(state.live.family, state.live.incarnation));
}

async function checkBatch(run: FsckRun, key: string, batch: BatchEntry | undefined): Promise<void> {
  if (batch?.body !== undefined) await checkReferenced(run, batch.body, key);
}

/** The entries behind a manifest's `indexedThrough` lie below the floor, and are needed: back from the first above it. */
async function checkTail(
  run: FsckRun,
  name: string,
  first: number,
  generation: number,
  entry: DecodedEntry,
): Promise<void> {
  await checkRange(run, { name, first, last: generation - 1, hashLast: entry.header.previousHash });
}

interface Range {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  readonly hashLast: Uint8Array;
}

async function checkRange(run: FsckRun, { name, first, last, hashLast }: Range): Promise<void> {
  let expected = hashLast;
  for (let generation = last; generation >= first; generation--) {
    const entry = await readEntry(run, name, generation);
    if (entry === undefined) return;
    const key = logKey(name, generation);
    if (!equalBytes(entry.hash, expected)) run.report(key, 'is not the entry that is needed below the floor');
    expected = entry.header.previousHash;
    const { kind } = entry.header;
    if (kind.case === 'batch') await checkBatch(run, key, kind.value);
    if (kind.case === 'birth') await checkBatch(run, key, kind.value.batch);
  }
}

/** Everything that an instant names. One that nobody relies on yet may name what is gone: it is reached, not verified. */
export async function checkInstant(
  run: FsckRun,
  instant: Instant,
  within: string,
  standing: 'required' | 'unproven',
): Promise<void> {
  const body = instant.manifestBody;
  if (standing === 'unproven' && body !== undefined && !run.inventory.has(body.key)) return;
  if (body !== undefined) await checkManifestBody(run, body, within);
  for (const range of instant.tail) {
    const name = range.namespace;
    const first = Number(range.generationFirst);
    const last = Number(range.generationLast);
    if (standing === 'unproven' && !run.inventory.has(logKey(name, last))) continue;
    await checkRange(run, { name, first, last, hashLast: range.hashLast });
  }
}
