import { type ErrorCode, LagoonError } from '@lagoon/base';
import { reasonOf } from './store-reason.ts';

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'resource_exhausted',
  EDQUOT: 'resource_exhausted',
  EFBIG: 'resource_exhausted',
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  EROFS: 'permission_denied',
  ENAMETOOLONG: 'invalid_argument',
};

const messages: Readonly<Partial<Record<ErrorCode, string>>> = {
  resource_exhausted: 'the disk is full',
  permission_denied: 'the file system does not allow it',
  invalid_argument: 'the file system takes no such long path',
};

/** The system's code of a failed call, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  // By shape: under a test runner's realms the file system's errors are instances of another `Error`.
  if (typeof error !== 'object' || error === null || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A failure of the file system as a LagoonError; one that may pass, as any unknown I/O error, is `unavailable`. */
export function fileSystemError(error: unknown, path: string): unknown {
  if (error instanceof LagoonError) return error;
  const system = systemCode(error);
  if (system === undefined) return error;
  const code = codes[system] ?? 'unavailable';
  const message = messages[code] ?? 'the file system failed';
  return new LagoonError(code, message, {
    cause: error,
    context: { path, error: system },
    ...reasonOf(code),
  });
}
