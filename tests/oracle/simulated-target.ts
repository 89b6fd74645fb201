import { drive, sleepVirtual, type World } from '../sim/world.ts';
import { fromJsonText, toJsonText } from './dialect-printer.ts';
import type { OracleTarget } from './play-random.ts';

/** The gateway of a simulated cluster, in virtual time. */
export function simulatedTarget(world: World): OracleTarget {
  const call: OracleTarget['call'] = async (method, path, body) => {
    const bytes = new TextEncoder().encode(body === undefined ? '' : toJsonText(body));
    const headers = { 'content-type': 'application/json' };
    const request = { method, path, query: '', headers, body: bytes };
    const response = await drive(world, () => world.cluster.send(request, new AbortController().signal));
    return { status: response.status, json: fromJsonText(new TextDecoder().decode(response.body)) };
  };
  return {
    call,
    settle: async (namespace) => {
      for (let attempt = 0; attempt < 100; attempt++) {
        await sleepVirtual(world, 2_000);
        const { json } = await call('GET', `/v2/namespaces/${namespace}/metadata`);
        const { index } = json as { readonly index?: { readonly status?: string } };
        if (index?.status === 'up-to-date') return;
      }
      throw new Error(`${namespace} is never indexed`);
    },
  };
}
