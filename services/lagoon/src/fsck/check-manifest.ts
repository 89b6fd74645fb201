import { fromBinary } from '@bufbuild/protobuf';
import {
  type BodyReference,
  IdempotencyPartSchema,
  type Manifest,
  ManifestPartSchema,
  ManifestSchema,
  type SegmentReference,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { checkReferenced, readReferenced } from './check-object.ts';
import type { FsckRun } from './report.ts';

/** Verifies a manifest's body, its accounting, and every object that it names. Undefined where it cannot be read. */
export async function checkManifestBody(
  run: FsckRun,
  reference: BodyReference | undefined,
  within: string,
): Promise<Manifest | undefined> {
  const bytes = await readReferenced(run, reference, within);
  if (bytes === undefined || reference === undefined) return undefined;
  const { key } = reference;
  const manifest = decodeOr(() => fromBinary(ManifestSchema, bytes));
  if (manifest === undefined) {
    run.report(key, 'does not decode as a manifest');
    return undefined;
  }
  run.counts.manifests++;
  const segments = await segmentsOf(run, key, manifest);
  if (segments !== undefined) {
    for (const problem of accountingProblems(manifest, segments)) run.report(key, problem);
    for (const segment of segments) await checkSegment(run, key, segment);
  }
  for (const part of manifest.idempotencyParts) {
    await checkReferenced(run, part.object, key, (found) =>
      decodeOr(() => fromBinary(IdempotencyPartSchema, found)) === undefined
        ? 'does not decode as a part of the idempotency table'
        : undefined,
    );
  }
  return manifest;
}

/** Those in parts of their own, then its own. Undefined where one of them cannot be read. */
async function segmentsOf(run: FsckRun, key: string, manifest: Manifest): Promise<SegmentReference[] | undefined> {
  const segments: SegmentReference[] = [];
  let isWhole = true;
  for (const { object, segmentCount } of manifest.parts) {
    const bytes = await readReferenced(run, object, key);
    const part = bytes === undefined ? undefined : decodeOr(() => fromBinary(ManifestPartSchema, bytes));
    if (bytes !== undefined && part?.segments.length !== segmentCount) {
      run.report(object?.key ?? key, 'is not the part of a manifest that is named');
    }
    if (part === undefined) isWhole = false;
    else segments.push(...part.segments);
  }
  return isWhole ? segments.concat(manifest.segments) : undefined;
}

function accountingProblems({ rows }: Manifest, segments: readonly SegmentReference[]): string[] {
  if (rows === undefined) return ['has no row accounting'];
  const problems: string[] = [];
  if (rows.added - rows.superseded - rows.deleted !== rows.live) {
    problems.push(`rows do not balance: ${rows.added} - ${rows.superseded} - ${rows.deleted} is not ${rows.live}`);
  }
  const live = segments.reduce((sum, segment) => sum + segment.liveRowCount, 0n);
  if (live !== rows.live) problems.push(`segments hold ${live} live rows, the accounting ${rows.live}`);
  return problems;
}

async function checkSegment(run: FsckRun, within: string, segment: SegmentReference): Promise<void> {
  await checkReferenced(run, segment.object, within);
  const dead = Number(segment.rowCount - segment.liveRowCount);
  const key = segment.object?.key ?? '';
  const place = segment.deleteVector?.place;
  if (place === undefined) {
    if (dead !== 0) run.report(within, `names ${dead} dead rows of ${key} without a delete vector`);
    return;
  }
  if (place.case === 'inline') {
    if (countOnes(place.value) !== dead) run.report(within, `holds a delete vector of ${key} with another count`);
    return;
  }
  await checkReferenced(run, place.value, within, (bytes) => {
    const found = bytes.byteLength < 12 ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
    return found === dead ? undefined : `holds ${found} dead rows, its manifest says ${dead}`;
  });
}

function countOnes(bitmap: Uint8Array): number {
  let count = 0;
  for (let byte of bitmap) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}

function decodeOr<M>(read: () => M): M | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
