import { invalidArgument, LagoonError } from '@lagoon/base';

/**
 * Every path of the dialect and of Lagoon beside it. A known endpoint that is not served yet is in the table with
 * `endpoint: undefined`, so that it answers 501 with its name and never 404.
 */
export type EndpointName =
  | 'write'
  | 'query'
  | 'explainQuery'
  | 'measureRecall'
  | 'getMetadata'
  | 'updateMetadata'
  | 'getSchema'
  | 'updateSchema'
  | 'deleteNamespace'
  | 'warmCache'
  | 'purgeCache'
  | 'listNamespaces'
  | 'createSnapshot'
  | 'listSnapshots'
  | 'deleteSnapshot'
  | 'restore'
  | 'startCopy'
  | 'getOperation'
  | 'export';

interface Route {
  readonly method: string;
  /** Segments; `{ns}` and `{…}` stand for any one segment. */
  readonly path: string;
  readonly endpoint?: EndpointName;
}

const routes: readonly Route[] = [
  { method: 'GET', path: 'v1/namespaces', endpoint: 'listNamespaces' },
  { method: 'POST', path: 'v2/namespaces/{ns}', endpoint: 'write' },
  { method: 'DELETE', path: 'v2/namespaces/{ns}', endpoint: 'deleteNamespace' },
  { method: 'POST', path: 'v2/namespaces/{ns}/query', endpoint: 'query' },
  { method: 'GET', path: 'v1/namespaces/{ns}/metadata', endpoint: 'getMetadata' },
  { method: 'GET', path: 'v2/namespaces/{ns}/metadata', endpoint: 'getMetadata' },
  { method: 'GET', path: 'v1/namespaces/{ns}/schema', endpoint: 'getSchema' },
  { method: 'POST', path: 'v1/namespaces/{ns}/schema', endpoint: 'updateSchema' },
  { method: 'GET', path: 'v1/namespaces/{ns}/hint_cache_warm', endpoint: 'warmCache' },
  { method: 'PATCH', path: 'v1/namespaces/{ns}/metadata', endpoint: 'updateMetadata' },
  { method: 'POST', path: 'v2/namespaces/{ns}/explain_query', endpoint: 'explainQuery' },
  { method: 'POST', path: 'v1/namespaces/{ns}/_debug/recall', endpoint: 'measureRecall' },
  { method: 'POST', path: 'v2/namespaces/{ns}/async', endpoint: 'startCopy' },
  { method: 'GET', path: 'v1/namespaces/{ns}/operations/{token}', endpoint: 'getOperation' },
  { method: 'GET', path: 'v1/namespaces/{ns}/_debug/warm_cache', endpoint: 'warmCache' },
  { method: 'GET', path: 'v1/namespaces/{ns}/_debug/purge_cache', endpoint: 'purgeCache' },
  { method: 'GET', path: 'v2/namespaces/{ns}/changes' },
  { method: 'POST', path: 'v2/namespaces/{ns}/snapshots', endpoint: 'createSnapshot' },
  { method: 'GET', path: 'v2/namespaces/{ns}/snapshots', endpoint: 'listSnapshots' },
  { method: 'DELETE', path: 'v2/namespaces/{ns}/snapshots/{name}', endpoint: 'deleteSnapshot' },
  { method: 'POST', path: 'v2/namespaces/{ns}/restore', endpoint: 'restore' },
  { method: 'GET', path: 'v2/namespaces/{ns}/export', endpoint: 'export' },
  { method: 'POST', path: 'v2/namespaces/{ns}/reindex' },
  { method: 'GET', path: 'v1/keys' },
  { method: 'POST', path: 'v1/keys' },
  { method: 'GET', path: 'v1/cluster' },
];

/** Known paths beside the versions. */
const unservedPages: ReadonlySet<string> = new Set(['openapi.json', 'ui']);

const patterns = routes.map((route) => ({ ...route, segments: route.path.split('/') }));

export type Match =
  | {
      readonly kind: 'endpoint';
      readonly endpoint: EndpointName;
      readonly namespace: string;
      /** The other variable segment; empty where there is none. */
      readonly parameter: string;
    }
  | { readonly kind: 'unimplemented'; readonly name: string }
  | { readonly kind: 'wrong_method'; readonly allowed: readonly string[] }
  | { readonly kind: 'unknown' };

/** Finds the endpoint of a path, with or without one segment before the version. Throws on a bad namespace name. */
export function matchRoute(method: string, path: string): Match {
  const all = splitPath(path);
  const segments = isVersion(all[0]) ? all : all.slice(1);
  if (method === 'GET' && unservedPages.has(all.join('/'))) {
    return { kind: 'unimplemented', name: `GET /${all.join('/')}` };
  }
  if (!isVersion(segments[0])) return { kind: 'unknown' };
  const candidates = patterns.filter((pattern) => fits(pattern.segments, segments));
  if (candidates.length === 0) return { kind: 'unknown' };
  const found = candidates.find((pattern) => pattern.method === method);
  if (found === undefined) return { kind: 'wrong_method', allowed: candidates.map((pattern) => pattern.method) };
  if (found.endpoint === undefined) return { kind: 'unimplemented', name: `${found.method} /${found.path}` };
  const position = found.segments.indexOf('{ns}');
  const namespace = position < 0 ? '' : checkNamespaceName(segments[position]);
  const other = found.segments.findIndex((segment) => segment.startsWith('{') && segment !== '{ns}');
  return { kind: 'endpoint', endpoint: found.endpoint, namespace, parameter: segments[other] ?? '' };
}

const namespacePattern = /^[A-Za-z0-9\-_.]{1,128}$/;

export function checkNamespaceName(name: string | undefined): string {
  if (name === '.' || name === '..') {
    // Clients resolve these out of a URL before they send it: such a namespace could never be asked for again.
    throw invalidArgument('a namespace name is not . or ..');
  }
  if (name !== undefined && namespacePattern.test(name)) return name;
  throw invalidArgument('a namespace name has 1 to 128 characters of A-Z a-z 0-9 - _ .', {
    found: name?.slice(0, 160),
  });
}

export function wrongMethod(method: string, allowed: readonly string[]): LagoonError {
  return invalidArgument('this path does not take this method', { method, allowed: allowed.join(', ') });
}

export function unknownPath(path: string): LagoonError {
  return new LagoonError('not_found', 'no such path', { context: { path: path.slice(0, 256) } });
}

function splitPath(path: string): readonly string[] {
  const trimmed = path.replace(/^\/+/, '').replace(/\/+$/, '');
  try {
    return trimmed.split('/').map(decodeURIComponent);
  } catch {
    throw invalidArgument('the path has a broken percent encoding');
  }
}

function isVersion(segment: string | undefined): boolean {
  return segment === 'v1' || segment === 'v2';
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false;
  return pattern.every((part, index) => part.startsWith('{') || part === segments[index]);
}
