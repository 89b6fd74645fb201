import { assert, corrupt } from '@lagoon/base';
import { escapeName, unescapeName } from './name-escape.ts';

/**
 * Every object key of Lagoon is made and parsed here, and nowhere else (table in the README).
 *
 * - `parseKey(keyOf…(x))` gives x back, and different values give different keys.
 * - Within one namespace, the order of log keys is the order of generations.
 * - Ids (incarnation, family, job, …) are 1 to 64 characters of 0-9 a-z; generations are 20 decimal digits.
 */
export type ParsedKey =
  | { readonly kind: 'cluster' }
  | { readonly kind: 'gc-state' }
  | { readonly kind: 'catalog'; readonly name: string; readonly incarnation: string }
  | { readonly kind: 'log'; readonly name: string; readonly generation: number }
  | {
      readonly kind: 'body';
      readonly name: string;
      readonly incarnation: string;
      readonly job: string;
      readonly n: number;
    }
  | { readonly kind: 'head'; readonly name: string }
  | { readonly kind: 'floor'; readonly name: string; readonly generation: number }
  | { readonly kind: 'operation'; readonly name: string; readonly token: string }
  | ({ readonly kind: 'pin' } & PinKey)
  | { readonly kind: 'family'; readonly family: string; readonly incarnation: string }
  | ({ readonly kind: 'data' } & DataKey)
  | { readonly kind: 'dirty'; readonly name: string; readonly generation: number }
  | ({ readonly kind: 'lease' } & LeaseKey);

/** Large work on one namespace, of which one compactor at a time is enough. */
export interface LeaseKey {
  readonly work: string;
  readonly name: string;
  readonly n: number;
}

export interface PinKey {
  readonly name: string;
  /** Of the snapshot; the reserved name of leases for those. */
  readonly pin: string;
  readonly random: string;
  /** The empty object that confirms the pin, rather than the pin itself. */
  readonly ok: boolean;
}

export interface DataKey {
  readonly family: string;
  readonly incarnation: string;
  readonly job: string;
  readonly n: number;
  readonly extension: 'seg' | 'del';
}

const idPattern = /^[0-9a-z]{1,64}$/;
const jobPattern = /^([0-9a-z]{1,64})-(0|[1-9][0-9]{0,8})$/;
const dataPattern = /^([0-9a-z]{1,64})-(0|[1-9][0-9]{0,8})\.(seg|del)$/;
const pinPattern = /^([0-9a-z]{1,64})(\.ok)?$/;
const generationPattern = /^[0-9]{20}$/;

export const clusterKey = 'lagoon.json';
/** What garbage collection has found settled: saves work, never needed for safety. */
export const gcStateKey = 'gc/state';
export const catalogPrefix = 'catalog/';
export const dirtyPrefix = 'dirty/';
export const leasesPrefix = 'leases/';
export const familiesPrefix = 'family/';
export const namespacesPrefix = 'ns/';
export const dataRoot = 'data/';

export function catalogKey(name: string, incarnation: string): string {
  return `${catalogPrefix}${escapeName(name)}/${id(incarnation)}`;
}

/** Everything about a namespace but its segments; body/ < floor/ < head < log/ < operations/ < pins/ in key order. */
export function namespacePrefix(name: string): string {
  return `${namespacesPrefix}${escapeName(name)}/`;
}

export function logPrefix(name: string): string {
  return `${namespacePrefix(name)}log/`;
}

export function logKey(name: string, generation: number): string {
  return logPrefix(name) + formatGeneration(generation);
}

export function bodyPrefix(name: string, incarnation: string): string {
  return `${namespacePrefix(name)}body/${id(incarnation)}/`;
}

export function bodyKey(name: string, incarnation: string, job: string, n: number): string {
  return bodyPrefix(name, incarnation) + jobObject(job, n);
}

export function headKey(name: string): string {
  return `${namespacePrefix(name)}head`;
}

export function floorPrefix(name: string): string {
  return `${namespacePrefix(name)}floor/`;
}

export function operationKey(name: string, token: string): string {
  return `${namespacePrefix(name)}operations/${id(token)}`;
}

export function pinsPrefix(name: string): string {
  return `${namespacePrefix(name)}pins/`;
}

/** Pins of one snapshot name; names are escaped as those of namespaces. */
export function pinPrefix(name: string, pin: string): string {
  return `${pinsPrefix(name)}${escapeName(pin)}/`;
}

export function pinKey(key: PinKey): string {
  return `${pinPrefix(key.name, key.pin)}${id(key.random)}${key.ok ? '.ok' : ''}`;
}

export function floorKey(name: string, generation: number): string {
  return floorPrefix(name) + formatGeneration(generation);
}

export function familyPrefix(family: string): string {
  return `${familiesPrefix}${id(family)}/`;
}

export function familyKey(family: string, incarnation: string): string {
  return familyPrefix(family) + id(incarnation);
}

export function dataPrefix(family: string): string {
  return `${dataRoot}${id(family)}/`;
}

