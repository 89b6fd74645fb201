import { LagoonError } from '@lagoon/base';
import type { IngesterConfig } from './config.ts';

/** A caller's work and the promise that it waits on. */
export interface Pending<T, R> {
  readonly item: T;
  readonly enqueuedAtMs: number;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** What the writer of a namespace does next, one at a time. */
export type Work<W, T, M> =
  | { readonly kind: 'group'; readonly writes: readonly W[] }
  | { readonly kind: 'alone'; readonly alone: T }
  | { readonly kind: 'manifest'; readonly manifest: M };

/**
 * Waiting work of one namespace.
 *
 * - Writes and what goes alone (births, truncates) keep their order: that closes the group before it.
 * - Manifests take turns with the rest, and at most `manifestCountMax` wait: so none waits for more than so many groups.
 */
export interface WorkQueue<W, T, M> {
  /** Throws `resource_exhausted` past the bounds. */
  pushWrite(write: W, sizeBytes: number): void;
  pushAlone(alone: T): void;
  pushManifest(manifest: M): void;
  /** Takes a write that nobody waits for any more out again; false where it is in a group already. */
  removeWrite(write: W): boolean;
  next(): Work<W, T, M> | undefined;
  /** Whether the next work would be a group, without taking it. */
  readonly nextIsGroup: boolean;
  readonly queuedBytes: number;
  readonly length: number;
}

export const manifestCountMax = 3;
const aloneCountMax = 100;

type Slot<W, T> =
  | { readonly kind: 'write'; readonly write: W; readonly sizeBytes: number }
  | { readonly kind: 'alone'; readonly alone: T };

export function createWorkQueue<W, T, M>(
  config: Pick<IngesterConfig, 'groupBytesMax' | 'groupWriteCountMax' | 'queueBytesMax' | 'queueWriteCountMax'>,
): WorkQueue<W, T, M> {
  const slots: Slot<W, T>[] = [];
  const manifests: M[] = [];
  let queuedBytes = 0;
  let aloneCount = 0;
  let manifestsTurn = false;

  const takeManifest = (): boolean => manifests.length > 0 && (manifestsTurn || slots.length === 0);

  const takeGroup = (): W[] => {
    const writes: W[] = [];
    let bytes = 0;
    for (const slot of slots) {
      if (slot.kind === 'alone' || writes.length >= config.groupWriteCountMax) break;
      if (writes.length > 0 && bytes + slot.sizeBytes > config.groupBytesMax) break;
      writes.push(slot.write);
      bytes += slot.sizeBytes;
    }
    slots.splice(0, writes.length);
    queuedBytes -= bytes;
    return writes;
  };

  return {
    pushWrite: (write, sizeBytes) => {
      if (slots.length >= config.queueWriteCountMax || queuedBytes + sizeBytes > config.queueBytesMax) {
        throw queueFull('writes', slots.length, queuedBytes);
      }
      slots.push({ kind: 'write', write, sizeBytes });
      queuedBytes += sizeBytes;
    },
    pushAlone: (alone) => {
      if (aloneCount >= aloneCountMax) throw queueFull('births and deletions', slots.length, queuedBytes);
      slots.push({ kind: 'alone', alone });
      aloneCount++;
    },
    pushManifest: (manifest) => {
      if (manifests.length >= manifestCountMax) throw queueFull('manifests', slots.length, queuedBytes);
      manifests.push(manifest);
    },
    removeWrite: (write) => {
      const index = slots.findIndex((slot) => slot.kind === 'write' && slot.write === write);
      const slot = slots[index];
      if (slot?.kind !== 'write') return false;
      slots.splice(index, 1);
      queuedBytes -= slot.sizeBytes;
      return true;
    },
    next: () => {
      if (takeManifest()) {
        const manifest = manifests.shift();
        manifestsTurn = false;
        return manifest === undefined ? undefined : { kind: 'manifest', manifest };
      }
      const first = slots[0];
      if (first === undefined) return undefined;
      manifestsTurn = true;
      if (first.kind === 'write') return { kind: 'group', writes: takeGroup() };
      slots.shift();
      aloneCount--;
      return { kind: 'alone', alone: first.alone };
    },
    get nextIsGroup() {
      return !takeManifest() && slots[0]?.kind === 'write';
    },
    get queuedBytes() {
      return queuedBytes;
    },
    get length() {
      return slots.length + manifests.length;
    },
  };
}

function queueFull(what: string, count: number, bytes: number): LagoonError {
  return new LagoonError('resource_exhausted', `too many ${what} waiting for one namespace`, {
    reason: 'backpressure',
    context: { count, bytes },
    retryAfterMs: 100,
  });
}
