import { createRandomId, LagoonError, mapBounded } from '@lagoon/base';
import type { LogContext } from './context.ts';
import { throwIfGone } from './find-instant.ts';
import { type PinKey, parseKeyAs, pinKey, pinPrefix, pinsPrefix } from './keys.ts';
import { decodePin, encodePin, type Pin } from './pin-codec.ts';
import type { Instant } from './view.ts';

/** Leases of long reads have this name; no snapshot can. */
export const leaseName = 'lease';

export const snapshotCountMax = 1_000;
const readsAtOnceMax = 16;
const pageCountMax = 20;

/** A snapshot that is confirmed, and which very pin it is. */
export interface Snapshot extends Pin {
  readonly random: string;
}

/**
 * Pins the instant: the record first, then a look at the floor, which throws `gone`, then `.ok`. A snapshot without it is not there
 * for anybody but garbage collection; a lease is known to its holder alone and needs none.
 */
export async function writePin(
  context: LogContext,
  kind: Pin['kind'],
  name: string,
  instant: Instant,
  signal?: AbortSignal,
): Promise<Snapshot> {
  const random = createRandomId(context.random);
  const pin: Pin = { kind, name, instant, createdAtMs: Math.round(context.clock.wallMs()) };
  const key: PinKey = { name: instant.namespace, pin: name, random, ok: false };
  context.time.answered(await context.store.put(pinKey(key), encodePin(pin), signal));
  try {
    await throwIfGone(context, instant.namespace, instant.generation, signal);
  } catch (error) {
    await removePin(context, key);
    throw error;
  }
  if (kind === 'snapshot') await context.store.put(pinKey({ ...key, ok: true }), new Uint8Array(0), signal);
  return { ...pin, random };
}

/** The very pin; undefined where it is gone. */
export async function readPin(context: LogContext, key: PinKey, signal?: AbortSignal): Promise<Pin | undefined> {
  const object = await context.store.get(pinKey(key), undefined, signal);
  return object === undefined ? undefined : decodePin(pinKey(key), object.bytes);
}

/** Best effort: garbage collection removes what stays. */
export async function removePin(context: LogContext, key: PinKey): Promise<void> {
  try {
    await context.store.delete([pinKey(key)]);
  } catch (error) {
    context.log.warn('pin not removed', { key: pinKey(key), error });
  }
}

/** Confirmed snapshots by name; of several that one race has made, the first. */
export async function listSnapshots(
  context: LogContext,
  namespace: string,
  signal?: AbortSignal,
): Promise<readonly Snapshot[]> {
  const confirmed = await listConfirmed(context, pinsPrefix(namespace), signal);
  const names = new Map<string, PinKey>();
  for (const key of confirmed) if (!names.has(key.pin) && key.pin !== leaseName) names.set(key.pin, key);
  const found = await mapBounded(
    [...names.values()],
    readsAtOnceMax,
    async (key, _, inner) => ({ key, pin: await readPin(context, key, inner) }),
    signal,
  );
  return found.flatMap(({ key, pin }) => (pin === undefined ? [] : [{ ...pin, random: key.random }]));
}

/** `not_found` where no such snapshot is confirmed. */
export async function findSnapshot(
  context: LogContext,
  namespace: string,
  name: string,
  signal?: AbortSignal,
): Promise<Snapshot> {
  const [key] = await listConfirmed(context, pinPrefix(namespace, name), signal);
  const pin = key === undefined ? undefined : await readPin(context, key, signal);
  if (key === undefined || pin === undefined) throw noSuchSnapshot(namespace, name);
  return { ...pin, random: key.random };
}

/** Removes the confirmation before the pin, each by the exact key that was read. `not_found` where there is none. */
export async function deleteSnapshot(
  context: LogContext,
  namespace: string,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  const keys = await listConfirmed(context, pinPrefix(namespace, name), signal);
  if (keys.length === 0) throw noSuchSnapshot(namespace, name);
  await context.store.delete(
    keys.map((key) => pinKey({ ...key, ok: true })),
    signal,
  );
  await context.store.delete(
    keys.map((key) => pinKey({ ...key, ok: false })),
    signal,
  );
}

/** Pins that have an `.ok`, in key order. */
export async function listConfirmed(context: LogContext, prefix: string, signal?: AbortSignal): Promise<PinKey[]> {
  const pins: PinKey[] = [];
  const confirmed = new Set<string>();
  let startAfter: string | undefined;
  for (let pageCount = 0; pageCount < pageCountMax; pageCount++) {
    const page = await context.store.list({ prefix, ...(startAfter === undefined ? {} : { startAfter }) }, signal);
    context.time.answered(page);
    for (const { key } of page.objects) {
      const { kind: _, ...pin } = parseKeyAs(key, 'pin');
      if (pin.ok) confirmed.add(`${pin.pin}/${pin.random}`);
      else pins.push(pin);
    }
    startAfter = page.objects.at(-1)?.key;
    if (!page.truncated || startAfter === undefined) {
      return pins.filter((pin) => confirmed.has(`${pin.pin}/${pin.random}`));
    }
  }
  throw new LagoonError('resource_exhausted', 'too many pins', { context: { prefix } });
}

function noSuchSnapshot(namespace: string, snapshot: string): LagoonError {
  return new LagoonError('not_found', 'no such snapshot', { context: { namespace, snapshot } });
}
