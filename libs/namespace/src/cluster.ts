import { create, fromJsonString, toJson } from '@bufbuild/protobuf';
import { type Clock, createRandomId, LagoonError, type Random, utf8Decode, utf8Encode } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import {
  type ClusterDescription,
  ClusterDescriptionSchema,
  StoreCertificateSchema,
  StoreCheckResultSchema,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { clusterKey } from './keys.ts';
import { toSafeNumber } from './proto-number.ts';

/** What lagoon.json says (docs/formats/lagoon-json.v1.md). */
export interface Cluster {
  readonly formatVersion: number;
  readonly clusterId: string;
  readonly certificate: Certificate | undefined;
}

/** That a store was found to keep its word. */
export interface Certificate {
  readonly storeUrl: string;
  readonly checkedAtMs: number;
  readonly checks: readonly { readonly name: string; readonly passed: boolean; readonly detail: string }[];
}

export interface ClusterDeps {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
}

export const clusterFormatVersion = 1;
const attemptCountMax = 5;

/** Reads lagoon.json, or creates it where there is none. Refuses what a newer Lagoon wrote. */
export async function openCluster(deps: ClusterDeps, signal?: AbortSignal): Promise<Cluster> {
  let cause: unknown;
  for (let attempt = 0; attempt < attemptCountMax; attempt++) {
    if (attempt > 0) await deps.clock.sleep(50 * 2 ** attempt, signal);
    const present = await readCluster(deps.store, signal);
    if (present !== undefined) return present;
    const fresh = {
      formatVersion: clusterFormatVersion,
      clusterId: createRandomId(deps.random),
      certificate: undefined,
    };
    const result = await deps.store.create(clusterKey, encodeCluster(fresh), signal);
    if (result.outcome === 'created') return fresh;
    if (result.outcome === 'unknown') cause = result.cause;
  }
  throw new LagoonError('unavailable', 'lagoon.json can be neither read nor created', { cause });
}

/** Undefined where there is none. */
export async function readCluster(store: ObjectStore, signal?: AbortSignal): Promise<Cluster | undefined> {
  const object = await store.get(clusterKey, undefined, signal);
  return object === undefined ? undefined : decodeCluster(object.bytes);
}

/** Records the certificate; two processes that start at once write the same thing. */
export async function recordCertificate(
  store: ObjectStore,
  cluster: Cluster,
  certificate: Certificate,
  signal?: AbortSignal,
): Promise<Cluster> {
  const certified = { ...cluster, certificate };
  await store.put(clusterKey, encodeCluster(certified), signal);
  return certified;
}

export function encodeCluster(cluster: Cluster): Uint8Array {
  const { certificate } = cluster;
  const message = create(ClusterDescriptionSchema, {
    formatVersion: cluster.formatVersion,
    clusterId: cluster.clusterId,
    ...(certificate === undefined
      ? {}
      : {
          certificate: create(StoreCertificateSchema, {
            storeUrl: certificate.storeUrl,
            checkedAtMs: BigInt(Math.round(certificate.checkedAtMs)),
            checks: certificate.checks.map((check) => create(StoreCheckResultSchema, check)),
          }),
        }),
  });
  return utf8Encode(`${JSON.stringify(toJson(ClusterDescriptionSchema, message), undefined, 2)}\n`);
}

/** Throws `corrupt`, also for a newer format. */
export function decodeCluster(bytes: Uint8Array): Cluster {
  let message: ClusterDescription;
  try {
    message = fromJsonString(ClusterDescriptionSchema, utf8Decode(bytes), { ignoreUnknownFields: true });
  } catch (cause) {
    throw new LagoonError('corrupt', 'lagoon.json does not decode', { cause });
  }
  const { formatVersion, clusterId, certificate } = message;
  if (formatVersion > clusterFormatVersion) {
    throw new LagoonError('corrupt', 'the data is of a newer format: upgrade this process', {
      context: { formatVersion, formatVersionMax: clusterFormatVersion },
    });
  }
  if (formatVersion < 1 || clusterId === '') throw new LagoonError('corrupt', 'lagoon.json is not whole');
  if (certificate === undefined) return { formatVersion, clusterId, certificate: undefined };
  const checks = certificate.checks.map(({ name, passed, detail }) => ({ name, passed, detail }));
  const { storeUrl, checkedAtMs } = certificate;
  return { formatVersion, clusterId, certificate: { storeUrl, checkedAtMs: toSafeNumber(checkedAtMs), checks } };
}
