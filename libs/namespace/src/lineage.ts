import { invalidArgument, LagoonError } from '@lagoon/base';
import { type BirthOutcome, bear } from './bear.ts';
import { createLogContext, type NamespaceLogDeps } from './context.ts';
import { findInstant, throwIfGone } from './find-instant.ts';
import { readInstantManifest, readTail } from './inheritance.ts';
import { type PinKey, pinsPrefix } from './keys.ts';
import { checkNamespaceName } from './name-escape.ts';
import type { Pin } from './pin-codec.ts';
import {
  deleteSnapshot,
  findSnapshot,
  leaseName,
  listConfirmed,
  listSnapshots,
  readPin,
  removePin,
  type Snapshot,
  snapshotCountMax,
  writePin,
} from './pins.ts';
import type { IdempotencyRecord, Instant, Manifest, NamespaceView } from './view.ts';

/**
 * Branches, snapshots, restores and leases: instants of one namespace that outlive what happens to it (README). Stateless.
 * Each costs at most eight store requests, whatever the namespace holds.
 */
export interface Lineage {
  /**
   * Gives the child's name an incarnation that begins as the source at a generation, or at its newest. `view` is what the caller knows of
   * the child, and must be dropped afterwards. `not_found` where the source does not live then, `gone` where the generation is not retained.
   */
  branch(child: Heir, source: string, generation: number | undefined, signal?: AbortSignal): Promise<BirthOutcome>;
  /** As `branch`, from a snapshot of the source, which may have ended. `gone` where the snapshot is deleted meanwhile. */
  restore(child: Heir, source: string, snapshot: string, signal?: AbortSignal): Promise<BirthOutcome>;
  /** `conflict` where the name is taken. */
  createSnapshot(
    namespace: string,
    name: string,
    generation: number | undefined,
    signal?: AbortSignal,
  ): Promise<Snapshot>;
  listSnapshots(namespace: string, signal?: AbortSignal): Promise<readonly Snapshot[]>;
  deleteSnapshot(namespace: string, name: string, signal?: AbortSignal): Promise<void>;
  /** Pins the newest generation for a read that may take long; gives what reads it again. */
  lease(namespace: string, signal?: AbortSignal): Promise<Snapshot>;
  /** `gone` where the lease is over. */
  readLease(namespace: string, random: string, signal?: AbortSignal): Promise<Pin>;
  /** Best effort. */
  endLease(namespace: string, random: string): Promise<void>;
  /** Everything that the instant holds: segments by the manifest (undefined: none), then the parts of the tail, in order. */
  readInstant(instant: Instant, signal?: AbortSignal): Promise<InstantContent>;
}

export interface Heir {
  readonly name: string;
  readonly view: NamespaceView | undefined;
  readonly idempotency: readonly Omit<IdempotencyRecord, 'generation'>[];
}

export interface InstantContent {
  readonly manifest: Manifest | undefined;
  readonly schema: Manifest['schema'];
  readonly parts: readonly Uint8Array[];
}

export function createLineage(deps: NamespaceLogDeps): Lineage {
  const context = createLogContext(deps);
  return {
    branch: (child, source, generation, signal) => {
      checkNamespaceName(source);
      return bear(
        context,
        {
          ...child,
          find: (inner) => findInstant(context, source, generation, inner),
          confirm: (instant, inner) => throwIfGone(context, source, instant.generation, inner),
        },
        signal,
      );
    },

    restore: async (child, source, name, signal) => {
      checkSnapshotName(name);
      const pin = await findSnapshot(context, source, name, signal);
      const key = { name: source, pin: name, random: pin.random, ok: false };
      return bear(
        context,
        {
          ...child,
          find: async () => pin.instant,
          // Instead of the floor: the very same pin, read again after the record was written.
          confirm: async (_, inner) => {
            if ((await readPin(context, key, inner)) === undefined) throw pinGone(source, name);
          },
        },
        signal,
      );
    },

    createSnapshot: async (namespace, name, generation, signal) => {
      checkSnapshotName(name);
      const instant = await findInstant(context, namespace, generation, signal);
      checkFree(await listConfirmed(context, pinsPrefix(namespace), signal), namespace, name);
      return writePin(context, 'snapshot', name, instant, signal);
    },

    listSnapshots: (namespace, signal) => {
      checkNamespaceName(namespace);
      return listSnapshots(context, namespace, signal);
    },

    deleteSnapshot: async (namespace, name, signal) => {
      checkNamespaceName(namespace);
      checkSnapshotName(name);
      await deleteSnapshot(context, namespace, name, signal);
    },

    lease: async (namespace, signal) => {
      const instant = await findInstant(context, namespace, undefined, signal);
      return writePin(context, 'lease', leaseName, instant, signal);
    },

    readLease: async (namespace, random, signal) => {
      const pin = await readPin(context, { name: namespace, pin: leaseName, random, ok: false }, signal);
      if (pin === undefined) throw pinGone(namespace, leaseName);
      return pin;
    },

    endLease: (namespace, random) => removePin(context, { name: namespace, pin: leaseName, random, ok: false }),

    readInstant: async (instant, signal) => {
      const manifest = await readInstantManifest(context, instant, signal);
      const tail = await readTail(context.store, instant.tail, signal);
      const schema = tail.schema ?? manifest?.schema;
      if (schema === undefined) {
        throw new LagoonError('corrupt', 'an instant without a schema', { context: { namespace: instant.namespace } });
      }
      return { manifest, schema, parts: tail.parts };
    },
  };
}

function checkFree(present: readonly PinKey[], namespace: string, name: string): void {
  if (present.some((key) => key.pin === name)) {
    throw new LagoonError('conflict', 'a snapshot of this name exists', { context: { namespace, snapshot: name } });
  }
  if (present.length < snapshotCountMax) return;
  throw new LagoonError('conflict', 'the namespace has as many snapshots as it may', {
    context: { namespace, countMax: snapshotCountMax },
  });
}

/** As a namespace's; throws `invalid_argument`. */
function checkSnapshotName(name: string): void {
  if (name === leaseName) throw invalidArgument('this name is reserved', { snapshot: name });
  try {
    checkNamespaceName(name);
  } catch {
    throw invalidArgument('a snapshot name has 1 to 128 characters of A-Z a-z 0-9 - _ .', { name: name.slice(0, 200) });
  }
}

function pinGone(namespace: string, snapshot: string): LagoonError {
  return new LagoonError('not_found', 'the snapshot is gone', { reason: 'gone', context: { namespace, snapshot } });
}
