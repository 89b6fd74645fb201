import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Posts JSON over kept-alive connections at little cost of its own, so that times are those of the server: on two processors a client takes them from it. */
export interface LeanClient extends Disposable {
  /** Throws on anything but 200. */
  post(path: string, body: string): Promise<unknown>;
}

interface Connection {
  send(request: string): Promise<string>;
  readonly socket: Socket;
}

/** Answers have a content-length. One request at a time on each connection; more wait for one. A server closes idle connections: they are opened again. */
export async function createLeanClient(url: string, connectionCount: number): Promise<LeanClient> {
  const { hostname, port, host } = new URL(url);
  const free = await Promise.all(Array.from({ length: connectionCount }, () => openConnection(hostname, Number(port))));
  const connections = new Set(free);
  const waiting: ((connection: Connection) => void)[] = [];
  return {
    post: async (path, body) => {
      const head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n`;
      const taken = free.pop() ?? (await new Promise<Connection>((resolve) => void waiting.push(resolve)));
      const connection = taken.socket.readyState === 'open' ? taken : await openConnection(hostname, Number(port));
      connections.add(connection);
      try {
        const answer = await connection.send(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
        return JSON.parse(answer);
      } finally {
        const next = waiting.shift();
        if (next === undefined) free.push(connection);
        else next(connection);
      }
    },
    [Symbol.dispose]: () => {
      for (const { socket } of connections) socket.destroy();
    },
  };
}

async function openConnection(host: string, port: number): Promise<Connection> {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, 'connect');
  let received = '';
  let asked: PromiseWithResolvers<string> | undefined;
  const fail = (reason: string): void => asked?.reject(new Error(reason));
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    received += chunk;
    const bodyAt = received.indexOf('\r\n\r\n') + 4;
    if (bodyAt < 4) return;
    const size = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1]);
    if (received.length < bodyAt + size) return;
    const body = received.slice(bodyAt, bodyAt + size);
    if (received.startsWith('HTTP/1.1 200')) asked?.resolve(Buffer.from(body, 'latin1').toString('utf8'));
    else fail(received.slice(0, 300));
    received = '';
  });
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('the server closed the connection'));
  return {
    socket,
    send: (request) => {
      asked = Promise.withResolvers();
      socket.write(request);
      return asked.promise;
    },
  };
}
