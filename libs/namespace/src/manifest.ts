import { assert, corrupt, type ErrorContext } from '@lagoon/base';
import { isRangeOf, type Schema } from '@lagoon/format';
import { defaultSettings, type NamespaceSettings } from './settings.ts';
import type {
  DeleteVectorReference,
  IdempotencyPartReference,
  Manifest,
  ObsoleteObject,
  RowAccounting,
  SegmentReference,
} from './view.ts';

/**
 * Pure edits manifest → manifest, and what holds of every manifest:
 *
 * - rows: added − superseded − deleted = live, none negative; live = the sum over the segments;
 * - a segment: 0 ≤ live ≤ rows; live < rows only with a delete vector, which has one bit per row;
 * - generations: birth − 1 ≤ indexed_through; a segment's first ≤ last ≤ indexed_through; segments ascend by last;
 * - an origin is in use only while indexed_through is before the birth; what was inherited is from the generation before the birth;
 * - no key is named twice, and nothing that is obsolete is named.
 *
 * Parts of a manifest that is being edited are those of the one before; whoever commits it lays it out anew.
 *
 * They are checked before a commit and after every read.
 */
export const recentCommitIdCountMax = 64;
/** Whoever revokes jobs waits while there are as many. */
export const revocationCountMax = 10_000;
export const segmentCountMax = 1_000_000;

/** What an index job did: rows of the tail up to `indexedThrough` are in segments now. */
export interface IndexEdit {
  readonly indexedThrough: number;
  /** As of `indexedThrough`. */
  readonly schema: Schema;
  readonly settings: NamespaceSettings;
  readonly segmentsAdded: readonly SegmentReference[];
  /** By the key of an older segment: its new delete vector and what is left alive. One with no live row is dropped. */
  readonly deleted: ReadonlyMap<string, SegmentDeletes>;
  /** What the indexed batches did to the counts. */
  readonly rows: Omit<RowAccounting, 'live'>;
  readonly idempotencyPart?: IdempotencyPartReference;
  readonly lastWriteAtMs: number;
}

export interface SegmentDeletes {
  readonly deleteVector: DeleteVectorReference;
  readonly liveRowCount: number;
  readonly logicalBytes: number;
}

/** The manifest of an incarnation before its first index job; everything since the birth is tail. */
export function emptyManifest(
  birth: Pick<Manifest, 'incarnation' | 'family' | 'birthGeneration' | 'schema' | 'createdAtMs'>,
): Manifest {
  return {
    ...birth,
    generation: 0,
    settings: defaultSettings,
    indexedThrough: birth.birthGeneration - 1,
    segments: [],
    rows: { added: 0, superseded: 0, deleted: 0, live: 0 },
    recentCommitIds: [],
    idempotencyParts: [],
    obsolete: [],
    revocations: [],
    lastWriteAtMs: birth.createdAtMs,
  };
}

export function applyIndexEdit(manifest: Manifest, edit: IndexEdit): Manifest {
  assert(edit.indexedThrough > manifest.indexedThrough, 'an index job moves indexed_through on');
  const kept: SegmentReference[] = [];
  const obsolete: ObsoleteObject[] = [];
  const drop = (key: string) => obsolete.push({ key, obsoleteSinceGeneration: manifest.generation });
  for (const segment of manifest.segments) {
    const deletes = edit.deleted.get(segment.object.key);
    if (deletes !== undefined && segment.deleteVector?.kind === 'object') drop(segment.deleteVector.object.key);
    if (deletes?.liveRowCount === 0) drop(segment.object.key);
    else kept.push(deletes === undefined ? segment : { ...segment, ...deletes });
  }
  for (const key of edit.deleted.keys()) {
    assert(
      manifest.segments.some((segment) => segment.object.key === key),
      'deletes of a segment that is named',
    );
  }
  return {
    ...manifest,
    schema: edit.schema,
    settings: edit.settings,
    indexedThrough: edit.indexedThrough,
    segments: [...kept, ...edit.segmentsAdded],
    rows: addRows(manifest.rows, edit.rows),
    idempotencyParts: [
      ...manifest.idempotencyParts,
      ...(edit.idempotencyPart === undefined ? [] : [edit.idempotencyPart]),
    ],
    obsolete: [...manifest.obsolete, ...obsolete],
    lastWriteAtMs: Math.max(manifest.lastWriteAtMs, edit.lastWriteAtMs),
    ...consumedOrigin(manifest, edit.indexedThrough),
  };
}

/** The inherited tail is part of the batch at the birth: whoever has indexed that needs nothing of it any more. */
function consumedOrigin(manifest: Manifest, indexedThrough: number): Pick<Manifest, 'origin'> {
  if (manifest.origin === undefined || indexedThrough < manifest.birthGeneration) return {};
  return { origin: { ...manifest.origin, manifestBody: undefined, tail: [] } };
}

/** Drops the parts of the idempotency table that have expired: `isExpired` knows for how long they were seen. */
export function expireIdempotencyParts(
  manifest: Manifest,
  isExpired: (part: IdempotencyPartReference) => boolean,
): Manifest {
  const expired = manifest.idempotencyParts.filter(isExpired);
  if (expired.length === 0) return manifest;
  return {
    ...manifest,
    idempotencyParts: manifest.idempotencyParts.filter((part) => !expired.includes(part)),
    obsolete: [
      ...manifest.obsolete,
      ...expired.map((part) => ({ key: part.object.key, obsoleteSinceGeneration: manifest.generation })),
    ],
  };
}

