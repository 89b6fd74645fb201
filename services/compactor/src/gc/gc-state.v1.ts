import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { corrupt, crc32, LagoonError, utf8Encode } from '@lagoon/base';
import { gcStateKey } from '@lagoon/namespace';
import { GcStateSchema, type GcState as StoredState } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import type { Settled } from './collector.ts';

/**
 * What one process leaves to the next: when everything was listed, what was settled then, what was not. Byte table in
 * docs/formats/gc-state.v1.md. Losing it costs one look at every name; a wrong one could delay deletions, so it has a checksum.
 */
export interface GcState {
  /** Store time. */
  readonly sweptAtMs: number;
  readonly settled: ReadonlyMap<string, Settled>;
  readonly openNames: Iterable<string>;
  readonly openFamilies: Iterable<string>;
}

const magic = utf8Encode('LGGC');
const version = 1;
const headerBytes = 12;

export function encodeGcState(state: GcState): Uint8Array {
  const message = create(GcStateSchema, {
    sweptAtMs: BigInt(Math.max(0, Math.round(state.sweptAtMs))),
    settled: [...state.settled].map(([name, { print, families }]) => ({
      name,
      print,
      families: [...families.keys()],
      familyPrints: [...families.values()],
    })),
    openNames: [...state.openNames],
    openFamilies: [...state.openFamilies],
  });
  const payload = toBinary(GcStateSchema, message);
  const bytes = new Uint8Array(headerBytes + payload.byteLength);
  bytes.set(magic);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, version, true);
  view.setUint32(8, crc32(payload), true);
  bytes.set(payload, headerBytes);
  return bytes;
}

/** Throws `corrupt`, also for another version. */
export function decodeGcState(bytes: Uint8Array): GcState {
  const key = gcStateKey;
  if (bytes.byteLength < headerBytes) throw corrupt('garbage collection state is cut off', { key });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const payload = bytes.subarray(headerBytes);
  const isOurs = magic.every((byte, index) => bytes[index] === byte) && view.getUint32(4, true) === version;
  if (!isOurs || view.getUint32(8, true) !== crc32(payload)) throw corrupt('not a garbage collection state', { key });
  const stored = decodePayload(payload);
  const settled = stored.settled.map(({ name, print, families, familyPrints }): [string, Settled] => {
    if (families.length !== familyPrints.length) throw corrupt('fingerprints of other families', { key });
    return [name, { print, families: new Map(families.map((family, index) => [family, familyPrints[index] ?? 0])) }];
  });
  return {
    sweptAtMs: Number(stored.sweptAtMs),
    settled: new Map(settled),
    openNames: stored.openNames,
    openFamilies: stored.openFamilies,
  };
}

function decodePayload(payload: Uint8Array): StoredState {
  try {
    return fromBinary(GcStateSchema, payload);
  } catch (cause) {
    throw new LagoonError('corrupt', 'garbage collection state does not decode', {
      context: { key: gcStateKey },
      cause,
    });
  }
}
