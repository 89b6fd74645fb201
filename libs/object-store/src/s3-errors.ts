import { type ErrorCode, type ErrorContext, LagoonError } from '@lagoon/base';
import { reasonOf } from './store-reason.ts';

/** What is known of a failed S3 request, whoever threw it. */
export interface S3Failure {
  /** The store's own code, such as `SlowDown`, or the system's, such as `ECONNRESET`. */
  readonly name: string;
  /** HTTP status, `undefined` when no answer came. */
  readonly status: number | undefined;
  /** Headers of the answer, lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly message: string;
}

/** Reads what the SDK attached to an error; never throws. */
export function describeFailure(error: unknown): S3Failure {
  const value = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly message?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
  };
  const name = typeof value.code === 'string' ? value.code : value.name;
  return {
    name: typeof name === 'string' ? name : 'Error',
    status: value.$metadata?.httpStatusCode ?? value.$response?.statusCode,
    headers: value.$response?.headers ?? {},
    message: typeof value.message === 'string' ? value.message : String(error),
  };
}

/** Codes that mean something else than their status says; the status decides for all others. */
const codeByName: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'not_found',
  AccessDenied: 'permission_denied', // of one key among many, without a status of its own
  CredentialsProviderError: 'permission_denied',
  TokenProviderError: 'permission_denied',
  ExpiredToken: 'permission_denied',
  ExpiredTokenException: 'permission_denied',
  InvalidToken: 'permission_denied',
  RequestTimeTooSkewed: 'unavailable', // the SDK corrects its clock by the answer
  RequestTimeout: 'unavailable',
  IncompleteBody: 'unavailable',
  BadDigest: 'unavailable', // the body was damaged on the way
  XAmzContentSHA256Mismatch: 'unavailable',
  QuotaExceeded: 'resource_exhausted',
  XMinioStorageFull: 'resource_exhausted',
  XMinioAdminBucketQuotaExceeded: 'resource_exhausted',
};

const messageByCode: Readonly<Partial<Record<ErrorCode, string>>> = {
  not_found: 'the bucket does not exist',
  permission_denied: 'the store refuses the credentials',
  resource_exhausted: 'the store is full',
  invalid_argument: 'the store does not take the request',
  unimplemented: 'the store does not know the request',
  unavailable: 'the store cannot be reached or is busy',
};

/** A failed request as a LagoonError: `unavailable` unless the store said plainly that repeating it is pointless. */
export function s3Error(error: unknown, context: ErrorContext): LagoonError {
  if (error instanceof LagoonError) return error;
  const failure = describeFailure(error);
  const code = codeByName[failure.name] ?? codeOfStatus(failure.status);
  const region = failure.headers['x-amz-bucket-region'];
  return new LagoonError(code, messageByCode[code] ?? 'the store failed', {
    cause: error,
    ...reasonOf(code),
    context: { ...context, error: failure.name, status: failure.status, region, detail: failure.message.slice(0, 200) },
  });
}

function codeOfStatus(status: number | undefined): ErrorCode {
  if (status === undefined) return 'unavailable';
  if (status === 401 || status === 403) return 'permission_denied';
  if (status === 408 || status === 409 || status === 425 || status === 429) return 'unavailable';
  if (status === 501) return 'unimplemented';
  if (status === 507) return 'resource_exhausted';
  if (status >= 500) return 'unavailable';
  // An absent key is no error and never comes here. A 404 without a known code is a proxy's or a router's, and may pass.
  if (status === 404) return 'unavailable';
  return 'invalid_argument';
}
