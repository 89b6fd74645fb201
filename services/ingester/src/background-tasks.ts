import type { Log } from '@lagoon/base';

/**
 * Work that a role does after its answers: bounded, waited for when the role closes, its failures logged. What is past the
 * bound is dropped, so only work that something else repairs belongs here.
 */
export interface BackgroundTasks {
  run(what: string, task: () => Promise<unknown>): void;
  drain(): Promise<void>;
}

export function createBackgroundTasks(log: Log, countMax: number): BackgroundTasks {
  const running = new Set<Promise<void>>();
  return {
    run: (what, task) => {
      if (running.size >= countMax) {
        log.warn('background work dropped', { what, running: running.size });
        return;
      }
      const started: Promise<void> = Promise.resolve()
        .then(task)
        .then(() => {})
        .catch((error: unknown) => log.warn('background work failed', { what, error }))
        .finally(() => running.delete(started));
      running.add(started);
    },
    drain: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
