import { Agent, request } from 'node:http';

export interface HttpClient extends Disposable {
  post(path: string, body: string): Promise<unknown>;
  get(path: string): Promise<unknown>;
}

/** JSON over kept-alive connections; throws on anything but 200. */
export function createHttpClient(url: string, connectionCount: number): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: connectionCount });
  const send = (method: string, path: string, body: string | undefined): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(path, url),
        { method, agent, headers: { 'content-type': 'application/json' } },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('error', reject);
          incoming.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            if (incoming.statusCode === 200) resolve(JSON.parse(text));
            else reject(new Error(`${method} ${path}: ${incoming.statusCode} ${text.slice(0, 300)}`));
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  return {
    post: (path, body) => send('POST', path, body),
    get: (path) => send('GET', path, undefined),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

/** Seconds until nothing of the namespace waits to be indexed; throws when it takes too long. */
export async function untilIndexed(client: HttpClient, namespace: string, secondsMax: number): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const metadata = (await client.get(`/v2/namespaces/${namespace}/metadata`)) as { index: { status: string } };
    const seconds = (performance.now() - startedAt) / 1000;
    if (metadata.index.status === 'up-to-date') return seconds;
    if (seconds > secondsMax) throw new Error(`the index is not up to date after ${secondsMax} seconds`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
