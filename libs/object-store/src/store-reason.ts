import type { ErrorCode, ErrorReason } from '@lagoon/base';

/** What tells a store's refusal from one that is meant for the caller of Lagoon. */
export function reasonOf(code: ErrorCode): { readonly reason?: ErrorReason } {
  if (code === 'resource_exhausted') return { reason: 'store_full' };
  return code === 'permission_denied' ? { reason: 'store_refused' } : {};
}
