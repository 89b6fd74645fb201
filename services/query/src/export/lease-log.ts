import { LagoonError } from '@lagoon/base';
import {
  defaultSettings,
  type Instant,
  type Lineage,
  type Manifest,
  type NamespaceEvent,
  type NamespaceLog,
  type NamespaceView,
} from '@lagoon/namespace';

/** What the engine calls a namespace as a lease holds it. No namespace has such a name. */
export function leasedName(namespace: string, lease: string): string {
  return `${namespace}/${lease}`;
}

/**
 * A log in which `<namespace>/<lease>` is a namespace that stands still at the lease's instant, so that whatever searches namespaces
 * searches it too; all other names are those of `log`.
 */
export function withLeases(log: NamespaceLog, lineage: Lineage): NamespaceLog {
  return {
    ...log,
    open: async (name, options, signal) => {
      const [namespace = '', lease] = name.split('/');
      if (lease === undefined) return await log.open(name, options, signal);
      const { instant } = await lineage.readLease(namespace, lease, signal);
      const { manifest, schema, parts } = await lineage.readInstant(instant, signal);
      const still = manifestOf(instant, lease, schema, manifest);
      const batch: NamespaceEvent = { kind: 'batch', generation: instant.generation, parts };
      return { view: viewOf(name, instant, still, schema), restarted: true, events: parts.length === 0 ? [] : [batch] };
    },
    advance: async (view, options, signal) => {
      if (!view.name.includes('/')) return await log.advance(view, options, signal);
      return { view, restarted: false, events: [] };
    },
  };
}

/** The lease stands for the incarnation: parts that lie in memory are named after that, and these are others than the namespace's. */
function manifestOf(
  instant: Instant,
  lease: string,
  schema: Manifest['schema'],
  manifest: Manifest | undefined,
): Manifest {
  return {
    incarnation: lease,
    family: instant.family,
    birthGeneration: instant.birthGeneration,
    generation: instant.generation,
    schema,
    settings: defaultSettings,
    indexedThrough: instant.generation - 1,
    segments: manifest?.segments ?? [],
    rows: manifest?.rows ?? { added: 0, superseded: 0, deleted: 0, live: 0 },
    recentCommitIds: [],
    idempotencyParts: [],
    obsolete: [],
    revocations: [],
    createdAtMs: 0,
    lastWriteAtMs: 0,
  };
}

function viewOf(name: string, instant: Instant, manifest: Manifest, schema: Manifest['schema']): NamespaceView {
  const { incarnation, family, birthGeneration, generation } = manifest;
  const live = {
    incarnation,
    family,
    birthGeneration,
    createdAtMs: 0,
    lastWriteAtMs: 0,
    schema,
    settings: manifest.settings,
    manifest,
  };
  return {
    name,
    generation: instant.generation,
    tip: undefined,
    newestManifestGeneration: generation,
    live: { ...live, tail: [], revokedJobs: [] },
    proof: undefined,
  };
}

const leasePattern = /^[0-9a-z]{1,64}$/;

export function checkLease(lease: string): void {
  if (leasePattern.test(lease)) return;
  throw new LagoonError('invalid_argument', 'not a lease', { context: { lease: lease.slice(0, 80) } });
}
