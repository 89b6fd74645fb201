import type { Clock, Random } from '@lagoon/base';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import type { ChaosCluster } from './cluster.ts';
import { type Member, type RoleName, roleNames, sleepUntilCalm } from './member.ts';
import type { SharedStore } from './shared-store.ts';

export const deedNames = ['kill', 'terminate', 'pause', 'pauseAndKill', 'cut', 'hang', 'freeze'] as const;
export type DeedName = (typeof deedNames)[number];

/** How often each thing was done, by what it was done to. */
export type DeedCounts = Map<string, number>;

export interface Nemesis {
  readonly counts: DeedCounts;
  /** Ends all that is under way, early: everything runs and can be reached when it resolves. Throws what went wrong. */
  calm(): Promise<void>;
}

const everyMs = 1_000;
const downMsMax = 1_500;
const pauseMsMax = 4_000;
const cutMsMax = 3_000;
const freezeMsMax = 5_000;
/** Of all members, so that clients get something done. */
const disturbedCountMax = 2;

/** Does something to somebody at random times, in a random order that the seed decides, until it is calmed. */
export function startNemesis(
  clock: Clock,
  random: Random,
  cluster: ChaosCluster,
  store: Pick<SharedStore, 'freeze'>,
): Nemesis {
  const counts: DeedCounts = new Map();
  const calming = new AbortController();
  const failures: unknown[] = [];
  const underWay = new Set<Promise<void>>();
  const cutLinks = new Set<string>();
  let isFrozen = false;

  const count = (what: string): void => {
    counts.set(what, (counts.get(what) ?? 0) + 1);
  };
  const track = (deed: Promise<void>): void => {
    const tracked = deed.then(
      () => void underWay.delete(tracked),
      (error: unknown) => {
        underWay.delete(tracked);
        failures.push(error);
      },
    );
    underWay.add(tracked);
  };
  const partition = async (name: string, link: TcpProxy, deed: 'cut' | 'hang', durationMs: number): Promise<void> => {
    cutLinks.add(name);
    if (deed === 'cut') await link.cut();
    else link.hang();
    await sleepUntilCalm(clock, durationMs, calming.signal);
    await link.restore();
    cutLinks.delete(name);
  };
  /** The server behind the hops stands still for everybody, with what it has begun. */
  const freezeStore = async (freeze: NonNullable<SharedStore['freeze']>, durationMs: number): Promise<void> => {
    isFrozen = true;
    await freeze(true);
    await sleepUntilCalm(clock, durationMs, calming.signal);
    await freeze(false);
    isFrozen = false;
  };
  const disturbStore = (): void => {
    const durationMs = random.float() * freezeMsMax;
    if (store.freeze === undefined || isFrozen) return;
    count('freeze store');
    track(freezeStore(store.freeze, durationMs));
  };
  const disturbLink = (): void => {
    const free = [...cluster.links].filter(([name]) => !cutLinks.has(name));
    const chosen = free[random.integer(free.length)];
    const deed = random.float() < 0.5 ? 'cut' : 'hang';
    const durationMs = random.float() * cutMsMax;
    if (chosen === undefined) return;
    count(`${deed} ${chosen[0].endsWith('store') ? 'store' : 'network'}`);
    track(partition(chosen[0], chosen[1], deed, durationMs));
  };
  const disturbMember = (): void => {
    const role = pickRole(random);
    const draw = random.float();
    const length = random.float();
    const candidates = cluster.members.filter((member) => member.role === role && member.isUp());
    const chosen = candidates[random.integer(candidates.length)];
    if (chosen === undefined || cluster.members.filter((member) => !member.isUp()).length >= disturbedCountMax) return;
    const deed = draw < 0.4 ? 'kill' : draw < 0.5 ? 'terminate' : draw < 0.8 ? 'pause' : 'pauseAndKill';
    count(`${deed} ${role}`);
    track(disturb(chosen, deed, length, calming.signal));
  };
  const run = async (): Promise<void> => {
    while (!calming.signal.aborted) {
      await sleepUntilCalm(clock, everyMs * 2 * random.float(), calming.signal);
      if (calming.signal.aborted) return;
      const draw = random.float();
      if (draw < 0.06) disturbStore();
      else if (draw < 0.3) disturbLink();
      else disturbMember();
    }
  };
  const running = run();
  return {
    counts,
    calm: async () => {
      calming.abort();
      await running;
      while (underWay.size > 0) await Promise.all(underWay);
      if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('\n'));
    },
  };
}

function disturb(
  member: Member,
  deed: Exclude<DeedName, 'cut' | 'hang' | 'freeze'>,
  length: number,
  calm: AbortSignal,
): Promise<void> {
  switch (deed) {
    case 'kill':
      return member.restart('SIGKILL', length * downMsMax, calm);
    case 'terminate':
      return member.restart('SIGTERM', length * downMsMax, calm);
    case 'pause':
      return member.pause(length * pauseMsMax, false, calm);
    case 'pauseAndKill':
      return member.pause(length * pauseMsMax, true, calm);
  }
}

/** Ingesters hold what can be lost, so they are met most. */
function pickRole(random: Random): RoleName {
  const draw = random.float();
  if (draw < 0.4) return 'ingester';
  return roleNames[random.integer(roleNames.length)] ?? 'ingester';
}
