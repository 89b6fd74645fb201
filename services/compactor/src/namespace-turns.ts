/**
 * One turn at a time per namespace, in the order of asking: commits of one process on one namespace wait for each other instead of superseding
 * each other. Other processes are not asked; they race.
 */
export interface NamespaceTurns {
  /** Resolves when it is the caller's turn, which lasts until the result is disposed of. */
  take(name: string, signal: AbortSignal): Promise<Disposable>;
}

export function createNamespaceTurns(): NamespaceTurns {
  const last = new Map<string, Promise<void>>();
  return {
    take: async (name, signal) => {
      const before = last.get(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      last.set(name, promise);
      const end = (): void => {
        if (last.get(name) === promise) last.delete(name);
        resolve();
      };
      await before;
      if (signal.aborted) end();
      signal.throwIfAborted();
      return { [Symbol.dispose]: end };
    },
  };
}
