import { equalBytes, sha256 } from '@lagoon/base';
import type { BodyReference } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import type { FsckRun } from './report.ts';

/** Some damage happens on the way: what is wrong twice is wrong in the store. */
const readCountMax = 3;

/** The whole object, where it is what `isIntact` wants; reported and undefined where it is missing or damaged. */
export async function readIntact(
  run: FsckRun,
  key: string,
  isIntact: (bytes: Uint8Array) => boolean,
): Promise<Uint8Array | undefined> {
  run.reached.add(key);
  for (let readCount = 1; ; readCount++) {
    const object = await run.store.get(key, undefined, run.signal);
    if (object === undefined) {
      run.report(key, 'is missing');
      return undefined;
    }
    run.counts.bytesRead += object.bytes.byteLength;
    if (isIntact(object.bytes)) return object.bytes;
    if (readCount < readCountMax) continue;
    run.report(key, 'is damaged');
    return undefined;
  }
}

/** The bytes that a reference names, verified against its size and hash. */
export function readReferenced(
  run: FsckRun,
  reference: BodyReference | undefined,
  within: string,
): Promise<Uint8Array | undefined> {
  if (reference === undefined || reference.key === '') {
    run.report(within, 'names an object without a key');
    return Promise.resolve(undefined);
  }
  const { key, size } = reference;
  return readIntact(
    run,
    key,
    (bytes) => BigInt(bytes.byteLength) === size && equalBytes(sha256(bytes), reference.sha256),
  );
}

/** Verifies an object once, however often it is named. */
export async function checkReferenced(
  run: FsckRun,
  reference: BodyReference | undefined,
  within: string,
  check: (bytes: Uint8Array) => string | undefined = () => undefined,
): Promise<void> {
  if (reference !== undefined && run.reached.has(reference.key)) return;
  const bytes = await readReferenced(run, reference, within);
  const problem = bytes === undefined ? undefined : check(bytes);
  if (problem !== undefined && reference !== undefined) run.report(reference.key, problem);
}