/** The manifest as commit `commitId` writes it: the id is the newest of the bounded list. */
export function withCommitId(manifest: Manifest, commitId: string): Manifest {
  return { ...manifest, recentCommitIds: [...manifest.recentCommitIds, commitId].slice(-recentCommitIdCountMax) };
}

/** Throws `corrupt` naming the invariant that does not hold. */
export function checkManifest(manifest: Manifest): void {
  const context: ErrorContext = { incarnation: manifest.incarnation, generation: manifest.generation };
  const must = (holds: boolean, what: string, more: ErrorContext = {}) => {
    if (!holds) throw corrupt(`manifest: ${what}`, { ...context, ...more });
  };
  must(manifest.birthGeneration >= 1, 'no generation of birth');
  must(manifest.indexedThrough >= manifest.birthGeneration - 1, 'indexed_through before the birth');
  must(manifest.segments.length <= segmentCountMax, 'too many segments', { count: manifest.segments.length });
  must(manifest.recentCommitIds.length <= recentCommitIdCountMax, 'too many recent commit ids');
  must(manifest.revocations.length <= revocationCountMax, 'too many revocations');
  const { added, superseded, deleted, live } = manifest.rows;
  must(Math.min(added, superseded, deleted, live) >= 0, 'a negative row count');
  must(added - superseded - deleted === live, 'row accounting does not balance', { added, superseded, deleted, live });
  checkOrigin(manifest, must);
  // What was inherited is from before the birth.
  const generationMin = manifest.birthGeneration - (manifest.origin === undefined ? 0 : 1);
  let lastGeneration = 0;
  let liveInSegments = 0;
  for (const segment of manifest.segments) {
    checkSegment(segment, must);
    const key = segment.object.key;
    must(segment.generationFirst >= generationMin, 'a segment from before the birth', { key });
    must(segment.generationLast <= manifest.indexedThrough, 'a segment from behind indexed_through', { key });
    must(segment.generationLast >= lastGeneration, 'segments do not ascend', { key });
    lastGeneration = segment.generationLast;
    liveInSegments += segment.liveRowCount;
  }
  must(liveInSegments === live, 'live rows of the segments differ from the accounting', { liveInSegments, live });
  checkKeys(manifest, must);
}

/** A reader takes it along whatever it wants of the segment. */
const footerLeadBytesMax = 4 << 20;

type Must = (holds: boolean, what: string, more?: ErrorContext) => void;

function checkSegment(segment: SegmentReference, must: Must): void {
  const { rowCount, liveRowCount, deleteVector } = segment;
  const more = { key: segment.object.key, rowCount, liveRowCount };
  must(rowCount > 0 && liveRowCount >= 0 && liveRowCount <= rowCount, 'row counts of a segment', more);
  must(segment.generationFirst <= segment.generationLast, 'generations of a segment', more);
  const { footer, object } = segment;
  must(footer === undefined || footer.offset + footer.size <= object.size, 'a footer behind its segment', more);
  const lead = footer?.lead ?? 0;
  must(lead <= footerLeadBytesMax && lead <= (footer?.offset ?? 0), 'what lies before a footer', more);
  for (const range of segment.attributeRanges ?? []) {
    must(isRangeOf(range, rowCount), 'a range of an attribute', { ...more, attribute: range.name });
  }
  must(deleteVector !== undefined || liveRowCount === rowCount, 'dead rows without a delete vector', more);
  if (deleteVector?.kind !== 'inline') return;
  must(deleteVector.bitmap.byteLength === Math.ceil(rowCount / 8), 'size of a delete vector', more);
  must(countOnes(deleteVector.bitmap) === rowCount - liveRowCount, 'a delete vector of another count', more);
}

function checkOrigin({ origin, indexedThrough, birthGeneration }: Manifest, must: Must): void {
  if (origin === undefined || indexedThrough < birthGeneration) return;
  must(origin.tail.length === 0 && origin.manifestBody === undefined, 'names what it has consumed');
}

function checkKeys(manifest: Manifest, must: Must): void {
  const named = namedKeys(manifest);
  const distinct = new Set(named);
  must(distinct.size === named.length, 'a key is named twice');
  for (const { key } of manifest.obsolete) must(!distinct.has(key), 'an obsolete object is named', { key });
}

/** Every object that readers of the manifest may ask for. */
export function namedKeys(manifest: Manifest): string[] {
  const keys: string[] = [];
  for (const segment of manifest.segments) {
    keys.push(segment.object.key);
    if (segment.deleteVector?.kind === 'object') keys.push(segment.deleteVector.object.key);
  }
  for (const part of manifest.idempotencyParts) keys.push(part.object.key);
  for (const part of manifest.parts ?? []) keys.push(part.object.key);
  return keys;
}

function addRows(before: RowAccounting, change: Omit<RowAccounting, 'live'>): RowAccounting {
  const added = before.added + change.added;
  const superseded = before.superseded + change.superseded;
  const deleted = before.deleted + change.deleted;
  return { added, superseded, deleted, live: added - superseded - deleted };
}

function countOnes(bitmap: Uint8Array): number {
  let count = 0;
  for (let byte of bitmap) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}
