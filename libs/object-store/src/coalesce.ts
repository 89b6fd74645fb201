/**
 * Group commit: a call begins its run at once when none is under way for the key, else it shares the one run that begins after
 * the present one. So what was done before the call is covered by the run that answers it, and runs do not pile up.
 */
export function createCoalescer<R>(run: (key: string) => Promise<R>): (key: string) => Promise<R> {
  const running = new Map<string, Promise<R>>();
  const next = new Map<string, Promise<R>>();

  const start = (key: string): Promise<R> => {
    const started = run(key).finally(() => {
      if (running.get(key) === started) running.delete(key);
    });
    running.set(key, started);
    return started;
  };

  return (key) => {
    const present = running.get(key);
    if (present === undefined) return start(key);
    const waiting = next.get(key);
    if (waiting !== undefined) return waiting;
    const begin = () => {
      next.delete(key);
      return start(key);
    };
    const queued = present.then(begin, begin);
    next.set(key, queued);
    return queued;
  };
}
