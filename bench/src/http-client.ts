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