export function dataKey(key: DataKey): string {
  return `${dataPrefix(key.family)}${id(key.incarnation)}/${jobObject(key.job, key.n)}.${key.extension}`;
}

export function dirtyKey(name: string, firstUnindexedGeneration: number): string {
  return `${dirtyPrefix}${escapeName(name)}/${formatGeneration(firstUnindexedGeneration)}`;
}

/** Leases of one work on one namespace; numbers count up. */
export function leasePrefix(work: string, name: string): string {
  return `${leasesPrefix}${id(work)}-${escapeName(name)}/`;
}

export function leaseKey({ work, name, n }: LeaseKey): string {
  return leasePrefix(work, name) + formatGeneration(n);
}

/** What a key means; undefined for a key that nothing here makes. */
export function parseKey(key: string): ParsedKey | undefined {
  if (key === clusterKey) return { kind: 'cluster' };
  if (key === gcStateKey) return { kind: 'gc-state' };
  const [root, a = '', b = '', ...rest] = key.split('/');
  try {
    switch (root) {
      case 'ns':
        return parseNamespaceKey(unescapeName(a), b, rest);
      case 'catalog':
        return rest.length === 0 && isId(b) ? { kind: 'catalog', name: unescapeName(a), incarnation: b } : undefined;
      case 'family':
        return rest.length === 0 && isId(a) && isId(b) ? { kind: 'family', family: a, incarnation: b } : undefined;
      case 'data':
        return rest.length === 1 && isId(a) && isId(b) ? parseDataObject(a, b, rest[0] ?? '') : undefined;
      case 'dirty':
        return rest.length === 0 ? withGeneration(b, (generation) => dirty(unescapeName(a), generation)) : undefined;
      case 'leases':
        return rest.length === 0 ? parseLeaseKey(a, b) : undefined;
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

/** As `parseKey`, for keys that a store listed or a message named: throws `corrupt` unless it is of the kind. */
export function parseKeyAs<K extends ParsedKey['kind']>(key: string, kind: K): Extract<ParsedKey, { kind: K }> {
  const parsed = parseKey(key);
  if (parsed?.kind !== kind) throw corrupt('unexpected key', { key, expected: kind });
  return parsed as Extract<ParsedKey, { kind: K }>;
}

function parseNamespaceKey(name: string, part: string, rest: readonly string[]): ParsedKey | undefined {
  const [first = '', second = ''] = rest;
  if (part === 'head' && rest.length === 0) return { kind: 'head', name };
  if (part === 'log' && rest.length === 1) {
    return withGeneration(first, (generation) => ({ kind: 'log', name, generation }));
  }
  if (part === 'floor' && rest.length === 1) {
    return withGeneration(first, (generation) => ({ kind: 'floor', name, generation }));
  }
  if (part === 'operations' && rest.length === 1) {
    return isId(first) ? { kind: 'operation', name, token: first } : undefined;
  }
  if (part === 'pins' && rest.length === 2) {
    const pin = pinPattern.exec(second);
    if (pin === null) return undefined;
    return { kind: 'pin', name, pin: unescapeName(first), random: pin[1] ?? '', ok: pin[2] !== undefined };
  }
  const match = part === 'body' && rest.length === 2 && isId(first) ? jobPattern.exec(second) : null;
  return match === null
    ? undefined
    : { kind: 'body', name, incarnation: first, job: match[1] ?? '', n: Number(match[2]) };
}

function parseLeaseKey(job: string, text: string): ParsedKey | undefined {
  const [work = '', ...rest] = job.split('-');
  if (!isId(work) || rest.length === 0) return undefined;
  return withGeneration(text, (n) => ({ kind: 'lease', work, name: unescapeName(rest.join('-')), n }));
}

function parseDataObject(family: string, incarnation: string, object: string): ParsedKey | undefined {
  const match = dataPattern.exec(object);
  if (match === null) return undefined;
  const extension = match[3] === 'seg' ? 'seg' : 'del';
  return { kind: 'data', family, incarnation, job: match[1] ?? '', n: Number(match[2]), extension };
}

function withGeneration(text: string, make: (generation: number) => ParsedKey): ParsedKey | undefined {
  const generation = generationPattern.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(generation) && generation > 0 ? make(generation) : undefined;
}

function dirty(name: string, generation: number): ParsedKey {
  return { kind: 'dirty', name, generation };
}

function formatGeneration(generation: number): string {
  assert(Number.isSafeInteger(generation) && generation > 0, 'a generation is a positive integer');
  return String(generation).padStart(20, '0');
}

function jobObject(job: string, n: number): string {
  assert(Number.isSafeInteger(n) && n >= 0 && n < 1e9, 'a number of an object within its job');
  return `${id(job)}-${n}`;
}

function isId(text: string): boolean {
  return idPattern.test(text);
}

function id(text: string): string {
  assert(isId(text), 'an id has 1 to 64 characters of 0-9 a-z');
  return text;
}
