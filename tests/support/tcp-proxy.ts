import { connect, createServer, type Socket } from 'node:net';
import { freePort } from './free-port.ts';

/** A hop in front of a server that a test can make unreachable, without touching the server, which others share. */
export interface TcpProxy {
  readonly port: number;
  /** Refuses connections and resets those that are open. */
  cut(): Promise<void>;
  /** Takes bytes and passes nothing on, either way, as a network that drops packets. */
  hang(): void;
  /** As at the beginning; what hung goes on. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** Listens on a free port, or on the given one. */
export async function startTcpProxy(target: URL, givenPort?: number): Promise<TcpProxy> {
  const port = givenPort ?? (await freePort());
  const sockets = new Set<Socket>();
  let hangs = false;
  const pass = (from: Socket, to: Socket) => {
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      if (!hangs) from.resume();
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => sockets.delete(from));
    sockets.add(from);
    if (hangs) from.pause();
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port || 80), allowHalfOpen: true });
    pass(client, upstream);
    pass(upstream, client);
  });
  const listen = () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const cut = async () => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  await listen();
  return {
    port,
    cut,
    hang: () => {
      hangs = true;
      for (const socket of sockets) socket.pause();
    },
    restore: async () => {
      hangs = false;
      for (const socket of sockets) socket.resume();
      if (!server.listening) await listen();
    },
    close: cut,
  };
}
