import type { DescService } from '@bufbuild/protobuf';
import { LagoonError, type Random } from '@lagoon/base';
import type { CallOptions, ServiceClient } from '@lagoon/rpc';
import type { Actor } from './actor.ts';
import type { FaultCounts } from './faults.ts';
import type { Scheduler } from './scheduler.ts';

/** Where a role's service is right now: the process that runs it, and a client in that process. */
export interface Endpoint<S extends DescService> {
  readonly actor: Actor;
  readonly client: ServiceClient<S>;
}

export interface SimulatedNetwork {
  /** A client for `caller` of whatever runs at the endpoint at the time of each call. */
  connect<S extends DescService>(caller: Actor, service: S, endpoint: () => Endpoint<S>): ServiceClient<S>;
  /** Probability that an answer, or a request, is lost on its way; the caller sees a broken connection. */
  lostReplyProbability: number;
  lostRequestProbability: number;
  /** Called for each message; may say what becomes of it. */
  onMessage: ((message: NetworkMessage) => MessageFate | undefined) | undefined;
}

export interface NetworkMessage {
  readonly from: string;
  readonly to: string;
  readonly method: string;
}

/** What a scenario does to one message, besides what the seed draws. */
export interface MessageFate {
  readonly delayMs?: number;
  readonly isLost?: boolean;
  readonly isReplyLost?: boolean;
}

export function createSimulatedNetwork(scheduler: Scheduler, random: Random, counts: FaultCounts): SimulatedNetwork {
  const travelMs = () => 0.1 + random.float() * 2;
  const network: SimulatedNetwork = {
    connect,
    lostReplyProbability: 0,
    lostRequestProbability: 0,
    onMessage: undefined,
  };
  return network;

  function connect<S extends DescService>(caller: Actor, service: S, endpoint: () => Endpoint<S>): ServiceClient<S> {
    const methods = Object.keys(service.method).map((name) => [
      name,
      (request: unknown, options: CallOptions) => call(caller, endpoint, name, request, options),
    ]);
    return Object.fromEntries(methods) as ServiceClient<S>;
  }

  function call<S extends DescService>(
    caller: Actor,
    endpoint: () => Endpoint<S>,
    name: string,
    request: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let answered = false;
      const controller = new AbortController();
      const finish = (settle: () => void, delayMs = travelMs()): void => {
        scheduler.schedule(delayMs, () =>
          caller.deliver(() => {
            if (answered) return;
            answered = true;
            options.signal?.removeEventListener('abort', onAbort);
            deadline.cancel();
            settle();
          }),
        );
      };
      const broken = (what: string) =>
        finish(() => reject(new LagoonError('unavailable', `simulated network: ${what}`)));
      const onAbort = () => {
        controller.abort(options.signal?.reason);
        finish(() => reject(options.signal?.reason), 0);
      };
      const deadline = caller.clock.setTimer(options.timeoutMs, () => {
        const reason = new LagoonError('deadline_exceeded', 'the deadline passed');
        controller.abort(reason);
        finish(() => reject(reason), 0);
      });
      if (options.signal?.aborted) return onAbort();
      options.signal?.addEventListener('abort', onAbort, { once: true });

      const isLost = random.float() < network.lostRequestProbability;
      if (isLost) counts.lostRequest++;
      const fate = network.onMessage?.({ from: caller.name, to: endpoint().actor.name, method: name });
      if (isLost || fate?.isLost) return broken('the request was lost');
      scheduler.schedule(travelMs() + (fate?.delayMs ?? 0), () => {
        const { actor, client } = endpoint();
        if (!actor.alive) return broken('nobody listens');
        actor.onCrash(() => broken('the connection was reset'));
        actor.deliver(() => {
          const method = (client as Record<string, (request: unknown, options: CallOptions) => Promise<unknown>>)[name];
          const running =
            method?.(request, { ...options, signal: controller.signal }) ??
            Promise.reject(new Error(`no method ${name}`));
          running.then(
            (response) => {
              const isReplyLost = random.float() < network.lostReplyProbability;
              if (isReplyLost || fate?.isReplyLost) {
                if (isReplyLost) counts.lostReply++;
                broken('the answer was lost');
              } else finish(() => resolve(response));
            },
            (error: unknown) => finish(() => reject(error)),
          );
        });
      });
    });
  }
}
