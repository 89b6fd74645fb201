/** Waits for something shared that goes on without this caller: rejects with the signal's reason when it aborts first. */
export async function waitFor<R>(shared: Promise<R>, signal?: AbortSignal): Promise<R> {
  if (signal === undefined) return shared;
  shared.catch(() => {}); // a caller that leaves does not see how it ends
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([shared, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
