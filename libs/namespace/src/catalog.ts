import { LagoonError } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import type { LogContext } from './context.ts';
import { catalogKey, catalogPrefix, parseKey } from './keys.ts';
import { checkNamespaceName, escapeName, escapePrefix, longNamePrefix } from './name-escape.ts';

export interface ListNamespacesOptions {
  /** Only names that start so; empty: all. */
  readonly prefix: string;
  /** The `nextCursor` of the page before. */
  readonly cursor?: string;
  readonly pageSize: number;
}

export interface NamespacePage {
  /** In key order, each once. */
  readonly names: readonly string[];
  /** Undefined: that was all. */
  readonly nextCursor: string | undefined;
}

const pageCountMax = 10_000;

/** Written before the birth entry, so that whatever lives is listed; a marker of what was never born is swept later. */
export async function writeCatalogMarker(
  context: LogContext,
  name: string,
  incarnation: string,
  signal?: AbortSignal,
): Promise<void> {
  context.time.answered(await context.store.put(catalogKey(name, incarnation), new Uint8Array(0), signal));
}

/** Removes exactly this incarnation's marker, best effort: a sweep finds what stays. */
export async function removeCatalogMarker(
  context: LogContext,
  name: string,
  incarnation: string,
  signal?: AbortSignal,
): Promise<void> {
  try {
    context.time.answered(await context.store.delete([catalogKey(name, incarnation)], signal));
  } catch (error) {
    context.log.warn('catalogue marker not removed', { namespace: name, incarnation, error });
  }
}

/**
 * One page of the names that have a marker. Names whose escaped form is too long for a path component come first: they are
 * kept apart in key order, and filtered by prefix here.
 */
export async function listNamespaces(
  store: ObjectStore,
  options: ListNamespacesOptions,
  signal?: AbortSignal,
): Promise<NamespacePage> {
  const pageSize = Math.max(1, Math.min(1_000, options.pageSize));
  const cursor = options.cursor === undefined ? undefined : afterName(options.cursor);
  const names: string[] = [];
  for (const prefix of rangesOf(options.prefix)) {
    for await (const name of namesIn(store, prefix, cursor, signal)) {
      if (!name.startsWith(options.prefix) || name === names.at(-1)) continue;
      if (names.length === pageSize) return { names, nextCursor: names.at(-1) };
      names.push(name);
    }
  }
  return { names, nextCursor: undefined };
}

/** Everything, or the long names and then the others that start so. */
function rangesOf(prefix: string): string[] {
  const escaped = escapePrefix(prefix);
  if (escaped === '') return [catalogPrefix];
  const ranges = [`${catalogPrefix}${longNamePrefix}`];
  if (escaped !== undefined) ranges.push(catalogPrefix + escaped);
  return ranges;
}

/** Behind every marker of the name. */
function afterName(name: string): string {
  checkNamespaceName(name);
  return `${catalogPrefix}${escapeName(name)}/~`;
}

async function* namesIn(
  store: ObjectStore,
  prefix: string,
  after: string | undefined,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  let startAfter = after;
  for (let pageCount = 0; pageCount < pageCountMax; pageCount++) {
    const page = await store.list({ prefix, ...(startAfter === undefined ? {} : { startAfter }) }, signal);
    for (const { key } of page.objects) {
      const parsed = parseKey(key);
      if (parsed?.kind === 'catalog') yield parsed.name;
    }
    startAfter = page.objects.at(-1)?.key;
    if (!page.truncated || startAfter === undefined) return;
  }
  throw new LagoonError('resource_exhausted', 'too many pages of names', { context: { prefix } });
}
