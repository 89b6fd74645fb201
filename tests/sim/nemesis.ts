import type { World } from './world.ts';

export interface NemesisOptions {
  readonly namespaces: readonly string[];
  /** Mean time between two deeds; Infinity: none. */
  readonly everyMs: number;
  /** Longest time that a process is stopped, or its machine asleep. */
  readonly stopMsMax: number;
  /** A builder is stopped right after it has written an object, or a floor arrives late, for so long at most; 0: no such deeds. */
  readonly holdMsMax: number;
}

/** Kills, stops and starves members of the cluster until the returned function is called. */
export function startNemesis(world: World, options: NemesisOptions): () => void {
  const { scheduler, random, cluster, counts, store } = world;
  let stopped = false;
  const downMs = () => 10 + random.float() * 3_000;
  const anyMember = () => {
    const all = [...cluster.ingesters, ...cluster.queryNodes, ...cluster.compactors, ...cluster.collectors];
    return all[random.integer(all.length)];
  };
  const deeds: (() => void)[] = [
    () => {
      counts.crashIngester++;
      cluster.ingesters[random.integer(cluster.ingesters.length)]?.restart(downMs());
    },
    () => {
      counts.crashQuery++;
      cluster.queryNodes[random.integer(cluster.queryNodes.length)]?.restart(downMs());
    },
    () => {
      counts.crashCompactor++;
      cluster.compactors[random.integer(cluster.compactors.length)]?.restart(downMs());
    },
    () => {
      counts.pause++;
      anyMember()?.actor.pause(random.float() * options.stopMsMax);
    },
    () => {
      const victim = anyMember()?.actor;
      store.onCall = ({ actor, verb }) => {
        if (actor !== victim || (verb !== 'create' && verb !== 'put' && verb !== 'delete')) return undefined;
        store.onCall = undefined;
        counts.stopMidway++;
        actor.pause(random.float() * options.stopMsMax);
        return undefined;
      };
    },
    () => {
      counts.suspend++;
      anyMember()?.actor.suspend(random.float() * options.stopMsMax);
    },
    () => {
      counts.storm++;
      const before = store.policy;
      store.policy = { ...before, unavailable: 0.9 };
      scheduler.schedule(random.float() * 5_000, () => {
        if (store.policy.unavailable === 0.9) store.policy = before;
      });
    },
    () => {
      counts.lostHint++;
      const namespace = options.namespaces[random.integer(options.namespaces.length)];
      store.remove(`ns/${namespace}/head`);
    },
  ];
  if (options.holdMsMax > 0) {
    deeds.push(
      () => {
        store.onCall = ({ actor, verb, key }) => {
          if (verb !== 'create' || !/^data\/|\/body\//.test(key) || !actor.name.startsWith('compactor'))
            return undefined;
          store.onCall = undefined;
          counts.heldBuilder++;
          actor.pause(random.float() * options.holdMsMax);
          return undefined;
        };
      },
      () => {
        store.onCall = ({ verb, key }) => {
          if (verb !== 'create' || !key.includes('/floor/')) return undefined;
          store.onCall = undefined;
          counts.lateFloor++;
          return { delayMs: random.float() * options.holdMsMax };
        };
      },
    );
  }
  const next = (): void => {
    scheduler.schedule(options.everyMs * 2 * random.float(), () => {
      if (stopped) return;
      deeds[random.integer(deeds.length)]?.();
      next();
    });
  };
  if (Number.isFinite(options.everyMs)) next();
  return () => {
    stopped = true;
    store.onCall = undefined;
  };
}
